// Back-off and budget of one agent.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import {
  PACE_BACKING_OFF,
  PACE_CLEAR,
  PACE_FULL,
  PACE_GAVE_UP,
  type PaceKey,
  Pacing,
  type PacingSettings,
} from "../../src/recovery/pacing.ts";

const T0 = 1_000;
const PID = 42;

function paced(fields: Partial<PacingSettings>, capacity = 8) {
  const pacing = new Pacing(capacity);
  pacing.configure({
    debounceNs: NS_PER_S,
    backoffMaxNs: undefined,
    backoffResetNs: 600 * NS_PER_S,
    budget: undefined,
    budgetWindowNs: 3_600 * NS_PER_S,
    ...fields,
  });
  const at = (s: number) => s * NS_PER_S;
  return {
    pacing,
    check: (s: number, key: PaceKey = PID, lastBeatS = T0, generation = 1) =>
      pacing.check(key, generation, at(lastBeatS), at(s)),
    fired: (s: number, key: PaceKey = PID, generation = 1) => pacing.fired(key, generation, at(s)),
    resumed: (s: number, key: PaceKey = PID) => pacing.resumed(key, 1, at(s)),
    at,
  };
}

describe("Pacing without a back-off or a budget", () => {
  test("remembers nothing and stops nobody", () => {
    const { pacing, check, fired } = paced({});
    for (let s = T0; s < T0 + 100; s++) {
      expect(check(s)).toBe(PACE_CLEAR);
      fired(s);
    }
    expect(pacing.size).toBe(0);
  });
});

describe("The back-off", () => {
  test("doubles the debounce with every recovery, up to its maximum", () => {
    const { check, fired } = paced({ backoffMaxNs: 10 * NS_PER_S });
    let s = T0;
    for (const pause of [1, 2, 4, 8, 10, 10, 10]) {
      expect(check(s)).toBe(PACE_CLEAR);
      fired(s);
      expect(check(s + pause - 0.001)).toBe(PACE_BACKING_OFF);
      s += pause;
    }
  });

  test("grows no further than the maximum after a thousand recoveries", () => {
    const { pacing, check, fired, at } = paced({ backoffMaxNs: 10 * NS_PER_S });
    for (let s = T0; s < T0 + 10_000; s += 10) fired(s);
    expect(check(T0 + 9_999.999)).toBe(PACE_BACKING_OFF);
    expect(pacing.nextNs(PID)).toBe(at(T0 + 10_000));
    expect(check(T0 + 10_000)).toBe(PACE_CLEAR);
  });

  test("begins anew after healthy time: beats, not just time", () => {
    const { check, fired, resumed } = paced({
      backoffMaxNs: 1_000 * NS_PER_S,
      backoffResetNs: 60 * NS_PER_S,
    });
    for (const s of [0, 1, 3, 7]) fired(T0 + s);
    // Silent for long, then one beat: that is not health.
    resumed(T0 + 100);
    expect(check(T0 + 14, PID, T0 + 101)).toBe(PACE_BACKING_OFF);
    fired(T0 + 200);
    resumed(T0 + 203);
    // It stalled once more in between.
    resumed(T0 + 210);
    expect(check(T0 + 205, PID, T0 + 269.9)).toBe(PACE_BACKING_OFF);
    // It beat from 210 to 270: a minute.
    expect(check(T0 + 205, PID, T0 + 270)).toBe(PACE_CLEAR);
  });

  test("is not inherited by the next process of the pid", () => {
    const { check, fired } = paced({ backoffMaxNs: 100 * NS_PER_S });
    fired(T0);
    fired(T0 + 1);
    expect(check(T0 + 2)).toBe(PACE_BACKING_OFF);
    expect(check(T0 + 2, PID, T0, 2)).toBe(PACE_CLEAR);
    expect(check(T0 + 2, PID, T0, NaN)).toBe(PACE_CLEAR);
  });

  test("outlives the process if it is counted by unit", () => {
    const { check, fired } = paced({ backoffMaxNs: 100 * NS_PER_S, backoffResetNs: 60 * NS_PER_S });
    fired(T0, "app.service", 1);
    fired(T0 + 1, "app.service", 2);
    expect(check(T0 + 2, "app.service", T0 + 1.5, 3)).toBe(PACE_BACKING_OFF);
    expect(check(T0 + 2, "other.service", T0, 3)).toBe(PACE_CLEAR);
    // Nobody told when the new process began to beat: it counts from the recovery.
    expect(check(T0 + 2, "app.service", T0 + 61, 3)).toBe(PACE_CLEAR);
  });
});

describe("The budget", () => {
  test("is given up on when it is used up, until its oldest start leaves the window", () => {
    const { pacing, check, fired, at } = paced({ budget: 2, budgetWindowNs: 60 * NS_PER_S });
    fired(T0);
    fired(T0 + 10);
    expect(pacing.givenUpCount).toBe(0);
    expect(check(T0 + 20)).toBe(PACE_GAVE_UP);
    expect(pacing.isGivenUp(PID)).toBe(true);
    expect(pacing.givenUpCount).toBe(1);
    expect(pacing.nextNs(PID)).toBe(at(T0 + 60));
    expect(check(T0 + 59)).toBe(PACE_GAVE_UP);
    pacing.maintain(at(T0 + 60));
    expect(pacing.givenUpCount).toBe(0);
    expect(check(T0 + 60)).toBe(PACE_CLEAR);
    fired(T0 + 60);
    expect(check(T0 + 61)).toBe(PACE_GAVE_UP);
    expect(pacing.nextNs(PID)).toBe(at(T0 + 70));
  });

  test("is looked at no more often than once a second", () => {
    const { pacing, check, fired, at } = paced({ budget: 1, budgetWindowNs: 60 * NS_PER_S });
    expect(pacing.nextLookNs()).toBe(Number.POSITIVE_INFINITY);
    fired(T0);
    check(T0 + 1);
    pacing.maintain(at(T0 + 1));
    expect(pacing.nextLookNs()).toBe(at(T0 + 2));
  });

  test("of somebody else is not touched", () => {
    const { check, fired } = paced({ budget: 1 });
    fired(T0);
    expect(check(T0 + 10)).toBe(PACE_GAVE_UP);
    expect(check(T0 + 10, 43)).toBe(PACE_CLEAR);
  });

  test("is forgotten when it is switched off by a reload", () => {
    const { pacing, check, fired } = paced({ budget: 1 });
    fired(T0);
    check(T0 + 1);
    pacing.configure({
      debounceNs: NS_PER_S,
      backoffMaxNs: undefined,
      backoffResetNs: NS_PER_S,
      budget: undefined,
      budgetWindowNs: NS_PER_S,
    });
    expect([pacing.givenUpCount, pacing.size, check(T0 + 1)]).toEqual([0, 0, PACE_CLEAR]);
  });
});

describe("The table of agents", () => {
  test("refuses one more when it is full of windows that are open, and takes it when one has passed", () => {
    const { pacing, check, fired } = paced({ budget: 5, budgetWindowNs: 60 * NS_PER_S }, 2);
    fired(T0, 1);
    fired(T0 + 1, 2);
    expect(check(T0 + 59, 3)).toBe(PACE_FULL);
    expect(check(T0 + 59, 2)).toBe(PACE_CLEAR);
    expect(check(T0 + 60, 3)).toBe(PACE_CLEAR);
    expect(pacing.size).toBe(1);
  });

  test("drops given-up agents with it", () => {
    const { pacing, check, fired } = paced({ budget: 1, budgetWindowNs: 60 * NS_PER_S });
    fired(T0, 1);
    check(T0 + 1, 1);
    expect(pacing.givenUpCount).toBe(1);
    check(T0 + 60, 2);
    expect([pacing.size, pacing.givenUpCount]).toEqual([0, 0]);
  });
});
