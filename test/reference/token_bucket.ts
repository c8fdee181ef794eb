// The token bucket of spec 04 section 7 in exact arithmetic: integer milli-tokens and a remainder,
// both bigint.

export class ReferenceTokenBucket {
  readonly #rate: bigint;
  readonly #burstMilli: bigint;
  #milli: bigint;
  /** Fraction of a milli-token, in 1e-9. */
  #remainder = 0n;
  #lastNs = 0n;

  constructor(rate: number, burst: number) {
    this.#rate = BigInt(rate);
    this.#burstMilli = BigInt(burst) * 1000n;
    this.#milli = this.#burstMilli;
  }

  /** Whether there is a token besides the `kept` ones. */
  has(nowNs: number, kept = 0): boolean {
    if (this.#rate === 0n || this.#burstMilli === 0n) return true;
    this.#refill(nowNs);
    return this.#milli >= 1000n * BigInt(kept + 1);
  }

  tryTake(nowNs: number, kept = 0): boolean {
    if (this.#rate === 0n || this.#burstMilli === 0n) return true;
    if (!this.has(nowNs, kept)) return false;
    this.#milli -= 1000n;
    return true;
  }

  /** Takes one token if there is one, and what there is if there is none. */
  force(nowNs: number): void {
    if (this.tryTake(nowNs)) return;
    this.#milli = 0n;
    this.#remainder = 0n;
  }

  #refill(nowNs: number): void {
    const now = BigInt(nowNs);
    if (now > this.#lastNs) {
      const gained = (now - this.#lastNs) * this.#rate * 1000n + this.#remainder;
      this.#milli += gained / 1_000_000_000n;
      this.#remainder = gained % 1_000_000_000n;
      this.#lastNs = now;
    }
    if (this.#milli >= this.#burstMilli) {
      this.#milli = this.#burstMilli;
      this.#remainder = 0n;
    }
  }
}
