// IV prefixes that were in use before, in a fixed set: eight places for each hash, of which the
// oldest is given up. A prefix is random and no two sessions have the same, so these tell a
// recording from a sender that is not known yet.
import { RETIRED_PREFIXES_MAX } from "../base/limits.ts";

const WAYS = 8;
const SETS = RETIRED_PREFIXES_MAX / WAYS;

export class RetiredPrefixes {
  readonly #low = new Uint32Array(RETIRED_PREFIXES_MAX);
  readonly #high = new Uint32Array(RETIRED_PREFIXES_MAX);
  /** The place of each set that is taken next. */
  readonly #next = new Uint8Array(SETS);

  /** The all-zero prefix is what an empty place holds, and is never remembered. */
  add(low: number, high: number): void {
    if ((low | high) === 0 || this.has(low, high)) return;
    const set = prefixHash(low, high) & (SETS - 1);
    const at = set * WAYS + this.#next[set]!;
    this.#low[at] = low;
    this.#high[at] = high;
    this.#next[set] = (this.#next[set]! + 1) % WAYS;
  }

  /** All that are remembered, in an order in which they can be added again. */
  *all(): Iterable<readonly [low: number, high: number]> {
    for (let set = 0; set < SETS; set++)
      for (let way = 0; way < WAYS; way++) {
        const at = set * WAYS + ((this.#next[set]! + way) % WAYS);
        const low = this.#low[at]!;
        const high = this.#high[at]!;
        if ((low | high) !== 0) yield [low, high];
      }
  }

  has(low: number, high: number): boolean {
    if ((low | high) === 0) return false;
    const first = (prefixHash(low, high) & (SETS - 1)) * WAYS;
    for (let at = first; at < first + WAYS; at++)
      if (this.#low[at] === low && this.#high[at] === high) return true;
    return false;
  }
}

/** Prefixes should be random, but nothing forces a client to choose them so. */
export function prefixHash(low: number, high: number): number {
  let hash =
    Math.imul(low ^ (high >>> 15), 0x9e3779b1) ^ Math.imul(high ^ (low >>> 13), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) >>> 0;
}
