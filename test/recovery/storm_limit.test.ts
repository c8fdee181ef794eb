// The limit over all agents: starts in a sliding window, and a storm that is logged in two lines.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { NS_PER_S } from "../../src/base/time.ts";
import { StormLimit } from "../../src/recovery/storm_limit.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const T0 = 100 * NS_PER_S;

function limited(stormLimit: number): StormLimit {
  return new StormLimit({ stormLimit, stormWindowNs: 60 * NS_PER_S });
}

describe("StormLimit", () => {
  test("lets everything pass without a limit", () => {
    const storm = limited(0);
    for (let start = 0; start < 1_000; start++) {
      expect(storm.isOpen(T0)).toBe(true);
      storm.started(T0);
    }
    expect(storm.nextOpenNs()).toBe(Number.NEGATIVE_INFINITY);
  });

  test("is closed when the window is full, and opens when its oldest start has left it", () => {
    const storm = limited(2);
    storm.started(T0);
    storm.started(T0 + 10 * NS_PER_S);
    expect(storm.isOpen(T0 + 59 * NS_PER_S)).toBe(false);
    expect(storm.nextOpenNs()).toBe(T0 + 60 * NS_PER_S);
    expect(storm.isOpen(T0 + 60 * NS_PER_S)).toBe(true);
    storm.started(T0 + 60 * NS_PER_S);
    expect(storm.isOpen(T0 + 61 * NS_PER_S)).toBe(false);
    expect(storm.nextOpenNs()).toBe(T0 + 70 * NS_PER_S);
  });

  test("counts what it refused until a whole window has passed without a refusal", () => {
    const storm = limited(1);
    expect(storm.endNs).toBe(Number.POSITIVE_INFINITY);
    expect(storm.refused(T0)).toBe(true);
    expect(storm.refused(T0 + 50 * NS_PER_S)).toBe(false);
    expect(storm.takeEnd(T0 + 109 * NS_PER_S)).toBe(0);
    expect(storm.endNs).toBe(T0 + 110 * NS_PER_S);
    expect(storm.takeEnd(T0 + 110 * NS_PER_S)).toBe(2);
    expect(storm.takeEnd(T0 + 111 * NS_PER_S)).toBe(0);
    expect(storm.refused(T0 + 112 * NS_PER_S)).toBe(true);
  });

  test("never lets more than its limit begin within any window", () => {
    const steps = fc.array(fc.nat(30 * NS_PER_S), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), steps, (limit, pauses) => {
        const storm = limited(limit);
        const starts: number[] = [];
        let nowNs = T0;
        for (const pause of pauses) {
          nowNs += pause;
          const inWindow = starts.filter((at) => nowNs - at < 60 * NS_PER_S).length;
          expect(storm.isOpen(nowNs)).toBe(inWindow < limit);
          if (!storm.isOpen(nowNs)) {
            expect(storm.nextOpenNs()).toBeGreaterThan(nowNs);
            continue;
          }
          storm.started(nowNs);
          starts.push(nowNs);
        }
      }),
      { numRuns: 200 },
    );
  });
});
