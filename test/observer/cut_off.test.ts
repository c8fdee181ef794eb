// Members that may hold a dead connection (spec 18 section 6.1): who is held, who is judged, when.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { CUT_OFF, CutOffMembers } from "../../src/observer/cut_off.ts";
import { memberState } from "../../src/tracker/member_state.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { ObserverHarness, THRESHOLD_NS } from "./harness.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const HELD_MS = 10_000;

interface Process {
  /** It is put on a processor whenever it is looked at. */
  runs: boolean;
  count: number;
  /** Nothing holds it. */
  isFree: boolean;
}

/** `count` members from pid 100 on came back at the start, and nobody has been heard since. */
function restored(count: number, options: { isAnew?: boolean; thresholdNs?: number } = {}) {
  const { isAnew = true, thresholdNs = THRESHOLD_NS } = options;
  const harness = new ObserverHarness({ thresholdNs });
  const { tracker, silence } = harness.observer;
  const pids = Array.from({ length: count }, (_, i) => 100 + i);
  const all = new Map<number, Process>(
    pids.map((pid) => [pid, { runs: true, count: 7, isFree: true }]),
  );
  let looks = 0;
  let timeNs = 0;
  /** What one look takes. */
  const cost = { ns: 0 };
  const cutOff = new CutOffMembers({
    tracker,
    reader: {
      mayRun: (pid) => {
        timeNs += cost.ns;
        return all.get(pid)!.isFree;
      },
      runsOf: (pid) => {
        looks += 1;
        const one = all.get(pid)!;
        if (one.runs) one.count += 1;
        return one.count;
      },
    },
    monotonicNs: () => timeNs,
  });
  harness.receive(...pids.map((pid) => beatOf(pid, { nonce: 1 })));
  harness.pass(1);
  const startNs = harness.clock.ns;
  tracker.pauses.startAt(startNs);
  cutOff.begin(Int32Array.from(pids.keys()), new Set(isAnew ? [0] : []), startNs);
  cutOff.maintain(startNs);
  const pass = (ms: number): number[] => {
    harness.observer.allowIdle(ms * NS_PER_MS);
    harness.pass(ms);
    harness.pump();
    cutOff.maintain(harness.clock.ns);
    tracker.checkInvariants();
    return harness.stalls();
  };
  const state = (pid: number) => memberState(tracker.table, tracker.slotOf(pid), harness.clock.ns);
  /** Judge points of half a threshold each until `ms` after the start: who stalls, and when. */
  const stallsUntil = (ms: number): [number, number][] => {
    const found: [number, number][] = [];
    while (harness.clock.ns < startNs + ms * NS_PER_MS) {
      const stalls = pass(THRESHOLD_MS / 2);
      const atMs = (harness.clock.ns - startNs) / NS_PER_MS;
      found.push(...stalls.map((pid): [number, number] => [pid, atMs]));
    }
    return found;
  };
  const looksSoFar = (): number => looks;
  return { harness, tracker, silence, cutOff, all, cost, pass, state, stallsUntil, looksSoFar };
}

describe("a member of the daemon before, whose socket is a new one", () => {
  test("is late while its process runs, and judged ten seconds after the start", () => {
    const { pass, state, stallsUntil, cutOff, tracker } = restored(1);
    expect(pass(THRESHOLD_MS)).toEqual([]);
    expect([state(100), cutOff.isHeld(0), tracker.stallEmittedCount]).toEqual(["late", true, 0]);
    expect(stallsUntil(HELD_MS)).toEqual([[100, HELD_MS]]);
    expect(cutOff.isHeld(0)).toBe(false);
    expect(cutOff.counters.get(CUT_OFF.held)).toBe(1);
  });

  test("is judged after one threshold if its process does not run, beside one that does", () => {
    const { pass, all } = restored(3);
    all.get(101)!.runs = false;
    all.get(102)!.isFree = false;
    expect(pass(THRESHOLD_MS)).toEqual([101, 102]);
    expect(pass(THRESHOLD_MS)).toEqual([]);
  });

  test("is judged within a threshold after it began to hang", () => {
    const { pass, all } = restored(1);
    expect(pass(THRESHOLD_MS)).toEqual([]);
    all.get(100)!.runs = false;
    expect(pass(THRESHOLD_MS / 2)).toEqual([]);
    expect(pass(THRESHOLD_MS / 2)).toEqual([100]);
  });

  test("is judged at the next look once it is stopped", () => {
    const { pass, all } = restored(1);
    expect(pass(THRESHOLD_MS)).toEqual([]);
    all.get(100)!.isFree = false;
    expect(pass(THRESHOLD_MS / 2 - 1)).toEqual([]);
    expect(pass(1)).toEqual([100]);
  });

  test("may run as seldom as once in a threshold", () => {
    const { pass, all } = restored(1);
    expect(pass(THRESHOLD_MS)).toEqual([]);
    for (let i = 0; i < 20; i++) {
      all.get(100)!.runs = i % 2 === 0;
      expect(pass(THRESHOLD_MS / 2)).toEqual([]);
    }
  });

  test("is like every other once it has beaten", () => {
    const { pass, harness, state, cutOff, looksSoFar } = restored(1);
    pass(THRESHOLD_MS);
    harness.receive(beatOf(100, { nonce: 2 }));
    expect([state(100), cutOff.isHeld(0)]).toEqual(["ok", false]);
    const looks = looksSoFar();
    expect(pass(THRESHOLD_MS - 1)).toEqual([]);
    expect(pass(1)).toEqual([100]);
    expect(looksSoFar()).toBe(looks);
  });

  test("is judged at once when its end is known", () => {
    const { pass, tracker } = restored(1);
    pass(THRESHOLD_MS);
    tracker.ends.note(tracker.slotOf(100));
    expect(pass(1)).toEqual([100]);
  });

  test("waits for its look if the time of a judge point is used up, and no longer", () => {
    const { pass, all, cost, tracker } = restored(5);
    for (const one of all.values()) one.isFree = false;
    cost.ns = NS_PER_MS / 2;
    expect(pass(THRESHOLD_MS)).toEqual([100, 101]);
    expect(tracker.nextDeadline()).toBeLessThanOrEqual(NS_PER_S + THRESHOLD_NS + NS_PER_MS);
    expect([pass(1), pass(1)]).toEqual([[102, 103], [104]]);
  });

  test("has its threshold and no more if that is ten seconds", () => {
    const { pass, looksSoFar } = restored(1, { thresholdNs: 10 * NS_PER_S });
    expect(pass(HELD_MS)).toEqual([100]);
    expect(looksSoFar()).toBe(0);
  });
});

test("whose socket was kept is judged after one threshold, and never looked at", () => {
  const { pass, looksSoFar, cutOff } = restored(1, { isAnew: false });
  expect(pass(THRESHOLD_MS)).toEqual([100]);
  expect([looksSoFar(), cutOff.nextDeadlineNs()]).toEqual([0, Number.POSITIVE_INFINITY]);
});

test("ten seconds after the start nothing is left to do", () => {
  const { stallsUntil, cutOff, tracker } = restored(2);
  stallsUntil(HELD_MS + THRESHOLD_MS);
  expect(cutOff.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  expect(tracker.table.restoredGate).toBeUndefined();
});
