import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { Counters } from "../../src/base/counters.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { RECOVERY, type RecoveryCounters } from "../../src/recovery/counters.ts";
import {
  History,
  PACE_BACKING_OFF,
  PACE_CLEAR,
  PACE_FULL,
  PACE_GAVE_UP,
  WINDOW_CLEAR,
  WINDOW_OPEN,
  WINDOW_RECYCLED,
} from "../../src/recovery/history.ts";
import type { HistorySettings, PaceKey } from "../../src/recovery/pace.ts";
import { WindowsTwin } from "../reference/windows.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { NoChildren } from "../support/no_children.ts";

setDefaultTimeout(TEST_MS_MAX);

const DEBOUNCE = 100;

function settings(fields: Partial<HistorySettings> = {}): HistorySettings {
  return {
    debounceNs: NS_PER_S,
    backoffMaxNs: undefined,
    backoffResetNs: 600 * NS_PER_S,
    budget: undefined,
    budgetWindowNs: 3_600 * NS_PER_S,
    ...fields,
  };
}

function newCounters(): RecoveryCounters {
  return new Counters(RECOVERY, new NoChildren());
}

function debounced(
  capacity: number,
  debounceNs = DEBOUNCE,
  counters: RecoveryCounters = newCounters(),
): History {
  return new History({ capacity }, settings({ debounceNs }), counters);
}

function fire(history: History, pid: number, generation: number, nowNs: number): boolean {
  if (!history.makeRoom(pid, nowNs)) return false;
  history.began(pid, pid, generation, nowNs);
  return true;
}

describe("History.checkWindow()", () => {
  test("is clear for a pid that never fired", () => {
    expect(debounced(4).checkWindow(7, 1, 0)).toBe(WINDOW_CLEAR);
  });

  test("debounces until the window has passed", () => {
    const history = debounced(4);
    fire(history, 7, 1, 1_000);
    const verdicts = [1_000, 1_099, 1_100, 1_101].map((now) => history.checkWindow(7, 1, now));
    expect(verdicts).toEqual([WINDOW_OPEN, WINDOW_OPEN, WINDOW_CLEAR, WINDOW_CLEAR]);
  });

  test("never debounces with a debounce of 0", () => {
    const history = debounced(4, 0);
    fire(history, 7, 1, 1_000);
    expect(history.checkWindow(7, 1, 1_000)).toBe(WINDOW_CLEAR);
  });

  test("takes a window from the future as just opened", () => {
    const history = debounced(4);
    fire(history, 7, 1, 1_000);
    expect(history.checkWindow(7, 1, 1)).toBe(WINDOW_OPEN);
  });

  test("ignores the open window of an earlier process once, and forgets it", () => {
    const history = debounced(4);
    fire(history, 7, 1, 1_000);
    expect(history.checkWindow(7, 2, 1_050)).toBe(WINDOW_RECYCLED);
    expect(history.checkWindow(7, 2, 1_050)).toBe(WINDOW_CLEAR);
    expect(history.windowCount).toBe(0);
  });

  test("does not report a reused pid whose window had passed", () => {
    const history = debounced(4);
    fire(history, 7, 1, 1_000);
    expect(history.checkWindow(7, 2, 1_100)).toBe(WINDOW_CLEAR);
  });

  test("takes an unknown generation on either side for the same process", () => {
    const history = debounced(4);
    fire(history, 7, NaN, 1_000);
    fire(history, 8, 5, 1_000);
    expect(history.checkWindow(7, 2, 1_050)).toBe(WINDOW_OPEN);
    expect(history.checkWindow(8, NaN, 1_050)).toBe(WINDOW_OPEN);
  });
});

describe("History.makeRoom()", () => {
  test("opens no window", () => {
    const history = debounced(4);
    history.makeRoom(7, 1_000);
    expect(history.checkWindow(7, 1, 1_000)).toBe(WINDOW_CLEAR);
    expect(history.windowCount).toBe(0);
  });

  test("leaves the earlier entry of the pid as it was", () => {
    const history = debounced(4);
    fire(history, 7, 1, 1_000);
    history.makeRoom(7, 1_100);
    expect(history.checkWindow(7, 1, 1_099)).toBe(WINDOW_OPEN);
  });

  test("refuses when every entry is within its window", () => {
    const counters = newCounters();
    const history = debounced(2, DEBOUNCE, counters);
    fire(history, 1, 1, 0);
    fire(history, 2, 1, 50);
    expect(history.makeRoom(3, 99)).toBe(false);
    expect(counters.get(RECOVERY.lastFiredEvictions)).toBe(0);
  });

  test("takes the place of the oldest entry whose window has passed, and counts it", () => {
    const counters = newCounters();
    const history = debounced(2, DEBOUNCE, counters);
    fire(history, 1, 1, 0);
    fire(history, 2, 1, 50);
    fire(history, 1, 1, 120);
    expect(fire(history, 3, 1, 150)).toBe(true);
    expect(history.checkWindow(2, 1, 50)).toBe(WINDOW_CLEAR);
    expect(history.checkWindow(1, 1, 150)).toBe(WINDOW_OPEN);
    expect(counters.get(RECOVERY.lastFiredEvictions)).toBe(1);
  });

  test("refuses everything at capacity 0", () => {
    expect(debounced(0).makeRoom(1, 0)).toBe(false);
  });
});

describe("History.prune()", () => {
  test("drops what is older than ten debounces, oldest first, at most 16", () => {
    const history = debounced(32);
    for (let pid = 1; pid <= 20; pid++) fire(history, pid, 1, pid);
    history.prune(1_020);
    expect(history.windowCount).toBe(4);
    history.prune(1_020);
    expect(history.windowCount).toBe(1);
    expect(history.checkWindow(20, 1, 50)).toBe(WINDOW_OPEN);
  });
});

describe("The windows of a History", () => {
  const pid = fc.integer({ min: 1, max: 12 });
  const generation = fc.constantFrom(1, 2, NaN);
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("check" as const), pid, generation }),
    fc.record({ kind: fc.constant("fire" as const), pid, generation, commit: fc.boolean() }),
    fc.record({ kind: fc.constant("prune" as const) }),
    // Mostly forward; sometimes back, which the order of age has to survive.
    fc.record({ kind: fc.constant("time" as const), step: fc.integer({ min: -60, max: 120 }) }),
  );

  test("agrees with a Map that is searched from end to end", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8 }),
        fc.constantFrom(0, 30, 100),
        fc.array(operation, { maxLength: 120, size: "max" }),
        (capacity, debounceNs, operations) => {
          const counters = newCounters();
          const history = debounced(capacity, debounceNs, counters);
          const twin = new WindowsTwin(capacity);
          let nowNs = 1_000;
          for (const step of operations) {
            if (step.kind === "time") nowNs = Math.max(0, nowNs + step.step);
            if (step.kind === "prune") {
              history.prune(nowNs);
              twin.prune(nowNs, 10 * debounceNs, 16);
            }
            if (step.kind === "check") {
              expect(history.checkWindow(step.pid, step.generation, nowNs)).toBe(
                twin.check(step.pid, step.generation, nowNs, debounceNs),
              );
            }
            if (step.kind === "fire") {
              const hasRoom = history.makeRoom(step.pid, nowNs);
              expect(hasRoom).toBe(twin.fire(step.pid, { ...step, nowNs, debounceNs }));
              if (hasRoom && step.commit) history.began(step.pid, step.pid, step.generation, nowNs);
            }
            expect(history.windowCount).toBe(twin.entries.size);
          }
          expect(counters.get(RECOVERY.lastFiredEvictions)).toBe(twin.evictions);
          const asFired = debounceNs > 0 ? WINDOW_OPEN : WINDOW_CLEAR;
          for (const [known, entry] of twin.entries) {
            expect(history.checkWindow(known, entry.generation, entry.firedNs)).toBe(asFired);
          }
        },
      ),
      { numRuns: atLength(150, 1_000) },
    );
  });
});

const T0 = 1_000;
const PID = 42;

function paced(fields: Partial<HistorySettings>, capacity = 8) {
  const history = new History({ capacity }, settings(fields), newCounters());
  // Every recovery has a window of its own: here it is about the pace.
  let nextWindow = 1;
  const at = (s: number) => s * NS_PER_S;
  return {
    history,
    check: (s: number, key: PaceKey = PID, lastBeatS = T0, generation = 1) =>
      history.checkPace(key, generation, at(lastBeatS), at(s)),
    fired: (s: number, key: PaceKey = PID, generation = 1) =>
      history.began(nextWindow++, key, generation, at(s)),
    resumed: (s: number, key: PaceKey = PID) => history.resumed(key, 1, at(s)),
    at,
  };
}

describe("The pace without a back-off or a budget", () => {
  test("remembers nothing and stops no recovery", () => {
    const { history, check, fired } = paced({});
    for (let s = T0; s < T0 + 100; s++) {
      expect(check(s)).toBe(PACE_CLEAR);
      fired(s);
    }
    expect(history.paceCount).toBe(0);
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
    const { history, check, fired, at } = paced({ backoffMaxNs: 10 * NS_PER_S });
    for (let s = T0; s < T0 + 10_000; s += 10) fired(s);
    expect(check(T0 + 9_999.999)).toBe(PACE_BACKING_OFF);
    expect(history.nextNs(PID)).toBe(at(T0 + 10_000));
    expect(check(T0 + 10_000)).toBe(PACE_CLEAR);
  });

  test("begins again after healthy time: beats, not just time", () => {
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
    // When the new process began to beat was not reported: it counts from the recovery.
    expect(check(T0 + 2, "app.service", T0 + 61, 3)).toBe(PACE_CLEAR);
  });
});

describe("The budget", () => {
  test("that is used up is news still after somebody has only asked", () => {
    const budget = settings({ budget: 1, budgetWindowNs: 60 * NS_PER_S });
    const history = new History({ capacity: 4 }, budget, newCounters());
    history.began(PID, PID, 1, 0, budget);
    const look = () => history.lookAtPace(PID, 1, 0, 20 * NS_PER_S, budget);
    expect([look(), look()]).toEqual([PACE_GAVE_UP, PACE_GAVE_UP]);
    expect([history.isGivenUp(PID), history.givenUpCount]).toEqual([false, 0]);
    expect(history.lookAtPace(PID, 2, 0, 20 * NS_PER_S, budget)).toBe(PACE_CLEAR);
    // Nor was the earlier process of the pid forgotten.
    expect(history.lookAtWindow(PID, 2, 1, NS_PER_S)).toBe(WINDOW_RECYCLED);
    expect(history.windowCount).toBe(1);
    expect(look()).toBe(PACE_GAVE_UP);
  });

  test("is given up on when it is used up, until its oldest start leaves the window", () => {
    const { history, check, fired, at } = paced({ budget: 2, budgetWindowNs: 60 * NS_PER_S });
    fired(T0);
    fired(T0 + 10);
    expect(history.givenUpCount).toBe(0);
    expect(check(T0 + 20)).toBe(PACE_GAVE_UP);
    expect(history.isGivenUp(PID)).toBe(true);
    expect(history.givenUpCount).toBe(1);
    expect(history.nextNs(PID)).toBe(at(T0 + 60));
    expect(check(T0 + 59)).toBe(PACE_GAVE_UP);
    history.maintain(at(T0 + 60));
    expect(history.givenUpCount).toBe(0);
    expect(check(T0 + 60)).toBe(PACE_CLEAR);
    fired(T0 + 60);
    expect(check(T0 + 61)).toBe(PACE_GAVE_UP);
    expect(history.nextNs(PID)).toBe(at(T0 + 70));
  });

  test("is counted no more often than once a second", () => {
    const { history, check, fired, at } = paced({ budget: 1, budgetWindowNs: 60 * NS_PER_S });
    expect(history.nextLookNs()).toBe(Number.POSITIVE_INFINITY);
    fired(T0);
    check(T0 + 1);
    history.maintain(at(T0 + 1));
    expect(history.nextLookNs()).toBe(at(T0 + 2));
  });

  test("of another agent is not touched", () => {
    const { check, fired } = paced({ budget: 1 });
    fired(T0);
    expect(check(T0 + 10)).toBe(PACE_GAVE_UP);
    expect(check(T0 + 10, 43)).toBe(PACE_CLEAR);
  });
});

describe("The table of agents", () => {
  test("refuses one more when it is full of windows that are open, and takes it when one has passed", () => {
    const { history, check, fired } = paced({ budget: 5, budgetWindowNs: 60 * NS_PER_S }, 2);
    fired(T0, 1);
    fired(T0 + 1, 2);
    expect(check(T0 + 59, 3)).toBe(PACE_FULL);
    expect(check(T0 + 59, 2)).toBe(PACE_CLEAR);
    expect(check(T0 + 60, 3)).toBe(PACE_CLEAR);
    expect(history.paceCount).toBe(1);
  });

  test("drops given-up agents with it", () => {
    const { history, check, fired } = paced({ budget: 1, budgetWindowNs: 60 * NS_PER_S });
    fired(T0, 1);
    check(T0 + 1, 1);
    expect(history.givenUpCount).toBe(1);
    check(T0 + 60, 2);
    expect([history.paceCount, history.givenUpCount]).toEqual([0, 0]);
  });
});
