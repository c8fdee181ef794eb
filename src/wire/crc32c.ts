// CRC-32C (Castagnoli, reflected 0x82f63b78), spec 01 section 2. `crc32c` is the form for any
// length; `crc32cFrame` is the form for the 28 checked bytes of a frame: because the length is
// fixed, the register is linear in the bytes, so each position has its own table and the look-ups
// do not wait for each other (10 ns instead of 31).
import { assert } from "../base/assert.ts";
import { FRAME_BYTES } from "../base/limits.ts";

/** The reflected Castagnoli polynomial. */
export const CRC32C_POLYNOMIAL = 0x82f63b78;
/** The register, before its final complement, after any bytes and their own CRC. */
export const CRC32C_RESIDUE = 0xb798b438;
/** The checksum covers everything but itself. */
const CHECKED_BYTES = FRAME_BYTES - 4;

const TABLE = byteTable();
const POSITIONS = positionTables();
/** The CRC of 28 zero bytes: what the initial and final complement contribute. */
const ZEROS_CRC = crc32c(new Uint8Array(CHECKED_BYTES));

/** CRC-32C of `bytes` as an unsigned number: four at a time, as the last four of a frame are. */
export function crc32c(bytes: Uint8Array): number {
  const t = POSITIONS;
  const { length } = bytes;
  let state = 0xffff_ffff;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    state ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    state =
      t[0x1800 + (state & 0xff)]! ^
      t[0x1900 + ((state >>> 8) & 0xff)]! ^
      t[0x1a00 + ((state >>> 16) & 0xff)]! ^
      t[0x1b00 + (state >>> 24)]!;
  }
  for (; i < length; i++) state = TABLE[(state ^ bytes[i]!) & 0xff]! ^ (state >>> 8);
  return (state ^ 0xffff_ffff) >>> 0;
}

/** CRC-32C of the `wordCount` words from word `w` on; equals `crc32c` of their bytes. */
export function crc32cWords(words: Uint32Array, w: number, wordCount: number): number {
  const t = POSITIONS;
  let state = 0xffff_ffff;
  for (let i = w; i < w + wordCount; i++) {
    state ^= words[i]!;
    state =
      t[0x1800 + (state & 0xff)]! ^
      t[0x1900 + ((state >>> 8) & 0xff)]! ^
      t[0x1a00 + ((state >>> 16) & 0xff)]! ^
      t[0x1b00 + (state >>> 24)]!;
  }
  return (state ^ 0xffff_ffff) >>> 0;
}

/** CRC-32C of the 28 bytes that start at word `w`; equals `crc32c` of them. */
export function crc32cFrame(words: Uint32Array, w: number): number {
  const t = POSITIONS;
  const a = words[w]!;
  const b = words[w + 1]!;
  const c = words[w + 2]!;
  const d = words[w + 3]!;
  const e = words[w + 4]!;
  const f = words[w + 5]!;
  const g = words[w + 6]!;
  return (
    (ZEROS_CRC ^
      t[a & 0xff]! ^
      t[0x100 + ((a >>> 8) & 0xff)]! ^
      t[0x200 + ((a >>> 16) & 0xff)]! ^
      t[0x300 + (a >>> 24)]! ^
      t[0x400 + (b & 0xff)]! ^
      t[0x500 + ((b >>> 8) & 0xff)]! ^
      t[0x600 + ((b >>> 16) & 0xff)]! ^
      t[0x700 + (b >>> 24)]! ^
      t[0x800 + (c & 0xff)]! ^
      t[0x900 + ((c >>> 8) & 0xff)]! ^
      t[0xa00 + ((c >>> 16) & 0xff)]! ^
      t[0xb00 + (c >>> 24)]! ^
      t[0xc00 + (d & 0xff)]! ^
      t[0xd00 + ((d >>> 8) & 0xff)]! ^
      t[0xe00 + ((d >>> 16) & 0xff)]! ^
      t[0xf00 + (d >>> 24)]! ^
      t[0x1000 + (e & 0xff)]! ^
      t[0x1100 + ((e >>> 8) & 0xff)]! ^
      t[0x1200 + ((e >>> 16) & 0xff)]! ^
      t[0x1300 + (e >>> 24)]! ^
      t[0x1400 + (f & 0xff)]! ^
      t[0x1500 + ((f >>> 8) & 0xff)]! ^
      t[0x1600 + ((f >>> 16) & 0xff)]! ^
      t[0x1700 + (f >>> 24)]! ^
      t[0x1800 + (g & 0xff)]! ^
      t[0x1900 + ((g >>> 8) & 0xff)]! ^
      t[0x1a00 + ((g >>> 16) & 0xff)]! ^
      t[0x1b00 + (g >>> 24)]!) >>>
    0
  );
}

function byteTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let state = byte;
    for (let bit = 0; bit < 8; bit++)
      state = (state & 1) === 1 ? (state >>> 1) ^ CRC32C_POLYNOMIAL : state >>> 1;
    table[byte] = state >>> 0;
  }
  return table;
}

/** Row p, column b: what byte b at position p of 28 adds to the register after the last byte. */
function positionTables(): Uint32Array {
  const tables = new Uint32Array(CHECKED_BYTES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let state = TABLE[byte]!;
    for (let position = CHECKED_BYTES - 1; position >= 0; position--) {
      tables[position * 256 + byte] = state;
      state = (TABLE[state & 0xff]! ^ (state >>> 8)) >>> 0;
    }
  }
  return tables;
}

assert(crc32c(new TextEncoder().encode("123456789")) === 0xe306_9283, "CRC-32C check value");
assert(POSITIONS.length === 0x1c00, "crc32cFrame spells out 28 positions");
