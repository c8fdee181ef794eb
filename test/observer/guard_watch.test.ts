// The guard in an observer (spec 12 section 10): who is held, who is judged, and when.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { Guard } from "../../src/observer/guard.ts";
import { GUARD } from "../../src/observer/guard_watch.ts";
import { memberState } from "../../src/tracker/member_state.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { ObserverHarness, THRESHOLD_NS } from "./harness.ts";
import { FakeSelfBeat, GUARD_DEFAULTS, range } from "./guard_world.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;

/** `members` agents that have just beaten; rules name them all. */
function watching(members: number, pauseGapNs?: number) {
  const selfBeat = new FakeSelfBeat();
  const guard = new Guard(GUARD_DEFAULTS, selfBeat);
  const harness = new ObserverHarness({ guard, pauseGapNs });
  const { tracker, silence } = harness.observer;
  let nonce = 0;
  const beat = (pids: readonly number[]) => {
    nonce += 1;
    harness.receive(...pids.map((pid) => beatOf(pid, { peerPid: 0, nonce })));
  };
  beat(range(members, 100));
  for (let slot = 0; slot < tracker.len; slot++) tracker.table.slots.rule[slot] = 0;
  const state = (pid: number) =>
    memberState(tracker.table, tracker.slotOf(pid), harness.observer.clock.lastNs);
  const pass = (ms: number) => {
    harness.observer.allowIdle(ms * NS_PER_MS);
    harness.pass(ms);
    harness.pump();
    return harness.stalls();
  };
  return { selfBeat, guard, harness, tracker, watch: silence.guarded!, beat, state, pass };
}

describe("an observer with a guard", () => {
  test("reports no more than the half that fell silent before it became active", () => {
    const { pass, state, watch } = watching(12);
    expect(pass(THRESHOLD_MS)).toEqual(range(6, 100));
    expect(range(12, 100).map(state)).toEqual([
      ...Array(6).fill("stalled"),
      ...Array(6).fill("late"),
    ]);
    watch.counters.refresh(0);
    expect(watch.beating).toBe(0);
    expect([GUARD.active, GUARD.times].map((cell) => watch.counters.get(cell))).toEqual([1, 1]);
  });

  test("that was active before the start holds all until they had a threshold and a quarter", () => {
    const { pass, selfBeat, guard, harness, tracker, watch, beat, state } = watching(12);
    const startNs = harness.clock.ns;
    const before = { isActive: true, sinceNs: startNs - 5 * NS_PER_S, windowNs: THRESHOLD_NS };
    const memory = { ...before, silent: 9, members: 12, restNs: Number.NaN };
    tracker.pauses.startAt(startNs);
    watch.restore(memory, startNs, 2 * THRESHOLD_NS);
    expect(guard.memory(startNs)).toEqual(memory);
    expect(watch.guard.recoveryNs(0, 12)).toBe(Number.POSITIVE_INFINITY);
    pass(THRESHOLD_MS / 2);
    beat([100, 101]);
    // Nobody is silent yet, and so it is not over.
    expect(guard.isActive).toBe(true);
    expect(pass(THRESHOLD_MS / 2)).toEqual([]);
    expect(state(111)).toBe("late");
    selfBeat.sentNs = harness.observer.clock.lastNs;
    expect(pass(THRESHOLD_MS / 4 - 1)).toEqual([]);
    expect(pass(1)).toEqual(range(10, 102));
    expect(watch.counters.get(GUARD.times)).toBe(0);
    expect(guard.changes).toMatchObject([{ kind: "over", end: "judged", silent: 10 }]);
  });

  test("that was active before the start is over if all beat, and a window of any length ends", () => {
    const { pass, guard, harness, watch, beat } = watching(12);
    const startNs = harness.clock.ns;
    const before = { isActive: true, sinceNs: startNs - 1, windowNs: 9e18 };
    watch.restore({ ...before, silent: 9, members: 12, restNs: 9e18 }, startNs, THRESHOLD_NS);
    pass(THRESHOLD_MS / 2);
    beat(range(12, 100));
    pass(THRESHOLD_MS / 2);
    beat(range(12, 100));
    expect(guard.isActive).toBe(true);
    pass(THRESHOLD_MS / 4);
    expect(guard.changes).toMatchObject([{ kind: "over", end: "back", silent: 0 }]);
  });

  test("does not become active in a rest of before the start, which has its bound", () => {
    for (const [restMs, isActive] of [
      [THRESHOLD_MS, false],
      [0, true],
    ] as const) {
      const { pass, guard, harness, watch } = watching(12);
      const startNs = harness.clock.ns;
      const restNs = startNs + restMs * NS_PER_MS + 1;
      const before = { isActive: false, sinceNs: 0, windowNs: 0, silent: 0, members: 0 };
      watch.restore({ ...before, restNs }, startNs, THRESHOLD_NS);
      expect(guard.memory(startNs)).toEqual({ ...before, restNs });
      pass(THRESHOLD_MS);
      expect(guard.isActive).toBe(isActive);
    }
    const { guard, harness, watch } = watching(12);
    const startNs = harness.clock.ns;
    const before = { isActive: false, sinceNs: 0, windowNs: 0, silent: 0, members: 0 };
    watch.restore({ ...before, restNs: 9e18 }, startNs, THRESHOLD_NS);
    expect(guard.memory(startNs)!.restNs).toBe(startNs + 60 * NS_PER_S);
  });

  test("reports those who still are silent after one more threshold and a self-beat", () => {
    const { pass, selfBeat, harness, beat } = watching(12);
    pass(THRESHOLD_MS);
    expect(pass(THRESHOLD_MS / 2)).toEqual([]);
    selfBeat.sentNs = harness.observer.clock.lastNs;
    beat([111]);
    expect(harness.observer.nextDeadline()).toBe(harness.clock.ns + THRESHOLD_NS / 2);
    expect(pass(THRESHOLD_MS / 2)).toEqual(range(5, 106));
    expect(pass(THRESHOLD_MS / 2)).toEqual([111]);
  });

  test("is over when all are heard again, and reported nobody that it held", () => {
    const { pass, guard, beat, tracker } = watching(12);
    pass(THRESHOLD_MS);
    beat(range(12, 100));
    expect(pass(1)).toEqual([]);
    expect(guard.changes.map(({ kind }) => kind)).toEqual(["active", "over"]);
    expect([tracker.table.lanes.isHolding, tracker.table.lanes.heldCount]).toEqual([false, 0]);
  });

  test("judges a member whose end is known, whoever is held", () => {
    const { pass, tracker } = watching(12);
    pass(THRESHOLD_MS);
    tracker.ends.note(tracker.slotOf(108));
    expect(pass(1)).toEqual([108]);
  });

  test("reports nobody twice whose process ends after it was judged", () => {
    const { pass, selfBeat, harness, tracker, watch } = watching(12);
    pass(THRESHOLD_MS);
    selfBeat.sentNs = harness.observer.clock.lastNs;
    expect(pass(THRESHOLD_MS)).toEqual(range(6, 106));
    expect(watch.isHeld(106)).toBe(false);
    tracker.ends.note(tracker.slotOf(106));
    expect(pass(THRESHOLD_MS)).toEqual([]);
    tracker.checkInvariants();
  });

  test("judges one that is held and gets a grace, when that is over", () => {
    const { pass, selfBeat, harness, tracker } = watching(12);
    pass(THRESHOLD_MS);
    const { lanes } = tracker.table;
    const terms = { thresholdNs: THRESHOLD_NS, lateNs: Number.POSITIVE_INFINITY };
    lanes.change(tracker.slotOf(106), { ...terms, graceNs: 4 * THRESHOLD_NS });
    selfBeat.sentNs = harness.observer.clock.lastNs;
    expect(pass(THRESHOLD_MS)).toEqual(range(5, 107));
    expect(lanes.heldCount).toBe(0);
    tracker.checkInvariants();
    expect(pass(2 * THRESHOLD_MS)).toEqual([106]);
    expect([lanes.heldCount, tracker.stallEmittedCount]).toEqual([0, 12]);
  });

  test("reports one that falls silent later as ever", () => {
    const { pass, selfBeat, harness, beat } = watching(12);
    pass(THRESHOLD_MS);
    selfBeat.sentNs = harness.observer.clock.lastNs;
    pass(THRESHOLD_MS);
    pass(1);
    beat(range(12, 100));
    pass(THRESHOLD_MS / 2);
    beat(range(11, 100));
    expect(pass(THRESHOLD_MS / 2)).toEqual([111]);
  });

  test("takes a pause for evidence", () => {
    const { pass, guard, harness } = watching(12, THRESHOLD_NS / 4);
    pass(THRESHOLD_MS);
    const untilNs = guard.view!.untilNs;
    harness.pass(THRESHOLD_MS / 2);
    harness.pump();
    expect(guard.view!.untilNs).toBe(untilNs + THRESHOLD_NS / 2);
  });

  test("without many members judges each of them when it is due", () => {
    const { pass, guard } = watching(9);
    expect(pass(THRESHOLD_MS)).toEqual(range(9, 100));
    expect(guard.changes).toEqual([]);
    expect(pass(NS_PER_S / NS_PER_MS)).toEqual([]);
  });
});
