// The encoder beside a twin that puts all sections together at once, record by record.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ByteWriter } from "../../src/snapshot/bytes.ts";
import { StateEncoder } from "../../src/snapshot/encoder.ts";
import { SECTION_FULL_BYTES } from "../../src/snapshot/format.ts";
import {
  RECORD_BYTES_MAX,
  RECORD_KINDS,
  type RecordKind,
  type State,
  type StateRow,
} from "../../src/snapshot/records.ts";
import { Random } from "../simulation/random.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { bytesOf, EMPTY, FULL, MEMBER, rowsOf } from "./states.ts";

setDefaultTimeout(TEST_MS_MAX);

function u32s(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return new Uint8Array(view.buffer);
}

/** One record for itself. */
function recordBytes({ kind, values }: StateRow): Uint8Array {
  const out = new ByteWriter(RECORD_BYTES_MAX);
  RECORD_KINDS.get(kind)!.form.put(out, values);
  return out.take();
}

function section(kind: number, number: number, records: readonly Uint8Array[]): Uint8Array {
  const whole = Buffer.concat(records);
  const bytes = Buffer.concat([whole, Buffer.alloc(-whole.length & 7)]);
  const checked = Buffer.concat([u32s(kind, number, records.length, bytes.length, 0), bytes]);
  return Buffer.concat([u32s(Bun.hash.crc32(checked)), checked]);
}

/** Sections have records of one kind, and are closed when they are full. */
function twinBytes(state: State, version: Uint8Array): Uint8Array {
  const groups: { readonly kind: RecordKind; bytes: number; readonly records: Uint8Array[] }[] = [];
  for (const row of rowsOf(state)) {
    const record = recordBytes(row);
    let group = groups.at(-1);
    if (group?.kind !== row.kind || group.bytes >= SECTION_FULL_BYTES - 24) {
      group = { kind: row.kind, bytes: 0, records: [] };
      groups.push(group);
    }
    group.records.push(record);
    group.bytes += record.length;
  }
  const kinds = [...RECORD_KINDS.keys()];
  const title = Buffer.concat([Buffer.from("VARTASTA"), version]);
  return Buffer.concat([
    title,
    u32s(Bun.hash.crc32(title)),
    ...groups.map(({ kind, records }, number) => section(kinds.indexOf(kind) + 1, number, records)),
    section(0, groups.length, []),
  ]);
}

function members(count: number): State {
  const member = Array.from({ length: count }, (_, at) => ({
    ...MEMBER,
    pid: 100 + at,
    key: 100 + at,
    comm: "c".repeat(at % 60),
  }));
  return { ...FULL, member };
}

describe("StateEncoder", () => {
  test.each([
    ["nothing but its moment", EMPTY],
    ["one record of each kind", FULL],
    ["members of several sections", members(1_000)],
  ] as const)("makes the bytes of its twin: %s", (_, state) => {
    const bytes = bytesOf(state);
    const twin = twinBytes(state, bytes.subarray(8, 12));
    expect(Buffer.compare(bytes, twin)).toBe(0);
  });

  test("makes the same bytes however often the time of a slice is over", () => {
    const state = members(1_000);
    const whole = bytesOf(state);
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const encoder = new StateEncoder(rowsOf(state));
      const parts: Uint8Array[] = [];
      let slices = 0;
      for (;;) {
        const bytes = encoder.next(() => random.below(3) !== 0);
        if (bytes === undefined) break;
        parts.push(bytes.slice());
        slices += 1;
      }
      expect(slices).toBeGreaterThan(20);
      expect(Buffer.compare(Buffer.concat(parts), whole)).toBe(0);
    }
  });

  test("asks for no more rows than the slice has time for", () => {
    let asked = 0;
    function* rows(): Iterable<StateRow> {
      for (const row of rowsOf(members(1_000))) {
        asked += 1;
        yield row;
      }
    }
    const encoder = new StateEncoder(rows());
    encoder.next();
    encoder.next();
    const before = asked;
    expect(encoder.next(() => false)).toHaveLength(0);
    expect(asked - before).toBe(16);
  });
});
