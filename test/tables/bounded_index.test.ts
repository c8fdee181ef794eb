import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { BoundedIndex, hashU32 } from "../../src/tables/bounded_index.ts";
import { collidingKeys, ReferenceIndex, referenceHash } from "../reference/bounded_index.ts";
import { Xorshift32 } from "../reference/xorshift.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(60, 600);

describe("hashU32()", () => {
  test("gives the published values of the finaliser", () => {
    const keys = [0, 1, 2, 42, 0xdead_beef, 0xffff_ffff];
    expect(keys.map((key) => hashU32(key).toString(16).padStart(8, "0"))).toEqual([
      "00000000",
      "514e28b7",
      "30f4c306",
      "087fcd5c",
      "0de5c6a9",
      "81f16f39",
    ]);
  });

  test("equals bigint arithmetic on every kind of u32", () => {
    const random = new Xorshift32(0x4a54);
    for (let run = 0; run < 10_000; run++) {
      const key = random.next() >>> random.below(32);
      expect(hashU32(key)).toBe(referenceHash(key));
    }
  });
});

describe("BoundedIndex", () => {
  test("keeps the slot of a key that is there from a key that must be new", () => {
    const index = new BoundedIndex(4);
    expect([index.insertNew(7, 1), index.insertNew(7, 2), index.insertNew(8, 3)]).toEqual([
      ...[true, false, true],
    ]);
    expect([index.get(7), index.get(8), index.occupied]).toEqual([1, 3, 2]);
  });

  test("has twice its capacity in buckets up to 4096 and four times above", () => {
    const capacities = [0, 1, 2, 3, 4, 256, 4_096, 4_097, 8_192, 1_048_576];
    expect(capacities.map((capacity) => new BoundedIndex(capacity).bucketCount)).toEqual([
      2, 2, 4, 8, 8, 512, 8_192, 32_768, 32_768, 4_194_304,
    ]);
  });

  test("replaces the slot of a key that is already there", () => {
    const index = new BoundedIndex(4);
    expect(index.insert(7, 0)).toBe(true);
    expect(index.insert(7, 3)).toBe(true);
    expect([index.get(7), index.occupied]).toEqual([3, 1]);
  });

  test("keeps the largest key and slot 0 apart from its sentinels", () => {
    const index = new BoundedIndex(4);
    index.insert(0xffff_ffff, 0);
    index.insert(0, 1);
    expect([index.get(0xffff_ffff), index.get(0), index.get(0xffff_fffe)]).toEqual([0, 1, -1]);
  });

  test("finds a key after a tombstone and does not store it twice", () => {
    const [first, second] = collidingKeys(2, 3, 8) as [number, number];
    const index = new BoundedIndex(4);
    index.insert(first, 0);
    index.insert(second, 1);
    expect(index.remove(first)).toBe(0);
    expect(index.insert(second, 2)).toBe(true);
    expect([index.get(second), index.occupied]).toEqual([2, 1]);
    expect(index.remove(second)).toBe(2);
    expect([index.get(second), index.remove(second)]).toEqual([-1, -1]);
  });

  test("refuses a key, counts it and changes nothing when all 8 buckets of capacity 4 are live", () => {
    const index = new BoundedIndex(4);
    for (let key = 10; key < 18; key++) expect(index.insert(key, key)).toBe(true);
    const before = [...index.entries()];
    expect(index.insert(99, 99)).toBe(false);
    expect([...index.entries()]).toEqual(before);
    expect(index.get(99)).toBe(-1);
    expect(index.probeExhausted).toBe(1);
  });

  test("takes a tombstone over when no bucket was ever left empty", () => {
    const index = new BoundedIndex(4);
    for (let key = 10; key < 18; key++) index.insert(key, key);
    index.remove(13);
    expect(index.insert(99, 5)).toBe(true);
    expect([index.get(99), index.occupied, index.probeExhausted]).toEqual([5, 8, 0]);
  });

  test("gives up after exactly 64 probes, although free buckets follow", () => {
    const index = new BoundedIndex(128);
    const keys = collidingKeys(65, 17, index.bucketCount);
    for (const key of keys.slice(0, 64)) expect(index.insert(key, 1)).toBe(true);
    expect(index.insert(keys[64]!, 1)).toBe(false);
    expect(index.get(keys[63]!)).toBe(1);
    expect(index.probeExhausted).toBe(1);
    // A look-up that runs out of budget is an absence, not a refusal.
    expect([index.get(keys[64]!), index.remove(keys[64]!), index.probeExhausted]).toEqual([
      -1, -1, 1,
    ]);
  });

  test("has the same entries for another capacity, without tombstones, and goes on counting", () => {
    const small = new BoundedIndex(4);
    for (let key = 1; key <= 8; key++) small.insert(key, key * 10);
    expect(small.insert(9, 90)).toBe(false);
    small.remove(3);
    const large = small.resized(5_000);
    expect(large.bucketCount).toBe(32_768);
    expect(new Map(large.entries())).toEqual(new Map(small.entries()));
    expect([large.occupied, large.probeExhausted, large.get(3)]).toEqual([7, 1, -1]);
    expect(large.resized(5_001)).toBe(large);
  });

  test("stays as it is if the keys have no room in a smaller one", () => {
    const index = new BoundedIndex(64);
    for (let key = 1; key <= 9; key++) index.insert(key, key);
    expect(index.resized(4)).toBe(index);
    expect(index.probeExhausted).toBe(0);
  });

  test("admits 50,000 keys one after another through a full table", () => {
    const index = new BoundedIndex(64);
    const live: number[] = [];
    for (let key = 2; key < 50_002; key++) {
      if (live.length === 64) {
        const oldest = live.shift()!;
        expect(index.remove(oldest)).toBe(oldest & 63);
      }
      if (!index.insert(key, key & 63)) throw new Error(`key ${key} was refused`);
      live.push(key);
      if (index.occupied !== live.length) throw new Error(`occupied ${index.occupied}`);
    }
    for (const key of live) expect(index.get(key)).toBe(key & 63);
    expect(index.probeExhausted).toBe(0);
  });

  test("agrees with a literal model and with a Map, probe exhaustion included", () => {
    // Few keys and many collisions: 64 keys that start in one bucket stand beside ordinary ones.
    const crowd = collidingKeys(90, 5, 256);
    const key = fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...crowd) },
      { weight: 1, arbitrary: fc.integer({ min: 2, max: 40 }) },
      { weight: 1, arbitrary: fc.constantFrom(0, 0xffff_ffff) },
    );
    const operation = fc.record({
      kind: fc.constantFrom("insert", "insert", "insert", "remove", "get"),
      key,
      slot: fc.nat(127),
    });
    const capacity = fc.constantFrom(0, 1, 4, 100, 128);
    const script = fc.array(operation, { maxLength: 400, size: "max" });
    let refusalsAfter64Probes = 0;
    fc.assert(
      fc.property(capacity, script, (capacity, operations) => {
        const index = new BoundedIndex(capacity);
        const model = new ReferenceIndex(capacity);
        const map = new Map<number, number>();
        for (const { kind, key, slot } of operations) {
          if (kind === "insert") {
            const accepted = index.insert(key, slot);
            expect(accepted).toBe(model.insert(key, slot));
            if (accepted) map.set(key, slot);
            else if (capacity >= 100) refusalsAfter64Probes += 1;
          } else if (kind === "remove") {
            const removed = index.remove(key);
            expect(removed).toBe(model.remove(key));
            expect(removed).toBe(map.get(key) ?? -1);
            map.delete(key);
          } else expect(index.get(key)).toBe(model.get(key));
          expect(index.get(key)).toBe(map.get(key) ?? -1);
          expect(index.occupied).toBe(map.size);
        }
        expect([...index.entries()]).toEqual(model.entries());
        const keys = Uint32Array.of(...crowd, 0, 2, 3, 4, 0xffff_ffff);
        const found = new Int32Array(keys.length);
        index.getMany(keys, keys.length, found);
        expect([...found]).toEqual([...keys].map((one) => map.get(one) ?? -1));
      }),
      { numRuns: RUNS },
    );
    expect(refusalsAfter64Probes).toBeGreaterThan(0);
  });
});
