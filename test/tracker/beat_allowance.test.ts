// The debt of a slot against a token bucket in exact arithmetic, over any run of beats.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { BeatAllowance } from "../../src/tracker/beat_allowance.ts";
import { ReferenceTokenBucket } from "../reference/token_bucket.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(80, 1_000);

/** One slot: its debt and its last accepted beat, as the observer keeps them. */
class Member {
  readonly #allowance: BeatAllowance;
  #debt: number;
  #lastNs: number;

  constructor(rate: number, nowNs: number) {
    this.#allowance = new BeatAllowance(rate);
    this.#debt = this.#allowance.beatCost;
    this.#lastNs = nowNs;
  }

  /** `isForced`: the beat is taken although it comes too early. */
  beat(nowNs: number, isForced: boolean): boolean {
    const { debtMax } = this.#allowance;
    const debt = this.#allowance.debtAfter(this.#debt, nowNs - this.#lastNs);
    if (debt > debtMax && !isForced) return false;
    this.#debt = Math.min(debt, debtMax);
    this.#lastNs = nowNs;
    return true;
  }
}

describe("BeatAllowance", () => {
  test("agrees with exact arithmetic over any run", () => {
    const rate = fc.oneof(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 4_294_967_295 }),
    );
    const step = fc.record({
      laterNs: fc.oneof(
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 1_000 }) },
        { weight: 2, arbitrary: fc.integer({ min: 1, max: 400_000_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 1e13 }) },
      ),
      isForced: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    });
    const seen = { refused: 0, forced: 0 };
    fc.assert(
      fc.property(rate, fc.array(step, { maxLength: 200, size: "max" }), (rate, steps) => {
        let nowNs = 1e9;
        const member = new Member(rate, nowNs);
        const exact = new ReferenceTokenBucket(rate, Math.min(Math.max(rate, 8), 9_000_000));
        exact.tryTake(nowNs);
        for (const { laterNs, isForced } of steps) {
          nowNs += laterNs;
          const isTooEarly = !exact.has(nowNs);
          expect(member.beat(nowNs, isForced)).toBe(!isTooEarly || isForced);
          if (isForced) exact.force(nowNs);
          else exact.tryTake(nowNs);
          if (isTooEarly) seen[isForced ? "forced" : "refused"] += 1;
        }
      }),
      { numRuns: RUNS },
    );
    expect(seen.refused).toBeGreaterThan(0);
    expect(seen.forced).toBeGreaterThan(0);
  });

  test("neither limits nor counts anything at rate 0", () => {
    const { beatCost, debtMax } = new BeatAllowance(0);
    expect([beatCost, debtMax]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  test("is full, not overfull, after the longest pause at the highest rate", () => {
    const allowance = new BeatAllowance(4_294_967_295);
    expect(allowance.debtAfter(allowance.debtMax, Number.MAX_SAFE_INTEGER)).toBe(1e9);
  });

  test("refuses a rate that it could not count exactly", () => {
    expect(() => new BeatAllowance(0.5)).toThrow("integer");
  });
});
