// What becomes of what a member asks for (spec 15 section 8.1, spec 20 section 4).
import { describe, expect, test } from "bun:test";
import {
  askableThresholds,
  type AskedBounds,
  askedOfInterval,
  askedOfUsec,
  extendedDeadlineNs,
  memberTerms,
} from "../../src/agents/asked_terms.ts";
import { EXTEND_NS_MAX } from "../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";

const bounds = (min: number, max: number): AskedBounds => ({
  thresholdMinNs: min * NS_PER_S,
  thresholdMaxNs: max * NS_PER_S,
});

/** A rule with a threshold of 5 s, which hears from 2 s to 10 s. */
const RULE = { ...bounds(2, 10), thresholdNs: 5 * NS_PER_S, lateNs: 4 * NS_PER_S, graceNs: 7 };

const thresholdFor = (askedNs: number) => memberTerms(RULE, 1, askedNs).thresholdNs / NS_PER_S;

describe("askedOfInterval()", () => {
  test("is three intervals", () => {
    expect(askedOfInterval(1_000)).toBe(3 * NS_PER_S);
    expect(askedOfInterval(1)).toBe(3 * NS_PER_MS);
  });

  test("is nothing with 0", () => {
    expect(askedOfInterval(0)).toBeNaN();
  });
});

describe("askedOfUsec()", () => {
  test("is what it says, and for ever is three years", () => {
    expect(askedOfUsec(2_000_000)).toBe(2 * NS_PER_S);
    expect(askedOfUsec(1e19)).toBeLessThan(Number.MAX_SAFE_INTEGER * 10);
    expect(askedOfUsec(1e19)).toBeGreaterThan(3 * 365 * 86_400 * NS_PER_S * 0.9);
  });

  test("is nothing with 0 and with what is no number", () => {
    for (const usec of [0, Number.NaN]) expect(askedOfUsec(usec)).toBeNaN();
  });
});

describe("memberTerms()", () => {
  test.each([
    [1, 2],
    [2e9, 2],
    [2.000_000_001e9, 2.5],
    [3e9, 3],
    [3.5e9, 3.6],
    [4.1e9, 4.5],
    [6.5e9, 7.5],
    [9.1e9, 10],
    [1e18, 10],
  ])("of %p ns gives the next step, within the bounds: %p s", (askedNs, seconds) => {
    expect(thresholdFor(askedNs)).toBe(seconds);
  });

  test("have the figures that people write as they are", () => {
    const wide = { ...RULE, thresholdMinNs: 1, thresholdMaxNs: 1e18 };
    for (const seconds of [0.1, 0.3, 1, 1.5, 2, 3, 4, 5, 6, 10, 15, 20, 30, 45, 60, 90, 120, 180])
      expect(memberTerms(wide, 1, seconds * NS_PER_S).thresholdNs).toBe(seconds * NS_PER_S);
    for (const minutes of [5, 10, 15, 30, 60, 120])
      expect(memberTerms(wide, 1, minutes * 60 * NS_PER_S).thresholdNs).toBeLessThanOrEqual(
        minutes * 75 * NS_PER_S,
      );
  });

  test("are never stricter than asked, and at most a quarter looser", () => {
    const wide = { ...RULE, thresholdMinNs: 1, thresholdMaxNs: 1e18 };
    for (let askedNs = 1e7; askedNs < 1e17; askedNs *= 1.013) {
      const { thresholdNs } = memberTerms(wide, 1, askedNs);
      expect(thresholdNs).toBeGreaterThanOrEqual(askedNs);
      expect(thresholdNs).toBeLessThanOrEqual(askedNs * 1.26);
    }
  });

  test("change nothing under a rule that says nothing of it, without a rule, and unasked", () => {
    const deaf = { ...RULE, ...bounds(5, 5) };
    for (const askedNs of [1, 5e9, 1e18])
      expect(memberTerms(deaf, 1, askedNs)).toEqual({ thresholdNs: 5e9, lateNs: 4e9, graceNs: 7 });
    const none = { thresholdNs: 1, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 };
    expect(memberTerms(undefined, 1, 3e9)).toEqual(none);
    expect(thresholdFor(0)).toBe(5);
  });

  test("have no late that is not below the threshold", () => {
    expect(memberTerms(RULE, 1, 4e9).lateNs).toBe(Number.POSITIVE_INFINITY);
    expect(memberTerms(RULE, 1, 4.2e9).lateNs).toBe(4e9);
  });
});

describe("askableThresholds()", () => {
  test("are both bounds and the steps between", () => {
    expect(askableThresholds(bounds(1.9, 3))).toEqual([1.9e9, 2e9, 2.5e9, 3e9]);
    expect(askableThresholds(bounds(5, 5))).toEqual([5e9]);
  });

  test("are all that members can get", () => {
    const all = new Set(askableThresholds(RULE));
    for (let askedNs = 1; askedNs < 1e17; askedNs *= 1.01)
      expect(all.has(thresholdFor(askedNs) * NS_PER_S)).toBe(true);
  });
});

describe("extendedDeadlineNs()", () => {
  const asked = { nowNs: 100 * NS_PER_S, deadlineNs: 103 * NS_PER_S };

  test.each([
    [4_000_000, 60, 104],
    [90_000_000, 60, 160],
    [1e19, 3_600, 700],
    [1, 60, 103],
    [2_999_999, 60, 103],
    [4_000_000, 5, 104],
    [90_000_000, 5, 105],
  ])("of %p us with a threshold_max of %p s is at %p s", (extendUsec, max, seconds) => {
    expect(extendedDeadlineNs({ ...asked, extendUsec }, max * NS_PER_S)).toBe(seconds * NS_PER_S);
  });

  test("leaves who has no deadline without one", () => {
    const none = { ...asked, deadlineNs: Number.POSITIVE_INFINITY, extendUsec: 1 };
    expect(extendedDeadlineNs(none, 60 * NS_PER_S)).toBe(Number.POSITIVE_INFINITY);
  });

  test("is never more than ten minutes away", () => {
    expect(EXTEND_NS_MAX).toBe(10 * 60 * NS_PER_S);
  });
});
