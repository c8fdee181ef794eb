// The sequence of one process towards one observer: the next nonce and the last timestamp (spec 01
// sections 1 and 8). Nonces start at 1, wrap from 2^64-2 to 0 and are never all-ones, which marks a
// crash beat. Timestamps never decrease and are never all-ones. 64-bit values are (hi, lo) pairs:
// nothing here allocates.
import { U32_MAX, u64Greater } from "../base/u64.ts";
import { processWide } from "./process_wide.ts";

export class BeatStream {
  /** The process that the nonces belong to; 0 = none yet. */
  pid = 0;
  nonceHi: number;
  nonceLo: number;
  timestampHi = 0;
  timestampLo = 0;

  /**
   * `nonceHi` and `nonceLo` are the first nonce of the first process; tests start close to the
   * wrap.
   */
  constructor(nonceHi = 0, nonceLo = 1) {
    this.nonceHi = nonceHi;
    this.nonceLo = nonceLo;
  }

  /** Begins again at nonce 1 if `pid` is another process than before (a forked child). */
  enter(pid: number): void {
    if (this.pid === pid) return;
    if (this.pid !== 0) {
      this.nonceHi = 0;
      this.nonceLo = 1;
    }
    this.pid = pid;
  }

  /** The nonce was used up by a datagram that the kernel took. */
  advance(): void {
    const lo = (this.nonceLo + 1) >>> 0;
    const hi = lo === 0 ? (this.nonceHi + 1) >>> 0 : this.nonceHi;
    const terminal = hi === U32_MAX && lo === U32_MAX;
    this.nonceHi = terminal ? 0 : hi;
    this.nonceLo = terminal ? 0 : lo;
  }

  /** Moves the timestamp to a clock reading, unless that would be a step back. */
  stamp(seconds: number, nanoseconds: number): void {
    // seconds x 10^9 exceeds 2^53 after 104 days: two 16-bit steps keep every product exact.
    const high = Math.floor(seconds / 0x1_0000) * 1_000_000_000;
    const low = (high % 0x1_0000) * 0x1_0000 + (seconds % 0x1_0000) * 1_000_000_000 + nanoseconds;
    const hi = Math.floor(high / 0x1_0000) + Math.floor(low / 0x1_0000_0000);
    this.#advanceTo(hi, low % 0x1_0000_0000);
  }

  /**
   * Moves the timestamp one nanosecond on, so that it is greater than that of every beat before.
   */
  stampAfter(): void {
    const lo = (this.timestampLo + 1) >>> 0;
    this.#advanceTo(lo === 0 ? this.timestampHi + 1 : this.timestampHi, lo);
  }

  #advanceTo(hi: number, lo: number): void {
    if (!u64Greater(hi, lo, this.timestampHi, this.timestampLo)) return;
    const reserved = hi > U32_MAX || (hi === U32_MAX && lo === U32_MAX);
    this.timestampHi = reserved ? U32_MAX : hi;
    this.timestampLo = reserved ? U32_MAX - 1 : lo;
  }
}

/**
 * The stream of this process towards `endpoint`: a client that is closed and opened again goes on
 * where it was.
 */
export function beatStreamFor(endpoint: string): BeatStream {
  const streams = processWide("streams", () => new Map<string, BeatStream>());
  let stream = streams.get(endpoint);
  if (stream === undefined) {
    stream = new BeatStream();
    streams.set(endpoint, stream);
  }
  return stream;
}
