// What becomes of what a member asks for (spec 15 section 8.1, spec 20 section 4).
import { describe, expect, test } from "bun:test";
import {
  type AskedBounds,
  EXTEND_NS_MAX,
  extendedDeadlineNs,
  thresholdOfInterval,
  thresholdOfUsec,
} from "../../src/agents/asked_terms.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";

const bounds = (min: number, max: number): AskedBounds => ({
  thresholdMinNs: min * NS_PER_S,
  thresholdMaxNs: max * NS_PER_S,
});

describe("thresholdOfInterval()", () => {
  test.each([
    [1_000, 3],
    [666, 2],
    [667, 2.001],
    [3_333, 9.999],
    [3_334, 10],
    [1, 2],
    [2 ** 32 - 1, 10],
  ])("of %p ms between 2 s and 10 s is %p s", (intervalMs, seconds) => {
    expect(thresholdOfInterval(intervalMs, bounds(2, 10))).toBe(
      Math.round(seconds * 1_000) * NS_PER_MS,
    );
  });

  test("asks for nothing with 0", () => {
    expect(thresholdOfInterval(0, bounds(2, 10))).toBeNaN();
  });
});

describe("thresholdOfUsec()", () => {
  test("is held between the two of the policy", () => {
    for (const [usec, seconds] of [
      [1, 2],
      [2_000_000, 2],
      [3_500_000, 3.5],
      [10_000_001, 10],
      [1e19, 10],
    ] as const)
      expect(thresholdOfUsec(usec, bounds(2, 10))).toBe(seconds * NS_PER_S);
  });

  test("changes nothing under a policy that says nothing of it", () => {
    for (const usec of [1, 5_000_000, 1e19])
      expect(thresholdOfUsec(usec, bounds(5, 5))).toBe(5 * NS_PER_S);
  });

  test("asks for nothing with 0 and with what is no number", () => {
    for (const usec of [0, Number.NaN]) expect(thresholdOfUsec(usec, bounds(2, 10))).toBeNaN();
  });
});

describe("extendedDeadlineNs()", () => {
  const asked = { nowNs: 100 * NS_PER_S, deadlineNs: 103 * NS_PER_S, wasExtended: false };

  test.each([
    [4_000_000, 60, 104],
    [90_000_000, 60, 160],
    [1e19, 3_600, 700],
    [1, 60, 103],
    [2_999_999, 60, 103],
    [4_000_000, 5, 104],
    [90_000_000, 5, 105],
  ])("of %p us with a threshold_max of %p s is at %p s", (extendUsec, max, seconds) => {
    expect(extendedDeadlineNs({ ...asked, extendUsec }, bounds(1, max))).toBe(seconds * NS_PER_S);
  });

  test("is given once between two beats", () => {
    const again = { ...asked, extendUsec: 50_000_000, wasExtended: true };
    expect(extendedDeadlineNs(again, bounds(1, 60))).toBe(asked.deadlineNs);
  });

  test("leaves who has no deadline without one", () => {
    const none = { ...asked, deadlineNs: Number.POSITIVE_INFINITY, extendUsec: 1 };
    expect(extendedDeadlineNs(none, bounds(1, 60))).toBe(Number.POSITIVE_INFINITY);
  });

  test("is never more than ten minutes away", () => {
    expect(EXTEND_NS_MAX).toBe(10 * 60 * NS_PER_S);
  });
});
