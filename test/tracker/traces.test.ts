// The worked traces of spec 03 section 13, letter by letter.
import { afterEach, describe, expect, test } from "bun:test";
import { Harness, K, MAX, NET, W } from "./harness.ts";

let h: Harness;
afterEach(() => h.tracker.checkInvariants());

describe("Tracker follows the worked trace", () => {
  test("A: nonces wrap inside the distance at both ends, edges included", () => {
    h = new Harness();
    expect([
      h.beat(7, MAX - 1n, 0),
      h.beat(7, 0, 1),
      h.beat(7, MAX - W, 2),
      h.beat(7, W, 3),
      h.beat(7, MAX - 1n, 4),
      h.beat(7, W - 1n, 5),
    ]).toEqual(["Inserted", "Refreshed", "Refreshed", "OutOfOrder", "Refreshed", "Refreshed"]);
    expect(h.takeMoved()).toEqual({ nonceWraps: 2, outOfOrder: 1 });
  });

  test("B: terminal frames are ordered by their timestamps and leave the regular nonce alone", () => {
    h = new Harness();
    expect(h.beat(7, 2_000_000, 10)).toBe("Inserted");
    expect(h.beat(7, MAX, 20, { ts: 2_000_001n })).toBe("Refreshed");
    expect(h.drain(120)).toEqual([{ pid: 7, nonce: MAX, lastNs: 20, origin: K }]);
    expect(h.beat(7, 2_000_001, 130)).toBe("Refreshed");
    expect(h.beat(7, MAX, 140, { ts: 2_000_001n })).toBe("OutOfOrder");
    expect(h.beat(7, MAX, 150, { ts: 2_000_002n })).toBe("Refreshed");
    expect(h.latched(7)).toBe(false);
    expect(h.takeMoved()).toEqual({ outOfOrder: 1 });
  });

  test("C: the first origin wins in both directions", () => {
    h = new Harness();
    expect([
      h.beat(7, 1, 10),
      h.beat(7, 2, 20, { origin: NET }),
      h.beat(8, 99, 10, { origin: NET }),
      h.beat(8, 1, 20),
      h.beat(8, 100, 30, { origin: NET }),
    ]).toEqual(["Inserted", "OriginConflict", "Inserted", "OriginConflict", "Refreshed"]);
    expect(h.takeMoved()).toEqual({ originConflicts: 2 });
  });

  test("D: a refused frame never pins a namespace, and a terminal frame may lack one", () => {
    h = new Harness();
    expect([
      h.beat(7, 10, 0),
      h.beat(7, 5, 10, { namespaceInode: 999 }),
      h.beat(7, 11, 20, { namespaceInode: 123 }),
      h.beat(7, 12, 30),
      h.beat(7, MAX, 40, { ts: 50n }),
    ]).toEqual(["Inserted", "OutOfOrder", "Refreshed", "NamespaceConflict", "Refreshed"]);
    expect(h.tracker.slots.namespaceInode[h.tracker.slotOf(7)]).toBe(123);
    expect(h.takeMoved()).toEqual({ outOfOrder: 1, namespaceConflicts: 1 });
  });

  test("E: a stall comes at the threshold, once per silence run", () => {
    h = new Harness();
    h.beat(1, 1, 0);
    expect([h.stalled(99), h.stalled(100), h.stalled(200)]).toEqual([[], [1], []]);
    expect(h.beat(1, 2, 250)).toBe("Refreshed");
    expect([h.stalled(349), h.stalled(350)]).toEqual([[], [1]]);
  });

  test("F: the strict policy evicts only after ten thresholds and a surfaced stall", () => {
    h = new Harness({ capacity: 2, policy: "strict" });
    expect([h.beat(1, 1, 0), h.beat(2, 1, 0), h.beat(3, 1, 5_000)]).toEqual([
      "Inserted",
      "Inserted",
      "CapacityExceeded",
    ]);
    expect(h.stalled(1_000)).toEqual([1, 2]);
    expect([h.beat(3, 1, 1_000), h.beat(3, 1, 1_001), h.beat(1, 2, 1_002)]).toEqual([
      "CapacityExceeded",
      "Inserted",
      "Inserted",
    ]);
    expect(h.takeMoved()).toEqual({ evictionScanTruncated: 2, evictions: 2, capacityExceeded: 2 });
    expect(h.removedPids()).toEqual([2, 1]);
  });

  test("G: the balanced policy evicts a silent agent that was never judged", () => {
    h = new Harness({ capacity: 2, policy: "balanced" });
    expect([h.beat(1, 1, 0), h.beat(2, 1, 900), h.beat(3, 1, 1_001), h.beat(4, 1, 1_002)]).toEqual([
      "Inserted",
      "Inserted",
      "Inserted",
      "CapacityExceeded",
    ]);
    expect(h.removedPids()).toEqual([1]);
    expect(h.takeMoved()).toEqual({ evictions: 1, evictionScanTruncated: 1, capacityExceeded: 1 });
  });

  test("H: a network agent that restarts after a threshold of silence is a new process", () => {
    h = new Harness();
    expect([
      h.beat(7, 5_000, 0, { origin: NET }),
      h.beat(7, 1, 99, { origin: NET }),
      h.beat(7, 1, 100, { origin: NET }),
      h.beat(7, 1, 300),
    ]).toEqual(["Inserted", "OutOfOrder", "Inserted", "OriginConflict"]);
    expect(h.takeMoved()).toEqual({ pidRecycles: 1, originConflicts: 1, outOfOrder: 1 });
  });

  test("I: a different start time is a new process, whatever its namespace says", () => {
    h = new Harness();
    expect(h.beat(7, 5_000, 0, { namespaceInode: 10, generation: 111 })).toBe("Inserted");
    h.startTimes.set(7, 111);
    expect(h.stalled(200)).toEqual([7]);
    expect(h.beat(7, 1, 300, { namespaceInode: 11, generation: 222 })).toBe("Inserted");
    expect([h.latched(7), h.tracker.stallEmittedCount]).toEqual([false, 0]);
    expect(h.beat(7, 1, 310, { namespaceInode: 11, generation: 222 })).toBe("OutOfOrder");
    expect(h.beat(7, 2, 320, { namespaceInode: 11 })).toBe("Refreshed");
    expect(h.takeMoved()).toEqual({ pidRecycles: 1, outOfOrder: 1 });
  });
});
