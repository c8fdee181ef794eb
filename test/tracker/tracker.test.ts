import { describe, expect, test } from "bun:test";
import {
  FRESH_AGENT_RESUMED,
  FRESH_PID_RECYCLED,
  FRESH_UNVERIFIABLE_GENERATION,
  FRESH_WARRANTED,
} from "../../src/tracker/tracker.ts";
import { collidingKeys } from "../reference/bounded_index.ts";
import { Harness, K, MAX, NET, OPERATOR } from "./harness.ts";

const SOCKET_MODE_ONLY = 2;

describe("new Tracker()", () => {
  test("has 256 slots by default and at most 2^20", () => {
    expect(new Harness().tracker.capacity).toBe(256);
    expect(new Harness({ capacity: 2 ** 30 }).tracker.capacity).toBe(1_048_576);
  });

  test("refuses every pid with capacity 0", () => {
    const h = new Harness({ capacity: 0, policy: "balanced" });
    expect([h.beat(2, 1, 0), h.beat(2, 2, 1e9)]).toEqual(["CapacityExceeded", "CapacityExceeded"]);
    expect([h.tracker.len, h.datagram.slot, h.stalled(1e9)]).toEqual([0, -1, []]);
    expect(h.takeMoved()).toEqual({ capacityExceeded: 2, evictionScanTruncated: 2 });
    h.tracker.checkInvariants();
  });
});

describe("Tracker.record()", () => {
  test("says which slot it touched or read", () => {
    const h = new Harness({ capacity: 2 });
    expect(h.datagram.slot).toBe(-1);
    const slotAfter = (pid: number, nonce: number, origin = K) => {
      h.beat(pid, nonce, 0, { origin });
      return h.datagram.slot;
    };
    expect([slotAfter(10, 1), slotAfter(11, 1), slotAfter(10, 2)]).toEqual([0, 1, 0]);
    expect([slotAfter(11, 1), slotAfter(10, 9, NET), slotAfter(12, 1)]).toEqual([1, 0, -1]);
  });

  test("stores status, payload and time of the last accepted beat", () => {
    const h = new Harness();
    h.beat(7, 1, 10, { status: 1, payload: 0xffff_ffff, namespaceInode: 42, generation: 77 });
    const { slots } = h.tracker;
    const slot = h.tracker.slotOf(7);
    const row = () => [slots.status[slot], slots.payload[slot], slots.lastNs[slot]];
    expect(row()).toEqual([1, 0xffff_ffff, 10]);
    h.beat(7, 1, 20, { status: 2, payload: 5, namespaceInode: 42, generation: 77 });
    expect(row()).toEqual([1, 0xffff_ffff, 10]);
    h.beat(7, 2, 30, { status: 2, payload: 5, namespaceInode: 42, generation: 77 });
    expect(row()).toEqual([2, 5, 30]);
    expect([slots.namespaceInode[slot], slots.generation[slot]]).toEqual([42, 77]);
    expect(slots.identityReadNs[slot]).toBe(Number.NEGATIVE_INFINITY);
  });

  test("accepts nonce 0 as the first beat and the largest pid", () => {
    const h = new Harness();
    expect([
      h.beat(0xffff_ffff, 0, 0),
      h.beat(0xffff_ffff, 0, 1),
      h.beat(0xffff_ffff, 1, 2),
    ]).toEqual(["Inserted", "OutOfOrder", "Refreshed"]);
    expect(h.stalled(200)).toEqual([0xffff_ffff]);
  });

  test("accepts any regular nonce after a first frame that was terminal", () => {
    const h = new Harness();
    expect(h.beat(7, MAX, 0, { ts: 50n })).toBe("Inserted");
    expect(h.beat(7, 0, 1)).toBe("Refreshed");
    expect(h.beat(7, MAX, 2, { ts: 49n })).toBe("OutOfOrder");
    expect(h.beat(7, MAX, 3, { ts: 50n })).toBe("OutOfOrder");
    expect(h.beat(7, 0, 4)).toBe("OutOfOrder");
    expect(h.beat(7, MAX, 5, { ts: 51n })).toBe("Refreshed");
    expect(h.drain(500)[0]).toEqual({ pid: 7, nonce: MAX, lastNs: 5, origin: K });
  });

  test("orders terminal timestamps as unsigned 64-bit numbers", () => {
    const h = new Harness();
    const ts = (value: bigint) => h.beat(7, MAX, 0, { ts: value });
    expect([
      ts(0x7fff_ffff_ffff_ffffn),
      ts(0x8000_0000_0000_0000n),
      ts(0x7fff_ffff_ffff_ffffn),
      ts(0x8000_0001_0000_0000n),
      ts(0x8000_0000_ffff_ffffn),
    ]).toEqual(["Inserted", "Refreshed", "OutOfOrder", "Refreshed", "OutOfOrder"]);
  });

  describe("pins the namespace", () => {
    const A = 10;
    const B = 11;
    const table: [
      name: string,
      first: number | undefined,
      then: number | undefined,
      terminal: boolean,
      outcome: string,
      pinned: number,
    ][] = [
      ["unknown, then unknown", undefined, undefined, false, "Refreshed", Number.NaN],
      ["unknown, then A", undefined, A, false, "Refreshed", A],
      ["A, then A", A, A, false, "Refreshed", A],
      ["A, then B", A, B, false, "NamespaceConflict", A],
      ["A, then unknown", A, undefined, false, "NamespaceConflict", A],
      ["A, then terminal from A", A, A, true, "Refreshed", A],
      ["A, then terminal from B", A, B, true, "NamespaceConflict", A],
      ["A, then terminal from unknown", A, undefined, true, "Refreshed", A],
      ["unknown, then terminal from A", undefined, A, true, "Refreshed", A],
      ["hidden (0), then A", 0, A, false, "NamespaceConflict", 0],
      ["hidden (0), then hidden", 0, 0, false, "Refreshed", 0],
    ];
    for (const [name, first, then, terminal, outcome, pinned] of table)
      test(name, () => {
        const h = new Harness();
        h.beat(7, 1, 0, { namespaceInode: first });
        expect(h.beat(7, terminal ? MAX : 2, 1, { namespaceInode: then }) as string).toBe(outcome);
        expect(h.tracker.slots.namespaceInode[0]).toBe(pinned);
      });
  });

  test("pins a generation late, keeps it over unknown ones, and ignores one that is not exact", () => {
    const h = new Harness();
    h.beat(7, 1, 0);
    h.beat(7, 1, 1, { generation: 5 });
    expect(h.tracker.slots.generation[0]).toBe(Number.NaN);
    h.beat(7, 2, 2, { generation: 5 });
    h.beat(7, 3, 3);
    expect(h.tracker.slots.generation[0]).toBe(5);
    expect(h.beat(7, 4, 4, { generation: 2 ** 53 })).toBe("Refreshed");
    expect(h.beat(8, 1, 0, { generation: 2 ** 53 })).toBe("Inserted");
    expect(h.tracker.slots.generation[1]).toBe(Number.NaN);
  });

  test("lets a recycle win over a changed origin, namespace and nonce", () => {
    const h = new Harness();
    h.beat(7, 50, 0, { namespaceInode: 10, generation: 111 });
    expect(h.beat(7, 1, 1, { namespaceInode: 11, generation: 222, origin: NET })).toBe("Inserted");
    const { slots } = h.tracker;
    expect([slots.namespaceInode[0], slots.generation[0], slots.origin[0]]).toEqual([11, 222, NET]);
    expect(h.takeMoved()).toEqual({ pidRecycles: 1 });
    h.tracker.checkInvariants();
  });

  test("forgets everything about the old process on a recycle", () => {
    const h = new Harness();
    h.beat(7, 50, 0, { generation: 1 });
    h.beat(7, MAX, 1, { ts: 900n, generation: 1 });
    h.tracker.table.slots.identityReadNs[0] = 1;
    h.beat(7, MAX, 2, { ts: 5n, generation: 2 });
    expect(h.beat(7, 1, 3, { generation: 2 })).toBe("Refreshed");
    expect(h.beat(7, MAX, 4, { ts: 6n, generation: 2 })).toBe("Refreshed");
    expect(h.tracker.slots.identityReadNs[0]).toBe(Number.NEGATIVE_INFINITY);
  });

  describe("takes a restarted network agent for a new process", () => {
    const restart = (h: Harness, now: number, origin: number, nonce: bigint | number = 1) =>
      h.beat(7, nonce, now, { origin });
    test("at the threshold, not below it", () => {
      for (const origin of [OPERATOR, NET]) {
        const h = new Harness();
        restart(h, 0, origin, 50);
        expect([restart(h, 99, origin), restart(h, 100, origin)]).toEqual([
          "OutOfOrder",
          "Inserted",
        ]);
      }
    });
    test("also when its nonce repeats, and also after its stall was surfaced", () => {
      const h = new Harness();
      restart(h, 0, NET, 50);
      h.stalled(100);
      expect(restart(h, 200, NET, 50)).toBe("Inserted");
      expect(h.tracker.stallEmittedCount).toBe(0);
      h.tracker.checkInvariants();
    });
    test("but never where the kernel vouches or a generation is known", () => {
      for (const origin of [K, SOCKET_MODE_ONLY]) {
        const h = new Harness();
        restart(h, 0, origin, 50);
        expect(restart(h, 1e9, origin)).toBe("OutOfOrder");
      }
      const h = new Harness();
      h.beat(7, 50, 0, { origin: NET, generation: 5 });
      expect(restart(h, 1e9, NET)).toBe("OutOfOrder");
    });
    test("but not by a terminal frame, and not before a regular nonce was seen", () => {
      const h = new Harness();
      h.beat(7, MAX, 0, { origin: NET, ts: 50n });
      expect(h.beat(7, MAX, 1e6, { origin: NET, ts: 50n })).toBe("OutOfOrder");
      expect(h.beat(7, 1, 1e6, { origin: NET })).toBe("Refreshed");
    });
  });

  test("stores nothing when the index has no room for the pid", () => {
    const crowd = collidingKeys(65, 30, 256);
    const h = new Harness({ capacity: 128 });
    for (const pid of crowd.slice(0, 64)) h.beat(pid, 1, 0);
    expect(h.beat(crowd[64]!, 1, 0)).toBe("CapacityExceeded");
    expect([h.tracker.len, h.tracker.isTracked(crowd[64]!)]).toEqual([64, false]);
    expect(h.takeMoved()).toEqual({ capacityExceeded: 1, probeExhausted: 1 });
    h.tracker.checkInvariants();
  });

  test("drops an index entry that points nowhere, so that the next frame is a clean miss", () => {
    const h = new Harness({ capacity: 4 });
    h.beat(7, 1, 0);
    h.tracker.table.index.insert(8, 3);
    expect([h.tracker.slotOf(8), h.tracker.isTracked(8)]).toEqual([-1, false]);
    expect(h.beat(8, 1, 0)).toBe("CapacityExceeded");
    expect(h.takeMoved()).toEqual({ invariantViolations: 1, capacityExceeded: 1 });
    expect(h.beat(8, 1, 0)).toBe("Inserted");
    h.tracker.checkInvariants();
  });
});

describe("Tracker.drainStalledSlots()", () => {
  test("takes everything at once with threshold 0", () => {
    const h = new Harness();
    h.beat(1, 1, 5, { threshold: 0 });
    h.beat(2, 1, 5, { threshold: 0 });
    expect(h.stalled(5, 0)).toEqual([1, 2]);
  });

  test("reports what the sink needs while the slot is valid", () => {
    const h = new Harness();
    h.beat(9, 17, 3, { origin: NET });
    expect(h.drain(103)).toEqual([{ pid: 9, nonce: 17n, lastNs: 3, origin: NET }]);
  });

  test("retires the first, a middle and the last slot without a callback when their pids were reused", () => {
    const h = new Harness();
    for (const pid of [10, 11, 12, 13, 14]) {
      h.beat(pid, 1, pid, { generation: pid });
      h.startTimes.set(pid, pid);
    }
    for (const pid of [10, 12, 14]) h.startTimes.set(pid, 999);
    expect(h.stalled(500)).toEqual([11, 13]);
    expect(h.livePids().sort()).toEqual([11, 13]);
    expect(h.removedPids()).toEqual([14, 12, 10]);
    expect(h.takeMoved()).toEqual({ pidRecycles: 3 });
    expect(h.startTimeReads).toBe(5);
    h.tracker.checkInvariants();
    expect([h.beat(11, 2, 600), h.beat(12, 1, 600)]).toEqual(["Refreshed", "Inserted"]);
    h.tracker.checkInvariants();
  });

  test("re-points the lane of the slot that moves into the hole", () => {
    const h = new Harness();
    h.beat(10, 1, 0, { generation: 1 });
    h.beat(11, 1, 400);
    h.beat(12, 1, 450);
    h.startTimes.set(10, 2);
    expect(h.stalled(200)).toEqual([]);
    expect(h.livePids()).toEqual([12, 11]);
    h.tracker.checkInvariants();
    expect(h.stalled(600)).toEqual([11, 12]);
  });

  test("moves every column of the last slot into the hole", () => {
    const h = new Harness();
    h.beat(10, 1, 0, { generation: 1 });
    h.beat(11, 1n << 40n, 400, {
      origin: NET,
      namespaceInode: 3,
      generation: 4,
      payload: 5,
      status: 1,
    });
    h.beat(11, MAX, 401, {
      origin: NET,
      namespaceInode: 3,
      generation: 4,
      payload: 6,
      ts: (7n << 32n) | 8n,
    });
    const { slots } = h.tracker.table;
    slots.listener[1] = 9;
    slots.identityReadNs[1] = 12;
    const columns = Object.entries(slots).filter(([, column]) => ArrayBuffer.isView(column));
    const row = (slot: number) =>
      columns
        .filter(
          ([name]) => !["prev", "next", "newer", "older", "lookPrev", "lookNext"].includes(name),
        )
        .map(([name, column]) => [name, (column as Uint8Array)[slot]]);
    const before = row(1);
    h.startTimes.set(10, 2);
    h.drain(200);
    expect(row(0)).toEqual(before);
    h.tracker.checkInvariants();
  });

  test("does not take an unreadable start time, or another origin, for a reused pid", () => {
    const h = new Harness();
    h.beat(10, 1, 0, { generation: 1 });
    h.beat(11, 1, 0, { generation: 1, origin: NET });
    h.beat(12, 1, 0);
    h.startTimes.set(11, 2);
    h.startTimes.set(12, 2);
    expect(h.stalled(100)).toEqual([10, 11, 12]);
    expect(h.startTimeReads).toBe(1);
  });
});

describe("Tracker.stallFreshness()", () => {
  function stalledAgent(options: { origin?: number; generation?: number }): Harness {
    const h = new Harness();
    h.beat(7, 1, 0, options);
    h.drain(100);
    return h;
  }

  test("is AgentResumed for an untracked pid and after the agent beat again", () => {
    const h = stalledAgent({ generation: 5 });
    expect(h.tracker.stallFreshness(8, 5)).toBe(FRESH_AGENT_RESUMED);
    h.beat(7, 2, 150);
    expect(h.tracker.stallFreshness(7, 5)).toBe(FRESH_AGENT_RESUMED);
  });

  test("compares the generation of the stall with the live start time", () => {
    const h = stalledAgent({ generation: 5 });
    expect(h.tracker.stallFreshness(7, 5)).toBe(FRESH_WARRANTED);
    h.startTimes.set(7, 5);
    expect(h.tracker.stallFreshness(7, 5)).toBe(FRESH_WARRANTED);
    h.startTimes.set(7, 6);
    expect(h.tracker.stallFreshness(7, 5)).toBe(FRESH_PID_RECYCLED);
  });

  test("is that of another process once a later one has the slot, although that has ended", () => {
    const h = stalledAgent({ generation: 5 });
    h.startTimes.set(7, 6);
    h.beat(7, 1, 150, { generation: 6 });
    h.drain(300);
    h.startTimes.delete(7);
    expect(h.tracker.stallFreshness(7, 5)).toBe(FRESH_PID_RECYCLED);
    expect(h.tracker.stallFreshness(7, 6)).toBe(FRESH_WARRANTED);
  });

  test("cannot vouch for a kernel-attested agent without a generation", () => {
    expect(stalledAgent({}).tracker.stallFreshness(7, Number.NaN)).toBe(
      FRESH_UNVERIFIABLE_GENERATION,
    );
    for (const origin of [OPERATOR, SOCKET_MODE_ONLY, NET])
      expect(stalledAgent({ origin }).tracker.stallFreshness(7, Number.NaN)).toBe(FRESH_WARRANTED);
  });
});

describe("Tracker.terminalTimestampWouldAdvance()", () => {
  test("is false only against a terminal timestamp that is not older", () => {
    const h = new Harness();
    expect(h.tracker.terminalTimestampWouldAdvance(7, 0, 0)).toBe(true);
    h.beat(7, 1, 0);
    expect(h.tracker.terminalTimestampWouldAdvance(7, 0, 0)).toBe(true);
    h.beat(7, MAX, 1, { ts: 0x1_0000_0005n });
    const verdicts = [
      [1, 4],
      [1, 5],
      [1, 6],
      [0, 9],
      [2, 0],
    ].map(([hi, lo]) => h.tracker.terminalTimestampWouldAdvance(7, hi!, lo!));
    expect(verdicts).toEqual([false, false, true, false, true]);
  });
});
