// What a time in which no agent could be heard does to deadlines (spec 12 section 8).
import { describe, expect, test } from "bun:test";
import { Pauses } from "../../src/tracker/pauses.ts";
import { Harness, THRESHOLD } from "./harness.ts";

describe("Pauses", () => {
  test("excuse those who beat before a pause ended, by all pauses since", () => {
    const pauses = new Pauses();
    pauses.add(1_000, 300);
    pauses.add(2_000, 50);
    expect([0, 700, 999, 1_000, 1_999, 2_000, 9_000].map((ns) => pauses.sinceNs(ns))).toEqual([
      350, 350, 350, 50, 50, 0, 0,
    ]);
  });

  test("keep the last 64, so that a machine that is always late still judges", () => {
    const pauses = new Pauses();
    for (let i = 1; i <= 100; i++) pauses.add(i, 1);
    expect(pauses.sinceNs(0)).toBe(64);
    expect(pauses.sinceNs(90)).toBe(10);
  });
});

describe("a pause", () => {
  test("moves the deadline of everyone who was silent through it, and of none that beats after it", () => {
    const h = new Harness({ capacity: 4 });
    h.beat(1, 1, 10);
    h.beat(2, 1, 20);
    h.tracker.pauses.add(500, 400);
    h.beat(3, 1, 500);
    expect(h.tracker.nextDeadline()).toBe(10 + THRESHOLD + 400);
    expect(h.stalled(509)).toEqual([]);
    expect(h.stalled(510)).toEqual([1]);
    expect(h.stalled(599)).toEqual([2]);
    expect(h.stalled(600)).toEqual([3]);
    h.tracker.checkInvariants();
  });

  test("after which silence begins again gives every agent a whole threshold, and later ones add to it", () => {
    const h = new Harness({ capacity: 4 });
    h.beat(1, 1, 10);
    h.beat(2, 1, 20);
    h.tracker.pauses.add(500, 400);
    h.tracker.pauses.beginAnew(500);
    h.beat(3, 1, 510);
    expect(h.tracker.nextDeadline()).toBe(500 + THRESHOLD);
    h.tracker.pauses.add(550, 30);
    expect(h.tracker.nextDeadline()).toBe(500 + THRESHOLD + 30);
    expect(h.stalled(500 + THRESHOLD + 29)).toEqual([]);
    expect(h.stalled(500 + THRESHOLD + 30)).toEqual([1, 2]);
    expect(h.stalled(510 + THRESHOLD + 30)).toEqual([3]);
    h.tracker.checkInvariants();
  });

  test("gives back one threshold at most between two beats: who died is judged, however often it stands still", () => {
    const h = new Harness({ capacity: 4 });
    h.beat(1, 1, 0);
    h.beat(2, 1, 0);
    h.change(2, 10 * THRESHOLD);
    // Of each 300, 50 are a pause, after which silence begins again.
    for (let now = 300; now <= 3_000; now += 300) {
      h.tracker.pauses.add(now, 50);
      h.tracker.pauses.beginAnew(now);
      if (now === 2_100) h.beat(3, 1, now);
    }
    h.change(3, 10 * THRESHOLD);
    const deadlines = [1, 2, 3].map((pid) =>
      h.tracker.table.lanes.deadlineOf(h.tracker.slotOf(pid)),
    );
    // Twice its threshold of silence while it could be heard, and the pauses.
    expect(deadlines).toEqual([200 + 500, 2_000 + 500, 3_000 + 1_000]);
    expect(h.due(3_000).stalled).toEqual([1, 2]);
    h.tracker.checkInvariants();
  });

  test("comes on top of the time before the start, which is neither silence nor given back", () => {
    const h = new Harness({ capacity: 4 });
    h.beat(1, 1, 0);
    h.tracker.pauses.startAt(9 * THRESHOLD);
    const deadline = (pid: number) => h.tracker.table.lanes.deadlineOf(h.tracker.slotOf(pid));
    expect(deadline(1)).toBe(10 * THRESHOLD);
    expect(h.tracker.pauses.sinceNs(0)).toBe(0);
    for (let at = 10; at <= 13; at++) {
      h.tracker.pauses.add(at * THRESHOLD, 5);
      h.tracker.pauses.beginAnew(at * THRESHOLD);
    }
    expect(deadline(1)).toBe(11 * THRESHOLD + 20);
    h.beat(2, 1, 13 * THRESHOLD);
    expect(deadline(2)).toBe(14 * THRESHOLD);
    expect(h.due(13 * THRESHOLD).stalled).toEqual([1]);
    h.tracker.checkInvariants();
  });

  test("and an outage of the daemon evict nobody who could not be heard", () => {
    const h = new Harness({ capacity: 1, policy: "balanced" });
    h.beat(1, 1, 0);
    h.tracker.pauses.startAt(50 * THRESHOLD);
    expect(h.beat(2, 1, 60 * THRESHOLD)).toBe("CapacityExceeded");
    expect(h.beat(2, 1, 1 + 60 * THRESHOLD)).toBe("Inserted");
  });

  test("does not begin the silence again for which an agent is evicted", () => {
    const h = new Harness({ capacity: 1, policy: "balanced" });
    h.beat(1, 1, 0);
    h.tracker.pauses.add(9 * THRESHOLD, 10);
    h.tracker.pauses.beginAnew(9 * THRESHOLD);
    expect(h.beat(2, 1, 11 + 10 * THRESHOLD)).toBe("Inserted");
  });

  test("leaves the time of the last beat as it was: a stall has the whole silence", () => {
    const h = new Harness({ capacity: 1 });
    h.beat(1, 1, 10);
    h.tracker.pauses.add(500, 400);
    h.stalled(510);
    expect(h.tracker.slots.lastNs[0]).toBe(10);
  });

  test("is no silence for which an agent could be evicted", () => {
    const h = new Harness({ capacity: 1, policy: "balanced" });
    h.beat(1, 1, 0);
    h.tracker.pauses.add(5_000, 5_000);
    expect(h.beat(2, 1, 5_000 + 10 * THRESHOLD)).toBe("CapacityExceeded");
    expect(h.beat(2, 1, 5_001 + 10 * THRESHOLD)).toBe("Inserted");
  });
});
