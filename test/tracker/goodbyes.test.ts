// Members that are about to end (spec 14 section 5).
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { goodbyeNsMax } from "../../src/tracker/goodbyes.ts";
import { Harness, MAX } from "./harness.ts";

const NONE = { stalled: [], late: [] };

/** Two members with a threshold of 100 and a late of 40, of which one says goodbye at 20. */
function parting(): Harness {
  const h = new Harness();
  for (const pid of [7, 8]) {
    h.beat(pid, 1, 0, { generation: 5 });
    h.startTimes.set(pid, 5);
    h.change(pid, 100, { lateNs: 40 });
  }
  h.sayGoodbye(7, 20, 1_000);
  return h;
}

describe("a member that said goodbye", () => {
  test("owes no beats: it is neither late nor stalled, and others are", () => {
    const h = parting();
    expect(h.due(60)).toEqual({ stalled: [], late: [8] });
    expect(h.due(500)).toEqual({ stalled: [8], late: [] });
    expect(h.due(1_019)).toEqual(NONE);
    h.tracker.checkInvariants();
  });

  test("is a stall, and still says so, when its time is over", () => {
    const h = parting();
    h.due(500);
    expect(h.tracker.nextDeadline()).toBe(1_020);
    expect(h.due(1_020)).toEqual({ stalled: [7], late: [] });
    const slot = h.tracker.slotOf(7);
    expect(h.tracker.slots.saidGoodbye(slot)).toBe(true);
    expect(h.tracker.slots.goodbyeNs[slot]!).toBe(20);
  });

  test("takes it back with a beat, and is judged from that on", () => {
    const h = parting();
    h.beat(7, 2, 300, { generation: 5 });
    expect(h.tracker.slots.saidGoodbye(h.tracker.slotOf(7))).toBe(false);
    expect(h.due(339).late).toEqual([]);
    expect(h.due(340).late).toEqual([7]);
    expect(h.due(400).stalled).toEqual([7]);
    h.tracker.checkInvariants();
  });

  test("is not present, and does not beat, until it takes it back, also as a stall", () => {
    const h = parting();
    const seen = (): unknown[] => {
      h.tracker.checkInvariants();
      return [h.tracker.table.agents.presentOf(0), h.tracker.slots.isBeating(h.tracker.slotOf(7))];
    };
    expect(seen()).toEqual([1, false]);
    h.takeGoodbyeBack(7, 30);
    expect(seen()).toEqual([2, true]);
    h.sayGoodbye(7, 40, 1_000);
    h.due(1_040);
    expect(seen()).toEqual([1, false]);
    h.beat(7, 2, 1_050, { generation: 5 });
    expect(seen()).toEqual([2, true]);
    h.sayGoodbye(7, 1_060, 1_000);
    h.tracker.ends.note(h.tracker.slotOf(7));
    expect(seen()).toEqual([1, false]);
  });

  test("takes it back with its last words, too", () => {
    const h = parting();
    h.beat(7, MAX, 300, { generation: 5 });
    expect(h.due(400).stalled).toContain(7);
  });

  test("takes it back without a beat, and its silence begins there", () => {
    const h = parting();
    h.takeGoodbyeBack(7, 300);
    expect(h.due(399).stalled).toEqual([8]);
    expect(h.due(400).stalled).toEqual([7]);
  });

  test("does not begin anew when it says so again", () => {
    const h = parting();
    h.sayGoodbye(7, 600, 1_000);
    expect(h.due(1_020).stalled).toContain(7);
  });

  test("has its own grace again with the next beat", () => {
    const h = parting();
    h.change(7, 100, { graceNs: 2_000 });
    h.beat(7, 2, 300, { generation: 5 });
    expect(h.due(1_999).stalled).toEqual([8]);
    expect(h.due(2_000).stalled).toEqual([7]);
  });

  test("keeps its time when it gets another rule", () => {
    const h = parting();
    h.change(7, 50);
    expect(h.due(900).stalled).toEqual([8]);
    expect(h.due(1_020).stalled).toEqual([7]);
    const all = parting();
    all.changeAll(30, () => ({ thresholdNs: 50, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 }));
    expect(all.due(900).stalled).toEqual([8]);
    expect(all.due(1_020).stalled).toEqual([7]);
  });

  test("is not judged for the time of a pause", () => {
    const h = parting();
    h.tracker.pauses.add(500, 200);
    expect(h.due(1_219).stalled).toEqual([8]);
    expect(h.due(1_220).stalled).toEqual([7]);
  });

  test("is late no more", () => {
    const h = new Harness();
    h.beat(7, 1, 0);
    h.change(7, 100, { lateNs: 40 });
    expect(h.due(50).late).toEqual([7]);
    h.sayGoodbye(7, 60, 1_000);
    expect(h.tracker.table.lanes.isLate(h.tracker.slotOf(7))).toBe(false);
    expect(h.due(900)).toEqual(NONE);
  });

  test("whose end is an alarm is judged for it when it would have been without the goodbye", () => {
    const h = parting();
    h.tracker.ends.note(h.tracker.slotOf(7));
    expect(h.tracker.table.lanes.deadlineOf(h.tracker.slotOf(7))).toBe(100);
    expect(h.due(100).stalled.sort()).toEqual([7, 8]);
    h.tracker.checkInvariants();
  });

  test("heals no stall that was reported", () => {
    const h = new Harness();
    h.beat(7, 1, 0);
    h.due(100);
    h.sayGoodbye(7, 110, 1_000);
    expect(h.tracker.slots.saidGoodbye(h.tracker.slotOf(7))).toBe(false);
    expect(h.latched(7)).toBe(true);
    h.takeGoodbyeBack(7, 120);
    expect(h.latched(7)).toBe(true);
  });
});

test("a goodbye lasts for 90 s, or for a longer grace", () => {
  expect(goodbyeNsMax(0)).toBe(90 * NS_PER_S);
  expect(goodbyeNsMax(90 * NS_PER_S + 1)).toBe(90 * NS_PER_S + 1);
});

describe("a member that said hello", () => {
  test("is present, and beats, from its first beat on", () => {
    const h = new Harness();
    const { agents } = h.tracker.table;
    const isBeating = (): boolean => h.tracker.slots.isBeating(h.tracker.slotOf(7));
    h.greet("hello", 7, 1n, 0);
    expect([agents.membersOf(0), agents.presentOf(0), isBeating()]).toEqual([1, 0, false]);
    h.greet("bye", 7, 2n, 1);
    h.takeGoodbyeBack(7, 2);
    h.tracker.checkInvariants();
    expect([agents.presentOf(0), isBeating()]).toEqual([0, false]);
    h.beat(7, 3, 3);
    h.tracker.checkInvariants();
    expect([agents.presentOf(0), isBeating()]).toEqual([1, true]);
  });
});
