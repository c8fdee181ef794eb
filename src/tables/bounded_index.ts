// A fixed map from u32 keys to slot numbers: open addressing with linear probing in two typed
// arrays, never grown in place, never re-hashed, deterministic (spec 03 section 9). Every
// operation reads no more than 64 buckets, so a hostile choice of keys costs a refusal and never
// time. Removal leaves a tombstone, which a later insert takes over.
import { assert } from "../base/assert.ts";
import { TRACKER_CAPACITY_MAX } from "../base/limits.ts";
import { saturatingAdd } from "../base/saturating.ts";

/** Probe budget of every index operation; at a quarter load the longest run ever seen is 17. */
const PROBES_MAX = 64;

/** Values of `slots` that are no slot. */
const EMPTY = 0xffff_ffff;
const TOMBSTONE = 0xffff_fffe;

/**
 * Above this capacity a half-full table does exhaust its probes under churn, so it gets twice the
 * room.
 */
const CAPACITY_AT_HALF_LOAD_MAX = 4_096;

export class BoundedIndex {
  readonly bucketCount: number;
  readonly #keys: Uint32Array;
  readonly #slots: Uint32Array;
  readonly #mask: number;
  #occupied = 0;
  /** Refused inserts. */
  probeExhausted = 0;

  constructor(capacity: number) {
    this.bucketCount = bucketCountFor(capacity);
    this.#keys = new Uint32Array(this.bucketCount);
    this.#slots = new Uint32Array(this.bucketCount).fill(EMPTY);
    this.#mask = this.bucketCount - 1;
  }

  /** Live entries; tombstones do not count. */
  get occupied(): number {
    return this.#occupied;
  }

  /** The slot of `key`, or -1. */
  get(key: number): number {
    const bucket = this.#find(key);
    return bucket < 0 ? -1 : this.#slots[bucket]!;
  }

  /**
   * The slots of the first `count` of `keys`, or -1, into `found`: one loop, in which nothing is
   * looked up twice.
   */
  getMany(keys: Uint32Array, count: number, found: Int32Array): void {
    const bucketKeys = this.#keys;
    const bucketSlots = this.#slots;
    const mask = this.#mask;
    for (let i = 0; i < count; i++) {
      const key = keys[i]!;
      const bucket = hashU32(key) & mask;
      // Most keys sit in the first bucket that is searched.
      const slot = bucketSlots[bucket]!;
      if (bucketKeys[bucket]! === key && slot < TOMBSTONE) found[i] = slot;
      else found[i] = slot === EMPTY ? -1 : this.get(key);
    }
  }

  /**
   * Maps `key` to `slot`, replacing an older slot. False if the probe budget ran out: the table is
   * unchanged.
   */
  insert(key: number, slot: number): boolean {
    const keys = this.#keys;
    const slots = this.#slots;
    const mask = this.#mask;
    let bucket = hashU32(key) & mask;
    let free = -1;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const found = slots[bucket]!;
      if (found === EMPTY) {
        if (free < 0) free = bucket;
        break;
      }
      if (found === TOMBSTONE) {
        if (free < 0) free = bucket;
      } else if (keys[bucket]! === key) {
        slots[bucket] = slot;
        return true;
      }
      bucket = (bucket + 1) & mask;
    }
    // A tombstone is taken even when no empty bucket was met: otherwise churn would wedge the table
    // for ever.
    if (free < 0) {
      this.probeExhausted = saturatingAdd(this.probeExhausted, 1);
      return false;
    }
    keys[free] = key;
    slots[free] = slot;
    this.#occupied += 1;
    return true;
  }

  /** As `insert` of a key that is not there; false, and nothing changed, if it is. */
  insertNew(key: number, slot: number): boolean {
    const bucket = hashU32(key) & this.#mask;
    // Most keys find their first bucket free, where nothing with this key can be behind it.
    if (this.#slots[bucket] !== EMPTY) return this.#find(key) < 0 && this.insert(key, slot);
    this.#keys[bucket] = key;
    this.#slots[bucket] = slot;
    this.#occupied += 1;
    return true;
  }

  /** Removes `key` and returns its slot, or -1 if it was absent. */
  remove(key: number): number {
    const bucket = this.#find(key);
    if (bucket < 0) return -1;
    const slot = this.#slots[bucket]!;
    this.#slots[bucket] = TOMBSTONE;
    this.#occupied -= 1;
    return slot;
  }

  /**
   * The same entries in an index for `capacity` of them: this one if that is of the same size, or
   * if a key finds no bucket in the other.
   */
  resized(capacity: number): BoundedIndex {
    if (bucketCountFor(capacity) === this.bucketCount) return this;
    const other = new BoundedIndex(capacity);
    other.probeExhausted = this.probeExhausted;
    for (let bucket = 0; bucket < this.bucketCount; bucket++) {
      const slot = this.#slots[bucket]!;
      if (slot !== EMPTY && slot !== TOMBSTONE && !other.insert(this.#keys[bucket]!, slot))
        return this;
    }
    return other;
  }

  /** Every (key, slot) in table order. Cold side: it allocates. */
  *entries(): IterableIterator<[key: number, slot: number]> {
    for (let bucket = 0; bucket < this.bucketCount; bucket++) {
      const slot = this.#slots[bucket]!;
      if (slot !== EMPTY && slot !== TOMBSTONE) yield [this.#keys[bucket]!, slot];
    }
  }

  #find(key: number): number {
    const keys = this.#keys;
    const slots = this.#slots;
    const mask = this.#mask;
    let bucket = hashU32(key) & mask;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const found = slots[bucket]!;
      if (found === EMPTY) return -1;
      if (found !== TOMBSTONE && keys[bucket]! === key) return bucket;
      bucket = (bucket + 1) & mask;
    }
    return -1;
  }
}

/**
 * The Murmur3 finaliser: every input bit reaches every output bit, so neighbouring pids scatter.
 */
export function hashU32(key: number): number {
  let x = key;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function bucketCountFor(capacity: number): number {
  assert(Number.isInteger(capacity), "an index capacity is an integer");
  assert(capacity >= 0 && capacity <= TRACKER_CAPACITY_MAX, "an index capacity is in 0..2^20");
  const factor = capacity <= CAPACITY_AT_HALF_LOAD_MAX ? 2 : 4;
  const wanted = Math.max(2, capacity * factor);
  let bucketCount = 2;
  while (bucketCount < wanted) bucketCount *= 2;
  return bucketCount;
}
