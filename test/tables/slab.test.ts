import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { SLAB_ALREADY_PRESENT, SLAB_FULL, SLAB_INSERTED, Slab } from "../../src/tables/slab.ts";
import { collidingKeys } from "../reference/bounded_index.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(200, 2_000);

describe("Slab", () => {
  test("refuses a known key and a new key when it is full, and says which", () => {
    const slab = new Slab<string>(2);
    expect(slab.tryInsert(10, "a")).toBe(SLAB_INSERTED);
    expect(slab.tryInsert(10, "b")).toBe(SLAB_ALREADY_PRESENT);
    expect(slab.tryInsert(11, "c")).toBe(SLAB_INSERTED);
    expect(slab.tryInsert(10, "d")).toBe(SLAB_ALREADY_PRESENT);
    expect(slab.tryInsert(12, "e")).toBe(SLAB_FULL);
    expect([slab.get(10), slab.get(11), slab.get(12), slab.size]).toEqual(["a", "c", undefined, 2]);
  });

  test("replaces in place with put, also when it is full", () => {
    const slab = new Slab<string>(1);
    expect([slab.put(10, "a"), slab.put(10, "b"), slab.put(11, "c")]).toEqual([true, true, false]);
    expect([slab.get(10), slab.size]).toEqual(["b", 1]);
  });

  test("fills its slots from the first, and reuses the one freed last", () => {
    const slab = new Slab<string>(3);
    for (const [key, value] of [
      [10, "a"],
      [11, "b"],
      [12, "c"],
    ] as const)
      slab.put(key, value);
    slab.remove(10);
    slab.remove(12);
    slab.put(13, "d");
    slab.put(14, "e");
    expect([...slab.entries()].map(([key]) => key).sort()).toEqual([11, 13, 14]);
  });

  test("is unchanged, and counts, when its index runs out of probes", () => {
    const slab = new Slab<number>(128);
    const keys = collidingKeys(65, 9, 256);
    for (const key of keys.slice(0, 64)) slab.put(key, key);
    expect(slab.tryInsert(keys[64]!, 1)).toBe(SLAB_FULL);
    expect([slab.size, slab.get(keys[64]!), slab.probeExhausted]).toEqual([64, undefined, 1]);
    expect(slab.remove(keys[0]!)).toBe(keys[0]!);
    expect(slab.tryInsert(keys[64]!, 1)).toBe(SLAB_INSERTED);
  });

  test("keeps its values in one of another size, which has room for all of them at least", () => {
    const slab = new Slab<string>(3);
    for (const [key, value] of [
      [10, "a"],
      [11, "b"],
      [12, "c"],
    ] as const)
      slab.put(key, value);
    slab.remove(11);
    const small = slab.resized(1);
    expect([...small.entries()].sort()).toEqual([
      [10, "a"],
      [12, "c"],
    ]);
    expect([small.capacity, small.tryInsert(13, "d")]).toEqual([2, SLAB_FULL]);
    const large = small.resized(5_000);
    expect([large.get(12), large.tryInsert(13, "d"), large.size]).toEqual(["c", SLAB_INSERTED, 3]);
  });

  test("agrees with a Map of bounded size", () => {
    const operation = fc.record({
      kind: fc.constantFrom("tryInsert", "put", "remove", "get"),
      key: fc.nat(12),
      value: fc.nat(),
    });
    fc.assert(
      fc.property(fc.nat(6), fc.array(operation, { maxLength: 120 }), (capacity, operations) => {
        const slab = new Slab<number>(capacity);
        const map = new Map<number, number>();
        for (const { kind, key, value } of operations) {
          const room = map.has(key) || map.size < capacity;
          if (kind === "put") {
            expect(slab.put(key, value)).toBe(room);
            if (room) map.set(key, value);
          } else if (kind === "tryInsert") {
            const wanted = map.has(key) ? SLAB_ALREADY_PRESENT : room ? SLAB_INSERTED : SLAB_FULL;
            expect(slab.tryInsert(key, value)).toBe(wanted);
            if (wanted === SLAB_INSERTED) map.set(key, value);
          } else if (kind === "remove") {
            expect(slab.remove(key)).toBe(map.get(key));
            map.delete(key);
          }
          expect([slab.get(key), slab.has(key), slab.size]).toEqual([
            map.get(key),
            map.has(key),
            map.size,
          ]);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
