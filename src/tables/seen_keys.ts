// Which u32 keys a walk has met: one typed array, made once. A Set that grows to 100,000 keys is
// copied on its way, 4 ms at a time in which no beat is taken, and leaves megabytes of garbage.
import { assert } from "../base/assert.ts";
import { hashU32 } from "./bounded_index.ts";

/** A hostile choice of keys costs no more; at half load the longest run ever seen is 45. */
const PROBES_MAX = 128;

const EMPTY = 0;

export class SeenKeys {
  readonly #keys: Uint32Array;
  readonly #mask: number;
  /** The key that stands for an empty place. */
  #hasEmpty = false;

  /** At most `countMax` keys are met. */
  constructor(countMax: number) {
    assert(Number.isInteger(countMax) && countMax >= 0, "a count of keys is a whole number");
    let size = 2;
    while (size < 2 * countMax) size *= 2;
    this.#keys = new Uint32Array(size);
    this.#mask = size - 1;
  }

  /** True if it was not met before; or if it found no place, and is not known to have been. */
  add(key: number): boolean {
    if (key === EMPTY) {
      const isNew = !this.#hasEmpty;
      this.#hasEmpty = true;
      return isNew;
    }
    const keys = this.#keys;
    const mask = this.#mask;
    let place = hashU32(key) & mask;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const found = keys[place]!;
      if (found === key) return false;
      if (found === EMPTY) {
        keys[place] = key;
        return true;
      }
      place = (place + 1) & mask;
    }
    return true;
  }
}
