// A token bucket that is exact over any run (spec 04 section 7): its level is held in
// token-nanoseconds, so a refill is an integer product and no fraction is ever lost. A rate or
// burst of 0 switches it off. It never allocates.
import { assert } from "../base/assert.ts";
import { GLOBAL_BURST_MAX } from "../base/limits.ts";
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_S } from "../base/time.ts";

/** One token, in the unit of the level. */
const TOKEN = NS_PER_S;

export class TokenBucket {
  readonly ratePerSecond: number;
  readonly #levelMax: number;
  #level: number;
  #lastNs = 0;

  /** `ratePerSecond` and `burst` are integers >= 0. It starts full. */
  constructor(ratePerSecond: number, burst: number) {
    assert(Number.isInteger(ratePerSecond) && ratePerSecond >= 0, "a rate is an integer >= 0");
    assert(Number.isInteger(burst) && burst >= 0, "a burst is an integer >= 0");
    assert(burst <= GLOBAL_BURST_MAX, "a burst must stay exact in token-nanoseconds");
    this.ratePerSecond = ratePerSecond;
    this.#levelMax = burst * TOKEN;
    this.#level = this.#levelMax;
  }

  get enabled(): boolean {
    return this.ratePerSecond > 0 && this.#levelMax > 0;
  }

  /** Whole tokens that the bucket held after its last use. */
  get tokens(): number {
    return Math.floor(this.#level / TOKEN);
  }

  /** Whole tokens that may be spent at `nowNs`; +Infinity if it is switched off. */
  available(nowNs: number): number {
    if (!this.enabled) return Number.POSITIVE_INFINITY;
    this.#refill(nowNs);
    return this.tokens;
  }

  /** Takes `count` tokens; not more than `available` gave for the same time. */
  spend(count: number): void {
    if (!this.enabled) return;
    assert(count * TOKEN <= this.#level, "only available tokens are spent");
    this.#level -= count * TOKEN;
  }

  /**
   * Takes one token if there is one at `nowNs` besides the `kept` ones. A refused call costs
   * nothing and still banks the refill.
   */
  tryTake(nowNs: number, kept = 0): boolean {
    if (!this.enabled) return true;
    this.#refill(nowNs);
    if (this.#level < TOKEN * (kept + 1)) return false;
    this.#level -= TOKEN;
    return true;
  }

  #refill(nowNs: number): void {
    const elapsedNs = saturatingSub(nowNs, this.#lastNs);
    if (elapsedNs === 0) return;
    const refill = elapsedNs * this.ratePerSecond;
    // Compared before it is added: a product beyond 2^53 is rounded, but then the bucket is full
    // anyway.
    if (refill >= this.#levelMax - this.#level) this.#level = this.#levelMax;
    else this.#level += refill;
    this.#lastNs = nowNs;
  }
}
