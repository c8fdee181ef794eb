import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { decodeState, readState, titleFault } from "../../src/snapshot/decoder.ts";
import {
  checksumOf,
  SECTION_BYTES_MAX,
  SECTION_HEAD_BYTES,
  STATE_VERSION,
  TITLE_BYTES,
} from "../../src/snapshot/format.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { bytesOf, EMPTY, FULL, MEMBER, sectionsOf } from "./states.ts";

setDefaultTimeout(TEST_MS_MAX);

/** `bytes` with the checksum of the section at `at` made right again. */
function resealed(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  const end = at + SECTION_HEAD_BYTES + view.getUint32(at + 16, true);
  view.setUint32(at, checksumOf(copy.subarray(at + 4, end)), true);
  return copy;
}

function changed(bytes: Uint8Array, at: number, offset: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  new DataView(copy.buffer).setUint32(at + offset, value, true);
  return resealed(copy, at);
}

const FOUND = (bytes: Uint8Array): string => {
  const decoded = decodeState(bytes);
  return decoded.ok ? "nothing" : decoded.found;
};

describe("decodeState()", () => {
  test("gives what was written", () => {
    expect(decodeState(bytesOf(FULL))).toEqual({ ok: true, state: FULL });
    expect(decodeState(bytesOf(EMPTY))).toEqual({ ok: true, state: EMPTY });
  });

  test("cuts texts beyond their bound between two characters", () => {
    const state = { ...EMPTY, member: [{ ...MEMBER, comm: "\u20ac".repeat(40) }] };
    const decoded = decodeState(bytesOf(state));
    expect(decoded.ok && decoded.state.member[0]!.comm).toBe("\u20ac".repeat(21));
  });

  test("keeps the newest starts of a budget", () => {
    const starts = Array.from({ length: 1_500 }, (_, at) => at * 1e9);
    const decoded = decodeState(bytesOf({ ...EMPTY, pace: [{ ...FULL.pace[0]!, starts }] }));
    expect(decoded.ok && decoded.state.pace[0]!.starts).toEqual(starts.slice(-1_024));
  });

  test("refuses a file that was cut anywhere", () => {
    const bytes = bytesOf(FULL);
    for (let length = 0; length < bytes.length; length++)
      expect([length, decodeState(bytes.subarray(0, length)).ok]).toEqual([length, false]);
  });

  test("refuses one changed bit anywhere", () => {
    const bytes = bytesOf(FULL);
    for (let at = 0; at < bytes.length; at++) {
      bytes[at]! ^= 1 << (at % 8);
      expect([at, decodeState(bytes).ok]).toEqual([at, false]);
      bytes[at]! ^= 1 << (at % 8);
    }
    expect(decodeState(bytes).ok).toBe(true);
  });

  test.each([
    ["an empty file", "an empty file", () => new Uint8Array(0)],
    ["zero bytes of the same size", "a file that is no state", () => new Uint8Array(9_000)],
    ["64 MB of ones", "a file that is no state", () => new Uint8Array(64e6).fill(0xff)],
    ["4 KB more", "bytes after the end", () => Buffer.concat([bytesOf(FULL), Buffer.alloc(4_096)])],
  ])("says of %s: %s", (_, found, bytes) => {
    expect(FOUND(bytes())).toBe(found);
  });

  test("says which version another file has", () => {
    const bytes = bytesOf(EMPTY);
    new DataView(bytes.buffer).setUint32(8, STATE_VERSION + 1, true);
    new DataView(bytes.buffer).setUint32(12, checksumOf(bytes.subarray(0, 12)), true);
    expect(FOUND(bytes)).toBe(`a state of version ${STATE_VERSION + 1}, want ${STATE_VERSION}`);
    expect(titleFault(bytes.subarray(0, TITLE_BYTES))).toBe(FOUND(bytes));
  });

  test("believes no number of a section whose checksum is right", () => {
    const bytes = bytesOf(EMPTY);
    const at = TITLE_BYTES;
    expect(FOUND(changed(bytes, at, 4, 99))).toBe("records of an unknown kind");
    expect(FOUND(changed(bytes, at, 8, 1))).toBe("a section at another place");
    expect(FOUND(changed(bytes, at, 12, 0))).toBe("bytes after the last record (moment)");
    expect(FOUND(changed(bytes, at, 12, 2))).toBe("more than 1 records of kind moment");
    expect(FOUND(changed(bytes, at, 4, 4))).toContain("(mute)");
    const huge = Uint8Array.from(bytes);
    new DataView(huge.buffer).setUint32(at + 16, SECTION_BYTES_MAX + 1, true);
    expect(FOUND(huge)).toBe("a section that is too long");
  });

  test("refuses a state without its moment, and one whose sections were mixed", () => {
    const [title, moment, members, ...rest] = sectionsOf({ ...EMPTY, member: [MEMBER] });
    expect(rest).toHaveLength(1);
    expect(FOUND(Buffer.concat([title!, members!, moment!, ...rest]))).toBe(
      "a section at another place",
    );
    const end = changed(rest[0]!, 0, 8, 0);
    expect(FOUND(Buffer.concat([title!, end]))).toBe("a state without its moment");
  });

  test("refuses numbers out of their range under a right checksum", () => {
    const [title, moment, end] = sectionsOf(EMPTY);
    // The last byte of the moment is a flag, which is 0 as what comes after it.
    const bytes = Uint8Array.from(moment!);
    const version = Buffer.from(bytes).indexOf(EMPTY.moment.version);
    bytes[version + EMPTY.moment.version.length] = 2;
    const file = Buffer.concat([title!, resealed(bytes, 0), end!]);
    expect(FOUND(file)).toBe("a number out of its range (moment)");
  });
});

describe("StateEncoder", () => {
  test("gives 100,000 members in slices of bounded size", () => {
    const member = Array.from({ length: 100_000 }, (_, at) => ({ ...MEMBER, pid: at, key: at }));
    const sections = sectionsOf({ ...EMPTY, member });
    expect(Math.max(...sections.map(({ length }) => length))).toBeLessThan(70_000);
    const read = readState(Buffer.concat(sections));
    expect(read.ok && read.state.member.length).toBe(100_000);
    expect(read.ok && read.state.member.record(99_999)).toEqual(member.at(-1)!);
  });
});
