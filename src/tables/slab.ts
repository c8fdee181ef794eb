// A fixed table of values by u32 key: a preallocated slab, a last-in first-out list of its free
// slots, and a bounded index (spec 03 section 10, "Common shape"). It grows only on demand; a full
// table refuses. The index entry is reserved before the value is written, so a refusal changes
// nothing.
import { BoundedIndex } from "./bounded_index.ts";

export const SLAB_INSERTED = 0;
export const SLAB_ALREADY_PRESENT = 1;
/** No free slot, or the probe budget of the index ran out. */
export const SLAB_FULL = 2;

export class Slab<V extends NonNullable<unknown>> {
  readonly capacity: number;
  readonly #index: BoundedIndex;
  readonly #values: (V | undefined)[];
  readonly #free: Uint32Array;
  #freeCount = 0;
  /** Of the slab that this one took the place of. */
  #exhaustedBefore = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#index = new BoundedIndex(capacity);
    this.#values = new Array<V | undefined>(capacity).fill(undefined);
    this.#free = new Uint32Array(capacity);
    this.#freeAll();
  }

  get size(): number {
    return this.capacity - this.#freeCount;
  }

  get(key: number): V | undefined {
    const slot = this.#index.get(key);
    return slot < 0 ? undefined : this.#values[slot];
  }

  has(key: number): boolean {
    return this.#index.get(key) >= 0;
  }

  /** Stores `value` for a new key: SLAB_INSERTED, SLAB_ALREADY_PRESENT or SLAB_FULL. */
  tryInsert(key: number, value: V): number {
    if (this.#index.get(key) >= 0) return SLAB_ALREADY_PRESENT;
    if (this.#freeCount === 0) return SLAB_FULL;
    const slot = this.#free[this.#freeCount - 1]!;
    if (!this.#index.insert(key, slot)) return SLAB_FULL;
    this.#freeCount -= 1;
    this.#values[slot] = value;
    return SLAB_INSERTED;
  }

  /** Stores `value`, replacing an older value of the key in place. False if the table is full. */
  put(key: number, value: V): boolean {
    const slot = this.#index.get(key);
    if (slot < 0) return this.tryInsert(key, value) === SLAB_INSERTED;
    this.#values[slot] = value;
    return true;
  }

  /** Removes `key` and returns its value, or undefined if it was absent. */
  remove(key: number): V | undefined {
    const slot = this.#index.remove(key);
    if (slot < 0) return undefined;
    const value = this.#values[slot];
    this.#values[slot] = undefined;
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
    return value;
  }

  /** Every (key, value), in the order of the index. Cold side: it allocates. */
  *entries(): IterableIterator<[key: number, value: V]> {
    for (const [key, slot] of this.#index.entries()) yield [key, this.#values[slot]!];
  }

  /** The same entries in a slab for `capacity` of them, or for as many as there are. */
  resized(capacity: number): Slab<V> {
    const other = new Slab<V>(Math.max(capacity, this.size));
    other.#exhaustedBefore = this.probeExhausted;
    for (const [key, value] of this.entries())
      if (other.tryInsert(key, value) !== SLAB_INSERTED) return this;
    return other;
  }

  /** Inserts refused by the index. */
  get probeExhausted(): number {
    return this.#exhaustedBefore + this.#index.probeExhausted;
  }

  /** Filled backwards, so that the first insert lands in slot 0. */
  #freeAll(): void {
    for (let i = 0; i < this.capacity; i++) this.#free[i] = this.capacity - 1 - i;
    this.#freeCount = this.capacity;
  }
}
