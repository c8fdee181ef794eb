// Writes the state section by section (spec 18 section 2): `next` is one slice of bounded work, and
// between two of them the loop may turn. The rows come from a generator, which walks the live
// tables at the same pace. A section is one slice, unless its time is over before it is full: the
// next slices go on with it.
import { assert } from "../base/assert.ts";
import { ALIGN_BYTES, ByteWriter } from "./bytes.ts";
import {
  CHECKED_FROM,
  checksumOf,
  KIND_END,
  MAGIC,
  SECTION_BYTES_MAX,
  SECTION_FULL_BYTES,
  SECTION_HEAD_BYTES,
  STATE_VERSION,
} from "./format.ts";
import { RECORD_KINDS, type RecordKind, type StateRow } from "./records.ts";

/** Records between two looks at the time: 10 us, and 0.2 ms of code that never ran before. */
const RECORDS_PER_LOOK = 16;

/** The time of the slice is over, and there is no whole section. */
const NOTHING_YET = new Uint8Array(new ArrayBuffer(0));

export class StateEncoder {
  readonly #rows: Iterator<StateRow>;
  readonly #out = new ByteWriter(SECTION_HEAD_BYTES + SECTION_BYTES_MAX);
  /** The row that the next section begins with. */
  #row: StateRow | undefined;
  #sectionCount = 0;
  /** Of the section that is under way. */
  #kind: RecordKind | undefined;
  #count = 0;
  #phase: "title" | "sections" | "over" = "title";

  /** The first row is the moment. Each row is written before the next one is asked for. */
  constructor(rows: Iterable<StateRow>) {
    this.#rows = rows[Symbol.iterator]();
  }

  /**
   * The next bytes of the file, valid until the next call: none if `hasTime` said so before there
   * was a whole section; undefined = that was all.
   */
  next(hasTime: () => boolean = () => true): Uint8Array<ArrayBuffer> | undefined {
    if (this.#phase === "over") return undefined;
    if (this.#phase === "title") {
      this.#phase = "sections";
      this.#step();
      assert(this.#row?.kind === "moment", "the state begins with its moment");
      return this.#title();
    }
    const kind = this.#kind ?? this.#row?.kind;
    if (kind !== undefined) return this.#records(kind, hasTime);
    this.#phase = "over";
    return this.#section(KIND_END, this.#sectionCount, 0);
  }

  #records(kind: RecordKind, hasTime: () => boolean): Uint8Array<ArrayBuffer> {
    const { form } = RECORD_KINDS.get(kind)!;
    if (this.#kind === undefined) this.#reserveHead();
    this.#kind = kind;
    while (this.#row?.kind === kind && this.#out.length < SECTION_FULL_BYTES) {
      form.put(this.#out, this.#row.values);
      this.#count += 1;
      this.#step();
      if (this.#count % RECORDS_PER_LOOK === 0 && !hasTime()) return NOTHING_YET;
    }
    const count = this.#count;
    this.#kind = undefined;
    this.#count = 0;
    return this.#section(KIND_NUMBERS.get(kind)!, this.#sectionCount++, count);
  }

  #step(): void {
    const { done, value } = this.#rows.next();
    this.#row = done === true ? undefined : value;
  }

  #title(): Uint8Array<ArrayBuffer> {
    for (const character of MAGIC) this.#out.u8(character.charCodeAt(0));
    this.#out.u32(STATE_VERSION);
    this.#out.u32(checksumOf(this.#out.subarray(0, this.#out.length)));
    return this.#out.take();
  }

  #reserveHead(): void {
    for (let at = 0; at < SECTION_HEAD_BYTES; at += 4) this.#out.u32(0);
  }

  #section(kind: number, number: number, count: number): Uint8Array<ArrayBuffer> {
    const out = this.#out;
    if (out.length === 0) this.#reserveHead();
    // The next section begins at a multiple of it, too.
    out.align(ALIGN_BYTES);
    out.u32At(4, kind);
    out.u32At(8, number);
    out.u32At(12, count);
    out.u32At(16, out.length - SECTION_HEAD_BYTES);
    out.u32At(0, checksumOf(out.subarray(CHECKED_FROM, out.length)));
    return out.take();
  }
}

const KIND_NUMBERS = new Map([...RECORD_KINDS.keys()].map((kind, at) => [kind, at + 1]));
