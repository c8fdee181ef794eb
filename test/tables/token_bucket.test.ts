import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { TokenBucket } from "../../src/tables/token_bucket.ts";
import { ReferenceTokenBucket } from "../reference/token_bucket.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(100, 2_000);

describe("TokenBucket", () => {
  test("refills one token per period, at the exact nanosecond", () => {
    const bucket = new TokenBucket(100, 1);
    expect([0, 9_999_999, 10_000_000].map((now) => bucket.tryTake(now))).toEqual([
      true,
      false,
      true,
    ]);
  });

  test("keeps the fraction of a rate that does not divide a second", () => {
    const bucket = new TokenBucket(3, 2);
    const times = [0, 0, 0, 333_333_333, 333_333_334, 666_666_667];
    expect(times.map((now) => bucket.tryTake(now))).toEqual([true, true, false, false, true, true]);
  });

  for (const [rate, burst, denied, allowed] of [
    [5_000, 10_000, undefined, 200_000],
    [50_000, 100_000, 19_999, 20_000],
  ] as const)
    test(`allows exactly the burst of ${burst} at once, then ${rate} per second`, () => {
      const bucket = new TokenBucket(rate, burst);
      let count = 0;
      for (let i = 0; i < burst * 1.2; i++) if (bucket.tryTake(0)) count += 1;
      expect(count).toBe(burst);
      if (denied !== undefined) expect(bucket.tryTake(denied)).toBe(false);
      expect(bucket.tryTake(allowed)).toBe(true);
      expect(bucket.tryTake(allowed + 1)).toBe(false);
    });

  test("is off without a rate or without a burst", () => {
    for (const bucket of [new TokenBucket(0, 5), new TokenBucket(5, 0)]) {
      expect(bucket.enabled).toBe(false);
      for (let i = 0; i < 20; i++) expect(bucket.tryTake(0)).toBe(true);
    }
  });

  test("neither gains nor loses when time runs backwards", () => {
    const bucket = new TokenBucket(1, 1);
    expect(bucket.tryTake(5e9)).toBe(true);
    expect(bucket.tryTake(1e9)).toBe(false);
    expect(bucket.tryTake(5e9 + 999_999_999)).toBe(false);
    expect(bucket.tryTake(6e9)).toBe(true);
  });

  test("is full, not overfull, after the longest pause at the highest rate", () => {
    const bucket = new TokenBucket(4_294_967_295, 9_000_000);
    bucket.tryTake(0);
    bucket.tryTake(Number.MAX_SAFE_INTEGER);
    expect(bucket.tokens).toBe(8_999_999);
  });

  test("refuses sizes that it could not count exactly", () => {
    expect(() => new TokenBucket(1, 9_000_001)).toThrow("exact");
    expect(() => new TokenBucket(0.5, 1)).toThrow("integer");
  });

  test("agrees with exact arithmetic over any run", () => {
    const rate = fc.oneof(
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 4_294_967_295 }),
    );
    const burst = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 9_000_000 }));
    const step = fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 400_000_000 }),
      fc.integer({ min: 1, max: 1e12 }),
      fc.integer({ min: -5_000, max: -1 }),
    );
    let denied = 0;
    fc.assert(
      fc.property(
        rate,
        burst,
        fc.array(step, { maxLength: 120, size: "max" }),
        (rate, burst, steps) => {
          const bucket = new TokenBucket(rate, burst);
          const exact = new ReferenceTokenBucket(rate, burst);
          let now = 0;
          for (const step of steps) {
            now = Math.max(0, now + step);
            const kept = step % 3 === 0 ? Math.floor(burst / 4) : 0;
            const taken = bucket.tryTake(now, kept);
            if (!taken) denied += 1;
            expect(taken).toBe(exact.tryTake(now, kept));
          }
        },
      ),
      { numRuns: RUNS },
    );
    expect(denied).toBeGreaterThan(0);
  });

  test("spends what is available in one go as single takes would", () => {
    const step = fc.record({
      advanceNs: fc.integer({ min: 0, max: 2_000_000_000 }),
      wanted: fc.nat(6),
    });
    fc.assert(
      fc.property(fc.nat(5), fc.nat(8), fc.array(step), (rate, burst, steps) => {
        const bucket = new TokenBucket(rate, burst);
        const single = new TokenBucket(rate, burst);
        let now = 0;
        for (const { advanceNs, wanted } of steps) {
          now += advanceNs;
          const spent = Math.min(wanted, bucket.available(now));
          bucket.spend(spent);
          let taken = 0;
          while (taken < wanted && single.tryTake(now)) taken += 1;
          expect(spent).toBe(taken);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("does not spend more than is available", () => {
    const bucket = new TokenBucket(1, 3);
    expect(bucket.available(0)).toBe(3);
    expect(() => bucket.spend(4)).toThrow("available");
  });
});
