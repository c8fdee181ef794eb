// The luck of a simulation: sfc32, seeded through splitmix32, so that neighbouring seeds share
// nothing. Everything random in a run comes from one of these; nothing asks the machine.

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `seed` is an integer in 0..2^53-1. */
  constructor(seed: number) {
    let state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
    const splitmix = () => {
      state = (state + 0x9e37_79b9) >>> 0;
      let x = state;
      x = Math.imul(x ^ (x >>> 16), 0x21f0_aaad);
      x = Math.imul(x ^ (x >>> 15), 0x735a_2d97);
      return (x ^ (x >>> 15)) >>> 0;
    };
    this.#a = splitmix();
    this.#b = splitmix();
    this.#c = splitmix();
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0;
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** An integer in 0..count-1; `count` is at most 2^32. */
  below(count: number): number {
    return Math.floor((this.u32() / 2 ** 32) * count);
  }

  /** An integer in min..max. The distance may exceed 2^32; its lowest bits are then less random. */
  between(min: number, max: number): number {
    return min + Math.floor((this.u32() / 2 ** 32) * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
