// A small seeded generator for tests that need many random numbers fast and the same ones every
// time.

export class Xorshift32 {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A u32, never 0. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** An integer in 0..count-1. */
  below(count: number): number {
    return this.next() % count;
  }
}
