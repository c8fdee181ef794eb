// What recovery knows of its past goes through the state file into the next daemon (spec 18).
import { describe, expect, test } from "bun:test";
import { Counters } from "../../src/base/counters.ts";
import { RECOVERY } from "../../src/recovery/counters.ts";
import {
  History,
  PACE_BACKING_OFF,
  PACE_CLEAR,
  PACE_GAVE_UP,
  WINDOW_CLEAR,
  WINDOW_OPEN,
  WINDOW_RECYCLED,
} from "../../src/recovery/history.ts";
import type { PaceKey } from "../../src/recovery/pace.ts";
import { StormLimit } from "../../src/recovery/storm_limit.ts";
import { continuationOf } from "../../src/snapshot/continuation.ts";
import { decodeState } from "../../src/snapshot/decoder.ts";
import type { State } from "../../src/snapshot/records.ts";
import { restoreRest } from "../../src/snapshot/restored_rest.ts";
import { bytesOf, EMPTY, MOMENT } from "../snapshot/states.ts";
import { NoChildren } from "../support/no_children.ts";

const S = 1e9;
/** When the daemon of before wrote its state; the next one starts 10 s later, at 0. */
const WRITTEN = 1_000 * S;

function newHistory(capacity = 10): History {
  const settings = {
    ...{ debounceNs: 60 * S, backoffMaxNs: 600 * S, backoffResetNs: 600 * S },
    ...{ budget: 3, budgetWindowNs: 3_600 * S },
  };
  return new History({ capacity }, settings, new Counters(RECOVERY, new NoChildren()));
}

function through(state: Partial<State>) {
  const moment = { ...MOMENT, observerNs: WRITTEN };
  const decoded = decodeState(bytesOf({ ...EMPTY, ...state, moment }));
  if (!decoded.ok) throw new Error(decoded.found);
  const here = {
    ...moment,
    observerNs: 0,
    monotonicNs: moment.monotonicNs + 10 * S,
    boottimeNs: moment.boottimeNs + 10 * S,
  };
  return restoreRest(decoded.state, continuationOf(moment, here, false), 0);
}

function nextHistory(before: History, capacity = 10): History {
  const { window, pace } = through({
    window: [...before.windowRecords()],
    pace: [...before.paceRecords()],
  });
  const after = newHistory(capacity);
  after.restore(window, pace, 0);
  return after;
}

function fire(history: History, key: number, paceKey: PaceKey, nowNs: number): void {
  if (!history.makeRoom(key, nowNs)) throw new Error("no room");
  history.began(key, paceKey, 5_000, nowNs);
}

describe("History.restore()", () => {
  test("holds the debounce of a process for what is left of it", () => {
    const before = newHistory();
    fire(before, 4711, 4711, WRITTEN - 20 * S);
    const after = nextHistory(before);
    expect(after.lookAtWindow(4711, 5_000, 29 * S, 60 * S)).toBe(WINDOW_OPEN);
    expect(after.lookAtWindow(4711, 5_001, 29 * S, 60 * S)).toBe(WINDOW_RECYCLED);
    expect(after.lookAtWindow(4711, 5_000, 30 * S, 60 * S)).toBe(WINDOW_CLEAR);
  });

  test("counts budget and back-off on, of names and of members", () => {
    for (const paceKey of ["worker", 4711]) {
      const before = newHistory();
      for (const agoNs of [900, 500, 100]) fire(before, 4711, paceKey, WRITTEN - agoNs * S);
      const after = nextHistory(before);
      expect(after.usedOf(paceKey, 0, 3_600 * S)).toBe(3);
      expect(after.checkPace(paceKey, 5_000, -S, 0)).toBe(PACE_GAVE_UP);
      // The first of them leaves the window 3,600 s after it began.
      expect(after.nextNs(paceKey)).toBe((3_600 - 900 - 10) * S);
      expect(after.checkPace(paceKey, 5_000, -S, 2_690 * S)).toBe(PACE_CLEAR);
    }
  });

  test("waits for the pause after the last recovery", () => {
    const before = newHistory();
    fire(before, 4711, "worker", WRITTEN - 70 * S);
    fire(before, 4711, "worker", WRITTEN - 5 * S);
    const after = nextHistory(before);
    expect(after.checkPace("worker", 5_000, -S, 104 * S)).toBe(PACE_BACKING_OFF);
    expect(after.checkPace("worker", 5_000, -S, 105 * S)).toBe(PACE_CLEAR);
  });

  test("knows who was given up, and says no news of it", () => {
    const before = newHistory();
    for (const agoNs of [900, 500, 100]) fire(before, 4711, "worker", WRITTEN - agoNs * S);
    before.checkPace("worker", 5_000, WRITTEN, WRITTEN);
    const after = nextHistory(before);
    expect([after.isGivenUp("worker"), after.givenUpCount]).toEqual([true, 1]);
  });

  test("keeps no more than there is room for", () => {
    const before = newHistory();
    for (let key = 1; key <= 4; key++) fire(before, key, `agent${key}`, WRITTEN - 20 * S);
    const after = nextHistory(before, 2);
    expect([after.windowCount, after.paceCount]).toEqual([2, 2]);
  });
});

describe("StormLimit.restore()", () => {
  test("counts starts on, and ends the storm that was", () => {
    const settings = { stormLimit: 2, stormWindowNs: 60 * S };
    const before = new StormLimit(settings);
    before.started(WRITTEN - 30 * S);
    before.started(WRITTEN - 20 * S);
    before.refused(WRITTEN - 15 * S);
    const after = new StormLimit(settings);
    after.restore(through({ storm: [before.record()] }).storm[0]!);
    expect(after.isOpen(19 * S)).toBe(false);
    expect(after.isOpen(20 * S)).toBe(true);
    expect(after.endNs).toBe(35 * S);
    expect(after.takeEnd(35 * S)).toBe(1);
  });
});
