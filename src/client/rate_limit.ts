// How many beats a client sends in a second. A loop that beats at each turn would be refused by the
// observer anyway, at the cost of a system call here and of a datagram there that takes the place
// of somebody else's.

/** Far above what anybody beats on purpose: the observer takes 100 by default. */
export const BEATS_PER_SECOND_MAX = 5_000;

export class RateLimit {
  readonly #perSecond: number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Takes one beat at `nowMs`, by the monotonic clock; false = this second had its share. */
  tryTake(nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= 1_000) {
      this.#sinceMs = nowMs;
      this.#left = this.#perSecond;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}
