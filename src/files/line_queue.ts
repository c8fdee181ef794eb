// Lines that wait for a slow disk: a ring of bytes with a bound, holding whole chunks of whole
// lines so that a write never ends inside one (spec 09 section 4). The memory is touched, and costs
// anything, only as far as the queue ever fills.
import { assert } from "../base/assert.ts";

const LF = 0x0a;

export class LineQueue {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** First waiting byte. */
  #head = 0;
  /** One past the last waiting byte. */
  #tail = 0;
  /** Where the bytes end that were added before the tail went back to the start; 0 = it did not. */
  #wrapEnd = 0;

  constructor(sizeBytes: number) {
    this.#bytes = new Uint8Array(sizeBytes);
  }

  /** Bytes that wait. */
  get sizeBytes(): number {
    const upper = this.#wrapEnd === 0 ? 0 : this.#wrapEnd - this.#head;
    return this.#wrapEnd === 0 ? this.#tail - this.#head : upper + this.#tail;
  }

  /**
   * Copies `lines`, which end in LF, to the end of the queue; false, and nothing copied, if there
   * is no room.
   */
  append(lines: Uint8Array): boolean {
    const size = lines.length;
    assert(size > 0 && lines[size - 1] === LF, "a queue takes whole lines");
    if (this.#wrapEnd === 0 && this.#tail + size > this.#bytes.length) {
      if (size >= this.#head) return false;
      this.#wrapEnd = this.#tail;
      this.#tail = 0;
    }
    if (this.#wrapEnd !== 0 && this.#tail + size >= this.#head) return false;
    this.#bytes.set(lines, this.#tail);
    this.#tail += size;
    return true;
  }

  /**
   * Whole lines from the front, in place, of at most `bytesMax` bytes; or one longer line. With
   * `stopAfterBytes` they end with the first line that reaches so many bytes. Valid until
   * `consume`.
   */
  peek(bytesMax: number, stopAfterBytes: number): Uint8Array<ArrayBuffer> {
    const end = this.#wrapEnd === 0 ? this.#tail : this.#wrapEnd;
    const all = this.#bytes.subarray(this.#head, end);
    if (all.length === 0) return all;
    const stop = all.indexOf(LF, Math.max(0, stopAfterBytes - 1)) + 1;
    const wanted = stop === 0 ? all.length : stop;
    if (wanted <= bytesMax) return all.subarray(0, wanted);
    const whole = all.lastIndexOf(LF, bytesMax - 1) + 1;
    return all.subarray(0, whole > 0 ? whole : all.indexOf(LF) + 1);
  }

  /** Forgets the first `count` bytes. */
  consume(count: number): void {
    this.#head += count;
    if (this.#wrapEnd !== 0 && this.#head === this.#wrapEnd) {
      this.#head = 0;
      this.#wrapEnd = 0;
    }
    if (this.#wrapEnd === 0 && this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
    }
  }
}

/** Line ends in `bytes`. */
export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) count += 1;
  return count;
}
