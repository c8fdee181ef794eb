import { describe, expect, test } from "bun:test";
import { collidingKeys } from "../reference/bounded_index.ts";
import { Harness, NET } from "./harness.ts";

/** A full tracker of pids 1..count, last heard at 0. */
function full(count: number, policy: "strict" | "balanced", window?: number): Harness {
  const h = new Harness({ capacity: count, policy, ...(window !== undefined && { window }) });
  for (let pid = 1; pid <= count; pid++) h.beat(pid, 1, 0);
  return h;
}

describe("eviction", () => {
  test("refuses at exactly ten thresholds of silence and evicts one nanosecond later", () => {
    const h = full(1, "balanced");
    expect(h.beat(9, 1, 1_000)).toBe("CapacityExceeded");
    expect(h.beat(9, 1, 1_001)).toBe("Inserted");
    expect(h.livePids()).toEqual([9]);
    h.tracker.checkInvariants();
  });

  test("never takes an agent that did not stall under the strict policy", () => {
    const h = full(3, "strict");
    h.stalled(100);
    h.beat(1, 2, 150);
    h.beat(3, 2, 150);
    expect([h.beat(8, 1, 1e6), h.beat(9, 1, 1e6)]).toEqual(["Inserted", "CapacityExceeded"]);
    expect(h.removedPids()).toEqual([2]);
  });

  test("is possible under the strict policy only after a drain surfaced the stall", () => {
    const h = full(2, "strict");
    expect(h.beat(9, 1, 1e6)).toBe("CapacityExceeded");
    h.drain(1e6);
    expect(h.beat(9, 1, 1e6)).toBe("Inserted");
  });

  test("counts the fast refusal of the strict policy and leaves the cursor alone", () => {
    const h = full(3, "strict", 1);
    for (let attempt = 0; attempt < 5; attempt++) h.beat(9, 1, 1e6);
    expect(h.takeMoved()).toEqual({ evictionScanTruncated: 5, capacityExceeded: 5 });
    h.stalled(1e6);
    h.beat(9, 1, 1e6);
    // Had the cursor moved, a window of one would not have found pid 1 first.
    expect(h.removedPids()).toEqual([1]);
  });

  test("refuses when every slot is latched but none is silent for ten thresholds", () => {
    const h = full(3, "balanced");
    h.stalled(500);
    const before = h.snapshot();
    expect(h.beat(9, 1, 1_000)).toBe("CapacityExceeded");
    expect(h.snapshot()).toBe(before);
    h.tracker.checkInvariants();
  });

  test("keeps latch count and lanes right for a latched and for an un-latched victim", () => {
    const h = full(2, "balanced");
    h.beat(2, 2, 50);
    h.stalled(120);
    expect([h.latched(1), h.latched(2)]).toEqual([true, false]);
    h.beat(8, 1, 5_000);
    expect([h.tracker.stallEmittedCount, h.removedPids()]).toEqual([0, [1]]);
    h.beat(9, 1, 5_000);
    expect([h.tracker.stallEmittedCount, h.removedPids()]).toEqual([0, [2]]);
    h.tracker.checkInvariants();
    expect(h.stalled(5_100)).toEqual([8, 9]);
  });

  test("lets an evicted pid return at once as a fresh slot", () => {
    const h = full(2, "balanced");
    h.beat(9, 5, 5_000);
    expect(h.beat(1, 1, 5_000)).toBe("Inserted");
    expect(h.livePids()).toEqual([9, 1]);
    expect(h.removedPids()).toEqual([2, 1]);
    expect(h.tracker.isTracked(1)).toBe(true);
  });

  test("looks at no more slots than its window and moves on by one window per failed attempt", () => {
    const h = full(10, "balanced", 3);
    // Only pid 8 (slot 7) stays silent: it lies in the third window.
    for (let pid = 1; pid <= 10; pid++) if (pid !== 8) h.beat(pid, 2, 4_000);
    expect([1, 2, 3, 4].map(() => h.beat(99, 1, 4_050))).toEqual([
      "CapacityExceeded",
      "CapacityExceeded",
      "Inserted",
      "OutOfOrder",
    ]);
    expect(h.takeMoved()).toEqual({
      evictionScanTruncated: 2,
      capacityExceeded: 2,
      evictions: 1,
      outOfOrder: 1,
    });
  });

  test("wraps its cursor around the ring", () => {
    const h = full(5, "balanced", 2);
    for (const pid of [2, 3, 4, 5]) h.beat(pid, 2, 4_000);
    h.beat(99, 1, 4_050);
    expect(h.livePids()[0]).toBe(99);
    // Next scans: slots 1-2, 3-4, 0-1. No other agent is silent.
    for (let attempt = 0; attempt < 3; attempt++)
      expect(h.beat(98, 1, 4_060)).toBe("CapacityExceeded");
    h.tracker.checkInvariants();
  });

  test("starts the balanced pass one window after the strict pass that found nothing", () => {
    const h = full(4, "balanced", 2);
    h.beat(1, 2, 100);
    h.beat(2, 2, 100);
    h.beat(4, 2, 100);
    h.stalled(150);
    expect(h.latched(3)).toBe(true);
    // A fresh latch on 3 only; strict searches slots 0-1, balanced then 2-3.
    expect(h.beat(9, 1, 5_000)).toBe("Inserted");
    expect(h.removedPids()).toEqual([3]);
  });

  test("leaves the cursor where it was when a scan saw every slot and found no victim", () => {
    const h = new Harness({ capacity: 3, policy: "balanced", window: 256 });
    h.beat(6, 1, 30);
    h.beat(10, 1, 80);
    h.beat(8, 1, 81);
    // A window of 256 over three slots moves the cursor by three, which is no move at all.
    expect(h.beat(4, 1, 82)).toBe("CapacityExceeded");
    expect(h.beat(2, 1, 1_083)).toBe("Inserted");
    expect(h.removedPids()).toEqual([6]);
  });

  test("clamps its window at both ends and accepts one that is larger than the table", () => {
    for (const window of [0, -5, 1]) {
      const h = full(3, "balanced", window);
      h.beat(1, 2, 4_000);
      expect([h.beat(9, 1, 4_050), h.beat(9, 1, 4_050)]).toEqual(["CapacityExceeded", "Inserted"]);
    }
    const wide = full(3, "balanced", 1e9);
    wide.beat(1, 2, 4_000);
    expect(wide.beat(9, 1, 4_050)).toBe("Inserted");
  });

  test("never happens when ten thresholds leave the exact range", () => {
    const h = new Harness({ capacity: 1, policy: "balanced" });
    const threshold = 2 ** 52;
    h.beat(1, 1, 0, { threshold });
    expect(h.beat(2, 1, 2 ** 53, { threshold })).toBe("CapacityExceeded");
  });

  test("restores the victim whole when the index refuses the newcomer", () => {
    // 64 pids fill a probe path; a 65th finds neither a free bucket nor the victim's tombstone on
    // it.
    const crowd = collidingKeys(66, 40, 256);
    const h = new Harness({ capacity: 66, policy: "balanced", window: 4_096 });
    const outsider = collidingKeys(1, 180, 256)[0]!;
    h.beat(outsider, 1, 0);
    for (const pid of crowd.slice(0, 64)) h.beat(pid, 1, 4_000, { origin: NET });
    h.beat(collidingKeys(1, 200, 256)[0]!, 1, 4_000);
    h.stalled(150);
    expect([h.tracker.len, h.latched(outsider)]).toEqual([66, true]);
    const before = h.snapshot();
    expect(h.beat(crowd[64]!, 1, 4_050)).toBe("CapacityExceeded");
    expect(h.snapshot()).toBe(before);
    expect([h.tracker.isTracked(outsider), h.removedPids()]).toEqual([true, []]);
    expect(h.takeMoved()).toEqual({ capacityExceeded: 1, probeExhausted: 1 });
    h.tracker.checkInvariants();
  });
});
