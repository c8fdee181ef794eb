// Numbers and texts of the state file as bytes, little-endian (spec 18 section 2). The writer has
// room for one section. The reader believes nothing: it never reads beyond its end, and its first
// fault makes everything after it zero, so a decoder asks once at the end of a record.
import { assert } from "../base/assert.ts";

/** Where f64 stand that are read as an array: at multiples of this. */
export const ALIGN_BYTES = 8;

export class ByteWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #encoder = new TextEncoder();
  length = 0;

  constructor(sizeBytes: number) {
    this.#bytes = new Uint8Array(new ArrayBuffer(sizeBytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): void {
    assert(value >= 0 && value <= 0xff, "a u8 is in its range");
    this.#view.setUint8(this.#take(1), value);
  }

  u32(value: number): void {
    assert(value >= 0 && value <= 0xffff_ffff, "a u32 is in its range");
    this.#view.setUint32(this.#take(4), value, true);
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#take(8), value, true);
  }

  /** What is longer than `bytesMax` is cut between two characters. */
  text(value: string, bytesMax: number): void {
    const at = this.#take(2);
    if (!this.#putAscii(value, bytesMax)) {
      const room = this.#bytes.subarray(this.length, this.length + bytesMax);
      this.#take(this.#encoder.encodeInto(value, room).written);
    }
    this.#view.setUint16(at, this.length - at - 2, true);
  }

  /** Most texts are ASCII, and are written so in a tenth of the time. False: nothing is written. */
  #putAscii(value: string, bytesMax: number): boolean {
    const { length } = value;
    if (length > bytesMax || this.length + length > this.#bytes.length) return false;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#bytes[this.length + index] = code;
    }
    this.length += length;
    return true;
  }

  /** Zeros up to a multiple of `bytes`. */
  align(bytes: number): void {
    while (this.length % bytes !== 0) this.u8(0);
  }

  /** Writes `value` at `at`, which was taken before. */
  u32At(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** Valid until the next write. */
  subarray(from: number, to: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(from, to);
  }

  /** What was written, which is then forgotten: valid until the next write. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.subarray(0, this.length);
    this.length = 0;
    return bytes;
  }

  #take(count: number): number {
    const at = this.length;
    assert(at + count <= this.#bytes.length, "a section has room for its records");
    this.length = at + count;
    return at;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #buffer: Buffer;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  at = 0;
  /** Completes "found FOUND"; undefined = all that was read so far is whole. */
  fault: string | undefined = undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** There is nothing more but the zeros that make a section as long as it must be. */
  get isAtEnd(): boolean {
    const rest = this.#bytes.subarray(this.at);
    return rest.length < ALIGN_BYTES && rest.every((byte) => byte === 0);
  }

  fail(found: string): void {
    this.fault ??= found;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#view.getUint8(at);
  }

  u32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getUint32(at, true);
  }

  f64(): number {
    const at = this.#take(8);
    return at < 0 ? 0 : this.#view.getFloat64(at, true);
  }

  /** `like`: what it probably is, which makes no new string then. */
  text(bytesMax: number, like = ""): string {
    const lengthAt = this.#take(2);
    const length = lengthAt < 0 ? 0 : this.#view.getUint16(lengthAt, true);
    if (length > bytesMax) this.fail("a text that is too long");
    const at = this.#take(length);
    if (at < 0 || length === 0) return "";
    if (isText(like, this.#bytes, at, length)) return like;
    if (isAscii(this.#bytes, at, length)) return this.#buffer.toString("latin1", at, at + length);
    try {
      return this.#decoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      this.fail("a text that is not UTF-8");
      return "";
    }
  }

  /** -1 = there is no more, or a fault was found before. */
  #take(count: number): number {
    const at = this.at;
    if (at + count > this.#bytes.length) this.fail("a record that is cut off");
    if (this.fault !== undefined) return -1;
    this.at = at + count;
    return at;
  }
}

function isText(text: string, bytes: Uint8Array, from: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f || code !== bytes[from + at]!) return false;
  }
  return true;
}

/** Most texts are, and are read in a quarter of the time that a decoder takes. */
function isAscii(bytes: Uint8Array, from: number, length: number): boolean {
  for (let at = from; at < from + length; at++) if (bytes[at]! > 0x7f) return false;
  return true;
}
