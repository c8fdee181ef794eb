// The bounded index as spec 03 section 9 describes it, slow and literal: a list of buckets, each
// empty, a tombstone or an entry, hashed with bigint arithmetic. It predicts exactly when the probe
// budget runs out.

type Bucket = "empty" | "tombstone" | { readonly key: number; slot: number };

const PROBE_BUDGET = 64;
const U32 = 0xffff_ffffn;

export class ReferenceIndex {
  readonly buckets: Bucket[];
  probeExhausted = 0;

  constructor(capacity: number) {
    const wanted = capacity <= 4096 ? 2 * capacity : 4 * capacity;
    this.buckets = new Array<Bucket>(2 ** Math.ceil(Math.log2(Math.max(2, wanted)))).fill("empty");
  }

  get(key: number): number {
    for (const bucket of this.#path(key)) {
      const found = this.buckets[bucket]!;
      if (found === "empty") return -1;
      if (found !== "tombstone" && found.key === key) return found.slot;
    }
    return -1;
  }

  insert(key: number, slot: number): boolean {
    const path = this.#path(key);
    const end = path.findIndex((bucket) => this.buckets[bucket] === "empty");
    const reachable = end < 0 ? path : path.slice(0, end + 1);
    for (const bucket of reachable) {
      const found = this.buckets[bucket]!;
      if (typeof found === "object" && found.key === key) {
        found.slot = slot;
        return true;
      }
    }
    const free = reachable.find((bucket) => typeof this.buckets[bucket] !== "object");
    if (free === undefined) {
      this.probeExhausted += 1;
      return false;
    }
    this.buckets[free] = { key, slot };
    return true;
  }

  remove(key: number): number {
    const slot = this.get(key);
    if (slot < 0) return -1;
    const holds = (bucket: Bucket) => typeof bucket === "object" && bucket.key === key;
    this.buckets[this.buckets.findIndex(holds)] = "tombstone";
    return slot;
  }

  entries(): [number, number][] {
    const live = this.buckets.filter((bucket) => typeof bucket === "object");
    return live.map((entry) => [entry.key, entry.slot]);
  }

  #path(key: number): number[] {
    const size = this.buckets.length;
    const start = referenceHash(key) % size;
    return Array.from({ length: PROBE_BUDGET }, (_, probe) => (start + probe) % size);
  }
}

export function referenceHash(key: number): number {
  let x = BigInt(key);
  x ^= x >> 16n;
  x = (x * 0x85eb_ca6bn) & U32;
  x ^= x >> 13n;
  x = (x * 0xc2b2_ae35n) & U32;
  x ^= x >> 16n;
  return Number(x);
}

/** `count` keys whose probe path starts in bucket `bucket` of a table of `size` buckets. */
export function collidingKeys(count: number, bucket: number, size: number): number[] {
  const keys: number[] = [];
  for (let key = 2; keys.length < count; key++)
    if (referenceHash(key) % size === bucket) keys.push(key);
  return keys;
}
