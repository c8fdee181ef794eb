// The members of a state as they are in its file: checked like every record, and not made objects
// of, which takes longer than all the rest of a start where they are ten thousand. Their numbers
// are each at one place of a record, so a loop goes through many records and one number. Their
// texts, which are the same for many, are read once. An object is made of the few that are asked
// for.
import { assert } from "../base/assert.ts";
import { IP_WORDS } from "../base/ip_text.ts";
import { ALIGN_BYTES, ByteReader } from "./bytes.ts";
import {
  MEMBER,
  MEMBER_TEXTS,
  type MemberRecord,
  type MemberTexts,
  TEXTS_FORM,
} from "./records.ts";

/** After the last record, or between two. */
export const BYTES_AFTER = "bytes after the last record";
const OUT_OF_RANGE = "a number out of its range";

type ColumnName = keyof MemberRecord;

const COLUMNS = MEMBER.columns();
const TEXT_COUNT = Object.keys(MEMBER_TEXTS).length;
/** Of the numbers of a record: behind them is its address, and then its texts. */
const NUMBERS_BYTES = [...COLUMNS.values()].reduce((sum, { size }) => sum + size, 0);
/** Those that can be out of their range. */
const BOUNDED_NUMBERS = [...COLUMNS.values()].flatMap((column) =>
  column.size !== 8 && column.max < 2 ** (8 * column.size) - 1 ? [column] : [],
);
const CHECKED_NUMBERS = [...COLUMNS.values()].flatMap((column) =>
  column.size === 8 ? [column] : [],
);
/** The shortest record, whose address and texts are empty. */
const RECORD_BYTES_MIN = NUMBERS_BYTES + 4 + 2 * TEXT_COUNT;

export class MemberRows implements Iterable<MemberRecord> {
  length = 0;
  /** Each is that of all rows of its number. */
  readonly texts: MemberTexts[] = [];
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #buffer: Buffer;
  /** The same bytes: an array is read in a tenth of the time of a DataView where code is new. */
  readonly #u32s: Uint32Array;
  readonly #f64s: Float64Array;
  /** Where each record begins. */
  #starts = new Uint32Array(0);
  /** Which of `texts` are those of each record. */
  #textsAt = new Uint32Array(0);
  /** By their bytes. */
  readonly #numberOfTexts = new Map<string, number>();
  #reader: ByteReader | undefined;
  #last: MemberRecord | undefined;
  /** Those that were asked for. */
  readonly #columns = new Map<ColumnName, ColumnValues>();

  /** `file`: all of it. */
  constructor(file: Uint8Array) {
    const isAligned = file.byteOffset % ALIGN_BYTES === 0 && file.buffer instanceof ArrayBuffer;
    const bytes = isAligned ? (file as Uint8Array<ArrayBuffer>) : Uint8Array.from(file);
    const { buffer, byteOffset, length } = bytes;
    this.#bytes = bytes;
    this.#buffer = Buffer.from(buffer, byteOffset, length);
    this.#u32s = new Uint32Array(buffer, byteOffset, Math.floor(length / 4));
    this.#f64s = new Float64Array(buffer, byteOffset, Math.floor(length / 8));
  }

  /** Takes the `count` records from `at` to `end`; what is wrong with them, undefined = nothing. */
  add(at: number, end: number, count: number): string | undefined {
    const first = this.length;
    // Before there is room for them.
    if (count * RECORD_BYTES_MIN > end - at) return "a record that is cut off";
    this.#reserve(first + count);
    return this.#findRecords(at, end, first + count) ?? this.#numbersFault(first);
  }

  /** By row: which of `texts` are its texts. */
  get textsNumbers(): Uint32Array {
    return this.#textsAt;
  }

  /** A number of all rows: a flag is 0 or 1, a word its place in the list of words. */
  u8(name: ColumnName): Uint8Array {
    const known = this.#columns.get(name);
    if (known !== undefined) return known as Uint8Array;
    const bytes = this.#bytes;
    const starts = this.#starts;
    const offset = offsetOf(name, 1);
    const values = new Uint8Array(this.length);
    for (let row = 0; row < values.length; row++) values[row] = bytes[starts[row]! + offset]!;
    this.#columns.set(name, values);
    return values;
  }

  u32(name: ColumnName): Uint32Array {
    const known = this.#columns.get(name);
    if (known !== undefined) return known as Uint32Array;
    const u32s = this.#u32s;
    const starts = this.#starts;
    const offset = offsetOf(name, 4) / 4;
    const values = new Uint32Array(this.length);
    for (let row = 0; row < values.length; row++)
      values[row] = u32s[(starts[row]! >>> 2) + offset]!;
    this.#columns.set(name, values);
    return values;
  }

  f64(name: ColumnName): Float64Array {
    const known = this.#columns.get(name);
    if (known !== undefined) return known as Float64Array;
    const f64s = this.#f64s;
    const starts = this.#starts;
    const offset = offsetOf(name, 8) / 8;
    const values = new Float64Array(this.length);
    for (let row = 0; row < values.length; row++)
      values[row] = f64s[(starts[row]! >>> 3) + offset]!;
    this.#columns.set(name, values);
    return values;
  }

  record(row: number): MemberRecord {
    this.#reader ??= new ByteReader(this.#bytes);
    this.#reader.at = this.#starts[row]!;
    // Whose texts are taken over.
    this.#last = MEMBER.get(this.#reader, this.#last);
    return this.#last;
  }

  *[Symbol.iterator](): Iterator<MemberRecord> {
    for (let row = 0; row < this.length; row++) yield this.record(row);
  }

  /** Where the records of `rows` begin, in this order: found once for all that is taken of them. */
  startsOf(rows: Uint32Array): Uint32Array {
    const starts = this.#starts;
    const taken = new Uint32Array(rows.length);
    for (let at = 0; at < rows.length; at++) taken[at] = starts[rows[at]!]!;
    return taken;
  }

  /** A number of the records that begin at `starts`, without an array between. */
  takeU8(name: ColumnName, starts: Uint32Array, into: Uint8Array): void {
    const bytes = this.#bytes;
    const offset = offsetOf(name, 1);
    const { length } = starts;
    for (let at = 0; at < length; at++) into[at] = bytes[starts[at]! + offset]!;
  }

  takeU32(name: ColumnName, starts: Uint32Array, into: Uint32Array): void {
    const u32s = this.#u32s;
    const offset = offsetOf(name, 4) / 4;
    const { length } = starts;
    for (let at = 0; at < length; at++) into[at] = u32s[(starts[at]! >>> 2) + offset]!;
  }

  takeF64(name: ColumnName, starts: Uint32Array, into: Float64Array): void {
    const f64s = this.#f64s;
    const offset = offsetOf(name, 8) / 8;
    const { length } = starts;
    for (let at = 0; at < length; at++) into[at] = f64s[(starts[at]! >>> 3) + offset]!;
  }

  /** Adds `flag` to those of the records that have the flag `name`. */
  addFlag(name: ColumnName, starts: Uint32Array, into: Uint16Array, flag: number): void {
    const bytes = this.#bytes;
    const offset = offsetOf(name, 1);
    const { length } = starts;
    for (let at = 0; at < length; at++) if (bytes[starts[at]! + offset] === 1) into[at]! |= flag;
  }

  #reserve(count: number): void {
    if (count <= this.#starts.length) return;
    const room = Math.max(count, 2 * this.#starts.length, ROWS_MIN);
    this.#starts = grown(this.#starts, room);
    this.#textsAt = grown(this.#textsAt, room);
  }

  /** Where the records begin, up to row `endRow`, and what their texts are. */
  #findRecords(at: number, end: number, endRow: number): string | undefined {
    const bytes = this.#bytes;
    const buffer = this.#buffer;
    const starts = this.#starts;
    const textsAt = this.#textsAt;
    /** Of the texts that were found last; there are none of no bytes. */
    let likeAt = 0;
    let likeEnd = 0;
    let number = 0;
    for (let row = this.length; row < endRow; row++) {
      if (at + RECORD_BYTES_MIN > end) return "a record that is cut off";
      starts[row] = at;
      const addressAt = at + NUMBERS_BYTES;
      const words = bytes[addressAt]!;
      // Its count is a u32.
      const others = bytes[addressAt + 1]! | bytes[addressAt + 2]! | bytes[addressAt + 3]!;
      if (words > IP_WORDS || others !== 0) return OUT_OF_RANGE;
      const textAt = addressAt + 4 + 4 * words;
      const likeTo = textAt + likeEnd - likeAt;
      // A member is mostly like the one before it.
      const isLike =
        likeEnd > 0 &&
        likeTo <= end &&
        buffer.compare(buffer, likeAt, likeEnd, textAt, likeTo) === 0;
      at = isLike ? likeTo : endOfTexts(bytes, textAt, end);
      if (at > end) return "a record that is cut off";
      if (!isLike) {
        const found = this.#numberOf(textAt, at);
        if (typeof found === "string") return found;
        number = found;
        likeAt = textAt;
        likeEnd = at;
      }
      textsAt[row] = number;
      for (; at % ALIGN_BYTES !== 0; at++) if (bytes[at] !== 0) return BYTES_AFTER;
    }
    this.length = endRow;
    return at === end ? undefined : BYTES_AFTER;
  }

  /** The number of the texts between these two; a text = what is wrong with them. */
  #numberOf(from: number, to: number): number | string {
    const bytes = this.#buffer.toString("latin1", from, to);
    const known = this.#numberOfTexts.get(bytes);
    if (known !== undefined) return known;
    const reader = new ByteReader(this.#bytes.subarray(from, to));
    const texts = TEXTS_FORM.get(reader, this.texts.at(-1));
    if (reader.fault !== undefined) return reader.fault;
    const number = this.texts.push(texts) - 1;
    this.#numberOfTexts.set(bytes, number);
    return number;
  }

  #numbersFault(from: number): string | undefined {
    const to = this.length;
    const starts = this.#starts;
    for (const { size, max, offset } of BOUNDED_NUMBERS) {
      const isValid =
        size === 1
          ? areU8Within(this.#bytes, starts, [from, to], { offset, max })
          : areU32Within(this.#u32s, starts, [from, to], { offset: offset / 4, max });
      if (!isValid) return OUT_OF_RANGE;
    }
    for (const { isValid, offset } of CHECKED_NUMBERS)
      if (!areValid(this.#f64s, starts, [from, to], { offset: offset / 8, isValid }))
        return OUT_OF_RANGE;
    return undefined;
  }
}

type ColumnValues = Uint8Array | Uint32Array | Float64Array;

const ROWS_MIN = 256;

/** Beyond `end` = they are cut off. */
function endOfTexts(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (let text = 0; text < TEXT_COUNT && at <= end; text++)
    at += 2 + (bytes[at] ?? 0) + 0x100 * (bytes[at + 1] ?? 0);
  return at;
}

function grown(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
}

function offsetOf(name: ColumnName, size: number): number {
  const column = COLUMNS.get(name);
  assert(column?.size === size, "the field is a number of this kind");
  return column.offset;
}

type Range = readonly [from: number, to: number];

function areU8Within(
  bytes: Uint8Array,
  starts: Uint32Array,
  [from, to]: Range,
  { offset, max }: { readonly offset: number; readonly max: number },
): boolean {
  for (let row = from; row < to; row++) if (bytes[starts[row]! + offset]! > max) return false;
  return true;
}

function areU32Within(
  u32s: Uint32Array,
  starts: Uint32Array,
  [from, to]: Range,
  { offset, max }: { readonly offset: number; readonly max: number },
): boolean {
  for (let row = from; row < to; row++)
    if (u32s[(starts[row]! >>> 2) + offset]! > max) return false;
  return true;
}

function areValid(
  f64s: Float64Array,
  starts: Uint32Array,
  [from, to]: Range,
  { offset, isValid }: { readonly offset: number; readonly isValid: (value: number) => boolean },
): boolean {
  for (let row = from; row < to; row++)
    if (!isValid(f64s[(starts[row]! >>> 3) + offset]!)) return false;
  return true;
}
