// Writes the state section by section (spec 18 section 2): `next` is one slice of bounded work, and
// between two of them the loop may turn. The rows come from a generator, which walks the live
// tables at the same pace.
import { assert } from "../base/assert.ts";
import { crc32c } from "../wire/crc32c.ts";
import { ByteWriter } from "./bytes.ts";
import {
  CHECKED_FROM,
  KIND_END,
  MAGIC,
  SECTION_BYTES_MAX,
  SECTION_FULL_BYTES,
  SECTION_HEAD_BYTES,
  STATE_VERSION,
} from "./format.ts";
import { RECORD_KINDS, type RecordKind, type StateRow } from "./records.ts";

export class StateEncoder {
  readonly #rows: Iterator<StateRow>;
  readonly #out = new ByteWriter(SECTION_HEAD_BYTES + SECTION_BYTES_MAX);
  /** The row that the next section begins with. */
  #row: StateRow | undefined;
  #sectionCount = 0;
  #phase: "title" | "sections" | "over" = "title";

  /** The first row is the moment. Each row is written before the next one is asked for. */
  constructor(rows: Iterable<StateRow>) {
    this.#rows = rows[Symbol.iterator]();
  }

  /** The next bytes of the file, valid until the next call; undefined = that was all. */
  next(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#phase === "over") return undefined;
    if (this.#phase === "title") {
      this.#phase = "sections";
      this.#step();
      assert(this.#row?.kind === "moment", "the state begins with its moment");
      return this.#title();
    }
    if (this.#row === undefined) {
      this.#phase = "over";
      return this.#section(KIND_END, this.#sectionCount, 0);
    }
    return this.#records(this.#row.kind);
  }

  #records(kind: RecordKind): Uint8Array<ArrayBuffer> {
    const { form } = RECORD_KINDS.get(kind)!;
    const number = KIND_NUMBERS.get(kind)!;
    this.#reserveHead();
    let count = 0;
    while (this.#row?.kind === kind && this.#out.length < SECTION_FULL_BYTES) {
      form.put(this.#out, this.#row.values);
      count += 1;
      this.#step();
    }
    return this.#section(number, this.#sectionCount++, count);
  }

  #step(): void {
    const { done, value } = this.#rows.next();
    this.#row = done === true ? undefined : value;
  }

  #title(): Uint8Array<ArrayBuffer> {
    for (const character of MAGIC) this.#out.u8(character.charCodeAt(0));
    this.#out.u32(STATE_VERSION);
    this.#out.u32(crc32c(this.#out.subarray(0, this.#out.length)));
    return this.#out.take();
  }

  #reserveHead(): void {
    for (let at = 0; at < SECTION_HEAD_BYTES; at += 4) this.#out.u32(0);
  }

  #section(kind: number, number: number, count: number): Uint8Array<ArrayBuffer> {
    const out = this.#out;
    if (out.length === 0) this.#reserveHead();
    out.u32At(4, kind);
    out.u32At(8, number);
    out.u32At(12, count);
    out.u32At(16, out.length - SECTION_HEAD_BYTES);
    out.u32At(0, crc32c(out.subarray(CHECKED_FROM, out.length)));
    return out.take();
  }
}

const KIND_NUMBERS = new Map([...RECORD_KINDS.keys()].map((kind, at) => [kind, at + 1]));
