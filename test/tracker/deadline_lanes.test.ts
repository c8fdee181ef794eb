import { describe, expect, test } from "bun:test";
import { THRESHOLDS_MAX } from "../../src/base/limits.ts";
import { Harness } from "./harness.ts";

/** Pids of each lane from head to tail, with its threshold. */
function lanes(h: Harness): [threshold: number, pids: number[]][] {
  const { table, slots } = h.tracker;
  return Array.from({ length: table.lanes.laneCount }, (_, lane) => {
    const pids: number[] = [];
    for (let slot = table.lanes.head[lane]!; slot >= 0; slot = slots.next[slot]!)
      pids.push(slots.pid[slot]!);
    return [table.lanes.thresholdNs[lane]!, pids];
  });
}

describe("deadline lanes", () => {
  test("order slots by their last beat, equal times by order of acceptance", () => {
    const h = new Harness();
    for (const pid of [5, 3, 9]) h.beat(pid, 1, 10);
    h.beat(3, 2, 10);
    h.beat(7, 1, 11);
    h.beat(5, 2, 12);
    expect(lanes(h)).toEqual([[100, [9, 3, 7, 5]]]);
    h.tracker.checkInvariants();
  });

  test("only move the time when the tail, or the one slot of a lane, beats again", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.beat(1, 2, 50);
    expect([lanes(h), h.tracker.nextDeadline()]).toEqual([[[100, [1]]], 150]);
    h.beat(2, 1, 60);
    h.beat(2, 2, 70);
    expect([lanes(h), h.tracker.nextDeadline()]).toEqual([[[100, [1, 2]]], 150]);
    h.tracker.checkInvariants();
  });

  test("keep their order when the caller's time runs backwards", () => {
    const h = new Harness();
    h.beat(1, 1, 10);
    h.beat(2, 1, 20);
    h.beat(3, 1, 30);
    h.beat(4, 1, 20);
    h.beat(3, 2, 5);
    expect(lanes(h)).toEqual([[100, [3, 1, 2, 4]]]);
    h.tracker.checkInvariants();
    expect(h.stalled(110)).toEqual([3, 1]);
  });

  test("treat a slot from the future as silent for no time, not for ages", () => {
    const h = new Harness();
    h.beat(1, 1, 1_000);
    expect([h.stalled(0), h.stalled(1_099), h.stalled(1_100)]).toEqual([[], [], [1]]);
  });

  test("have no deadline when nothing waits", () => {
    const h = new Harness();
    expect(h.tracker.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    h.beat(1, 1, 0);
    h.stalled(100);
    expect(h.tracker.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    h.beat(1, 2, 200);
    expect(h.tracker.nextDeadline()).toBe(300);
  });

  test("judge each slot by its own threshold, lane by lane in order of their making", () => {
    const h = new Harness();
    h.beat(1, 1, 0, { threshold: 50 });
    h.beat(2, 1, 0, { threshold: 20 });
    h.beat(3, 1, 10, { threshold: 50 });
    expect(h.tracker.nextDeadline()).toBe(20);
    expect(h.drainDue(49, 99).seen.map((s) => s.pid)).toEqual([2]);
    expect(h.drainDue(60, 99).seen.map((s) => s.pid)).toEqual([1, 3]);
  });

  test("keep a member in its lane, whatever the threshold of a new one is by then", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.beat(1, 2, 10, { threshold: 500 });
    expect([lanes(h), h.tracker.nextDeadline()]).toEqual([[[100, [1]]], 110]);
    expect(h.drainDue(110, 99).seen.map((s) => s.pid)).toEqual([1]);
    h.beat(1, 3, 200, { threshold: 500 });
    expect([lanes(h), h.tracker.nextDeadline()]).toEqual([[[100, [1]]], 300]);
    expect(h.tracker.thresholdOf(0)).toBe(100);
  });

  test("give a member another threshold, in order of its last beat", () => {
    const h = new Harness();
    for (let pid = 1; pid <= 5; pid++) h.beat(pid, 1, pid * 10);
    for (const pid of [4, 2, 5]) h.change(pid, 40);
    expect(lanes(h)).toEqual([
      [100, [1, 3]],
      [40, [2, 4, 5]],
    ]);
    expect(h.tracker.nextDeadline()).toBe(60);
    h.tracker.checkInvariants();
    h.change(2, 100);
    h.change(2, 100);
    expect(lanes(h)).toEqual([
      [100, [1, 2, 3]],
      [40, [4, 5]],
    ]);
    h.tracker.checkInvariants();
    expect(h.drainDue(120, 99).seen.map((s) => s.pid)).toEqual([1, 2, 4, 5]);
  });

  test("let a member whose stall was reported change its threshold and wait for no deadline", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.stalled(100);
    h.change(1, 500);
    expect(h.tracker.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    h.tracker.checkInvariants();
    h.beat(1, 2, 200);
    expect(h.tracker.nextDeadline()).toBe(700);
  });

  test("are asked again when a member changes its threshold as it is judged", () => {
    const h = new Harness();
    for (const pid of [1, 2, 3]) h.beat(pid, 1, 0);
    const asked: number[] = [];
    const changes = new Map([
      [1, 500],
      [2, 50],
    ]);
    h.tracker.judgeGate = {
      mayJudge: (slot) => {
        const pid = h.tracker.slots.pid[slot]!;
        asked.push(pid);
        h.change(pid, changes.get(pid) ?? 100);
        return true;
      },
    };
    const { seen, taken } = h.drainDue(100, 99);
    expect([seen.map((s) => s.pid), taken]).toEqual([[3, 2], 2]);
    expect(asked).toEqual([1, 2, 3, 2]);
    h.tracker.checkInvariants();
    expect(h.drainDue(500, 99).seen.map((s) => s.pid)).toEqual([1]);
  });

  test("judge nobody early whose lane becomes that of a longer threshold", () => {
    const h = new Harness();
    for (let i = 1; i <= THRESHOLDS_MAX; i++) h.beat(i, 1, 0, { threshold: i * 10 });
    const renamed = { mayJudge: () => true };
    h.tracker.judgeGate = renamed;
    renamed.mayJudge = () => {
      h.change(1, 7_000);
      return true;
    };
    expect(h.drainDue(10, 99)).toEqual({ seen: [], taken: 0 });
    expect([lanes(h)[0], h.takeMoved()]).toEqual([[7_000, [1]], {}]);
    h.tracker.checkInvariants();
  });

  test("give a process that takes over a pid the threshold of a new member", () => {
    const h = new Harness();
    h.beat(1, 1, 0, { generation: 5 });
    h.beat(1, 1, 10, { generation: 6, threshold: 500 });
    expect(lanes(h)).toEqual([
      [100, []],
      [500, [1]],
    ]);
    h.tracker.checkInvariants();
  });

  test("take a limited number per drain and leave the rest due", () => {
    const h = new Harness();
    for (let pid = 1; pid <= 5; pid++) h.beat(pid, 1, pid);
    expect(h.drainDue(1_000, 2).seen.map((s) => s.pid)).toEqual([1, 2]);
    expect(h.tracker.nextDeadline()).toBe(103);
    expect(h.drainDue(1_000, 0)).toEqual({ seen: [], taken: 0 });
    expect(h.drainDue(1_000, 99).taken).toBe(3);
    expect(h.drainDue(1_000, 99).taken).toBe(0);
    h.tracker.checkInvariants();
  });

  test("are untouched by refused frames", () => {
    const h = new Harness();
    h.beat(1, 5, 0, { namespaceInode: 10 });
    h.beat(2, 5, 1);
    const before = h.snapshot();
    expect(h.beat(1, 5, 50, { namespaceInode: 10 })).toBe("OutOfOrder");
    expect(h.beat(1, 6, 50, { namespaceInode: 11 })).toBe("NamespaceConflict");
    expect(h.beat(1, 6, 50, { namespaceInode: 10, origin: 3 })).toBe("OriginConflict");
    expect(h.snapshot()).toBe(before);
  });

  test("hold so many thresholds; one more reuses a lane that stands empty", () => {
    const h = new Harness({ capacity: 400 });
    for (let i = 1; i <= THRESHOLDS_MAX; i++) h.beat(i, 1, 0, { threshold: i * 10, generation: 5 });
    expect(h.takeMoved()).toEqual({});
    h.startTimes.set(1, 6);
    expect(h.drainDue(10, 99)).toEqual({ seen: [], taken: 1 });
    h.takeMoved();
    h.beat(399, 1, 15, { threshold: 5_000 });
    expect(lanes(h)[0]).toEqual([5_000, [399]]);
    expect(h.takeMoved()).toEqual({});
    // The lane of a member whose stall was reported is its own: it will beat again.
    expect(h.drainDue(20, 99).seen.map((s) => s.pid)).toEqual([2]);
    h.beat(398, 1, 20, { threshold: 6_000 });
    expect(h.takeMoved()).toEqual({ invariantViolations: 1 });
    expect([lanes(h)[1], h.tracker.thresholdOf(h.tracker.slotOf(2))]).toEqual([[20, []], 20]);
    h.tracker.checkInvariants();
  });

  test("judge one threshold more early, never late, when no lane is empty, and count it", () => {
    const h = new Harness({ capacity: 400 });
    for (let i = 1; i <= THRESHOLDS_MAX; i++) h.beat(i, 1, 0, { threshold: i * 10 });
    h.beat(350, 1, 0, { threshold: 55 });
    h.beat(351, 1, 0, { threshold: 5_000 });
    h.beat(352, 1, 0, { threshold: 5 });
    const found = new Map(lanes(h));
    expect([found.get(50), found.get(2_560), found.get(10)]).toEqual([
      [5, 350],
      [256, 351],
      [1, 352],
    ]);
    expect(h.takeMoved()).toEqual({ invariantViolations: 3 });
    h.tracker.checkInvariants();
  });
});

describe("late members", () => {
  const LATE = { lateNs: 40 };

  test("are found once for each silence, at their late, and stall at their threshold", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, LATE);
    expect(h.tracker.nextDeadline()).toBe(40);
    expect(h.due(39)).toEqual({ stalled: [], late: [] });
    expect(h.due(40)).toEqual({ stalled: [], late: [1] });
    expect(h.tracker.nextDeadline()).toBe(100);
    expect(h.due(99)).toEqual({ stalled: [], late: [] });
    expect(h.due(100)).toEqual({ stalled: [1], late: [] });
    h.beat(1, 2, 200);
    expect(h.due(240)).toEqual({ stalled: [], late: [1] });
    h.tracker.checkInvariants();
  });

  test("are no longer late with a beat, and may be late again", () => {
    const h = new Harness();
    for (const pid of [1, 2, 3]) {
      h.beat(pid, 1, pid);
      h.change(pid, 100, LATE);
    }
    expect(h.due(42).late).toEqual([1, 2]);
    h.beat(1, 2, 50);
    h.tracker.checkInvariants();
    expect(h.due(60).late).toEqual([3]);
    expect(h.due(89).late).toEqual([]);
    expect(h.due(90).late).toEqual([1]);
    expect(h.due(150)).toEqual({ stalled: [2, 3, 1], late: [] });
  });

  test("are not told if their stall is due at the same time", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, LATE);
    expect(h.due(100)).toEqual({ stalled: [1], late: [] });
  });

  test("are not told if the end of their process was", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, LATE);
    h.tracker.ends.note(h.tracker.slotOf(1));
    expect(h.due(60)).toEqual({ stalled: [], late: [] });
    expect(h.due(100)).toEqual({ stalled: [1], late: [] });
  });

  test("are late when a pause is not counted as silence", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, LATE);
    h.tracker.pauses.add(30, 25);
    expect(h.due(64).late).toEqual([]);
    expect(h.due(65).late).toEqual([1]);
  });

  test("stay late when they get another rule, and are not told again", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, LATE);
    h.due(40);
    h.change(1, 200, { lateNs: 90 });
    expect(h.due(150)).toEqual({ stalled: [], late: [] });
    expect(h.due(200)).toEqual({ stalled: [1], late: [] });
  });

  test("are at most as many at a time as a drain may move; the others are told next", () => {
    const h = new Harness();
    for (const pid of [1, 2, 3]) {
      h.beat(pid, 1, 0);
      h.change(pid, 100, LATE);
    }
    h.drainDue(40, 2);
    expect(h.lates.splice(0)).toEqual([1, 2]);
    expect(h.tracker.nextDeadline()).toBe(40);
    h.drainDue(40, 2);
    expect(h.lates).toEqual([3]);
  });
});

describe("new members with a grace", () => {
  test("are judged at the end of it, or at their threshold if that is later", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, { graceNs: 250 });
    h.beat(2, 1, 200);
    h.change(2, 100, { graceNs: 30 });
    expect(h.due(249)).toEqual({ stalled: [], late: [] });
    expect(h.tracker.nextDeadline()).toBe(250);
    expect(h.due(250).stalled).toEqual([1]);
    expect(h.due(300).stalled).toEqual([2]);
    h.tracker.checkInvariants();
  });

  test("are judged by their last beat if they beat in between", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, { graceNs: 250 });
    h.due(150);
    h.beat(1, 2, 200);
    expect(h.due(299).stalled).toEqual([]);
    expect(h.due(300).stalled).toEqual([1]);
  });

  test("are not late before its end, and late then", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, { lateNs: 40, graceNs: 90 });
    expect(h.due(60)).toEqual({ stalled: [], late: [] });
    expect(h.due(90)).toEqual({ stalled: [], late: [1] });
    expect(h.due(100).stalled).toEqual([1]);
  });

  test("have it once: their next silence is judged as any other", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, { graceNs: 250 });
    h.due(250);
    h.beat(1, 2, 260);
    expect(h.due(360).stalled).toEqual([1]);
  });

  test("have it without the pauses, and a silence that begins anew gives no second one", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, { graceNs: 250 });
    h.tracker.pauses.add(200, 50);
    h.tracker.pauses.beginAnew(200);
    expect(h.due(299).stalled).toEqual([]);
    expect(h.due(300).stalled).toEqual([1]);
  });

  test("that leave the table while they wait leave nothing behind", () => {
    const h = new Harness();
    for (const pid of [1, 2, 3]) {
      h.beat(pid, 1, pid);
      h.change(pid, 100, { graceNs: 1_000 - 100 * pid });
    }
    h.due(200);
    h.tracker.ends.leave(h.tracker.slotOf(2));
    h.tracker.checkInvariants();
    expect(h.due(1_000).stalled).toEqual([1, 3]);
    expect(h.tracker.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });

  test("are judged by a new rule's grace when they run another program", () => {
    const h = new Harness();
    h.beat(1, 1, 0);
    h.change(1, 100, { graceNs: 1_000 });
    expect(h.due(200).stalled).toEqual([]);
    h.change(1, 100, { graceNs: 300 });
    expect(h.tracker.nextDeadline()).toBe(100);
    expect(h.due(299).stalled).toEqual([]);
    expect(h.due(300).stalled).toEqual([1]);
  });
});
