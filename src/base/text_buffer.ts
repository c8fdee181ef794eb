// Text written as bytes into one growing buffer: metric pages and export lines are made of short
// fixed words and decimal numbers, and a string for each would be thousands of garbage strings.
// Growth doubles, so a buffer that has seen its largest text never allocates again.
import { assert } from "./assert.ts";
import { u64Text } from "./u64.ts";

const encoder = new TextEncoder();

export class TextBuffer {
  /** Bytes written since the last `clear`. */
  length = 0;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor(sizeBytes: number) {
    assert(sizeBytes > 0, "a text buffer has room");
    this.#bytes = new Uint8Array(sizeBytes);
  }

  clear(): void {
    this.length = 0;
  }

  /** The text so far, in place: valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length] = value;
    this.length += 1;
  }

  /** Text whose every character is ASCII. */
  ascii(text: string): void {
    const count = text.length;
    this.#reserve(count);
    const bytes = this.#bytes;
    const start = this.length;
    for (let i = 0; i < count; i++) bytes[start + i] = text.charCodeAt(i);
    this.length = start + count;
  }

  utf8(text: string): void {
    // No UTF-16 unit needs more than three bytes.
    this.#reserve(text.length * 3);
    this.length += encoder.encodeInto(text, this.#bytes.subarray(this.length)).written;
  }

  /**
   * A copy of `source`. A loop, because the texts are short and a call to `set` costs more than
   * twenty bytes.
   */
  copy(source: Uint8Array): void {
    const count = source.length;
    this.#reserve(count);
    const bytes = this.#bytes;
    const start = this.length;
    for (let i = 0; i < count; i++) bytes[start + i] = source[i]!;
    this.length = start + count;
  }

  /** An integer in 0..2^53-1 in decimal. */
  decimal(value: number): void {
    assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, "a decimal is in 0..2^53-1");
    this.#reserve(16);
    if (value < 1e9) {
      this.length = writeDigits(this.#bytes, this.length, value >>> 0, digitCount(value));
      return;
    }
    const upper = Math.floor(value / 1e9);
    this.length = writeDigits(this.#bytes, this.length, upper, digitCount(upper));
    this.length = writeDigits(this.#bytes, this.length, value - upper * 1e9, 9);
  }

  /** A u64 given as two u32. */
  decimalU64(hi: number, lo: number): void {
    if (hi < 0x20_0000) this.decimal(hi * 0x1_0000_0000 + lo);
    else this.ascii(u64Text(hi, lo));
  }

  /**
   * `units` / 10^`decimals`, with exactly that many digits after the point; `units` is an integer
   * in 0..2^53-1.
   */
  fixed(units: number, decimals: number): void {
    const scale = 10 ** decimals;
    const whole = Math.floor(units / scale);
    this.decimal(whole);
    this.byte(0x2e);
    this.#reserve(decimals);
    this.length = writeDigits(this.#bytes, this.length, units - whole * scale, decimals);
  }

  #reserve(count: number): void {
    const wanted = this.length + count;
    if (wanted <= this.#bytes.length) return;
    let sizeBytes = this.#bytes.length * 2;
    while (sizeBytes < wanted) sizeBytes *= 2;
    const grown = new Uint8Array(sizeBytes);
    grown.set(this.view());
    this.#bytes = grown;
  }
}

/**
 * Writes the last `count` decimal digits of `value`, which is below 10^9 or at most 2^53 / 10^9.
 */
function writeDigits(bytes: Uint8Array, start: number, value: number, count: number): number {
  let rest = value | 0;
  for (let at = start + count - 1; at >= start; at--) {
    const next = (rest / 10) | 0;
    bytes[at] = 0x30 + rest - next * 10;
    rest = next;
  }
  return start + count;
}

function digitCount(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count += 1;
  return count;
}
