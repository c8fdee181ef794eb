// When a sender is looked up, and what is passed on (spec 05 section 5): the table row by row, with
// every look counted.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import type { BeatEvent } from "../../src/events/event.ts";
import { beatOf, terminalOf } from "../support/scripted_listener.ts";
import { OWN_INODE } from "../support/scripted_processes.ts";
import { ObserverHarness, type ObserverHarnessOptions, THRESHOLD_NS } from "./harness.ts";

const FOREIGN = 77;
const PID = 42;
/** Start time, namespace, start time. */
const FULL = 3;
const THRESHOLD_MS = THRESHOLD_NS / 1e6;

function tracked(
  options: ObserverHarnessOptions = {},
  startTime = 900,
  inode = OWN_INODE,
): ObserverHarness {
  const harness = new ObserverHarness(options);
  harness.processes.set(PID, startTime, inode);
  expect(harness.tell(beatOf(PID, { nonce: 10 }))).toEqual([`beat ${PID}`]);
  expect(harness.processes.takeReads()).toBe(FULL);
  return harness;
}

function pinned(harness: ObserverHarness): [number, number] {
  const { slots } = harness.observer.tracker;
  const slot = harness.observer.tracker.slotOf(PID);
  return [slots.namespaceInode[slot]!, slots.generation[slot]!];
}

describe("identity look-ups", () => {
  test("the first beat of an untracked pid: full, and the beat carries the result", () => {
    const harness = new ObserverHarness();
    harness.processes.set(PID, 900);
    const [beat] = harness.receive(beatOf(PID)) as BeatEvent[];
    expect([beat!.namespaceInode, beat!.generation]).toEqual([OWN_INODE, 900]);
    expect(harness.processes.startTimeReads).toBe(2);
    expect(harness.processes.inodeReads).toBe(1);
  });

  test("both parts pinned, no silence, the nonce advances: none, and the pinned values are passed on", () => {
    const harness = tracked();
    harness.processes.set(PID, 901, FOREIGN);
    for (let nonce = 11; nonce < 100; nonce++) {
      harness.pass(THRESHOLD_MS - 1);
      const [beat] = harness.receive(beatOf(PID, { nonce })) as BeatEvent[];
      expect([beat!.namespaceInode, beat!.generation]).toEqual([OWN_INODE, 900]);
    }
    expect(harness.processes.takeReads()).toBe(0);
  });

  test("both parts pinned, a terminal beat: none", () => {
    const harness = tracked();
    harness.pass(THRESHOLD_MS - 1);
    expect(harness.tell(terminalOf(PID, 5))).toEqual([`beat ${PID}`]);
    expect(harness.processes.takeReads()).toBe(0);
  });

  test("silence of exactly the threshold: full; one nanosecond less: none", () => {
    const harness = tracked();
    harness.clock.ns += THRESHOLD_NS - 1;
    harness.receive(beatOf(PID, { nonce: 11 }));
    expect(harness.processes.takeReads()).toBe(0);
    harness.clock.ns += THRESHOLD_NS;
    harness.receive(beatOf(PID, { nonce: 12 }));
    expect(harness.processes.takeReads()).toBe(FULL);
  });

  test("a nonce that does not advance: full, but only one second after the last attempt", () => {
    const harness = tracked({ thresholdNs: 10 * NS_PER_S });
    harness.clock.ns += NS_PER_S - 1;
    harness.receive(beatOf(PID, { nonce: 10 }));
    expect(harness.processes.takeReads()).toBe(0);
    harness.clock.ns += 1;
    harness.receive(beatOf(PID, { nonce: 10 }));
    expect(harness.processes.takeReads()).toBe(FULL);
    harness.receive(beatOf(PID, { nonce: 10 }), beatOf(PID, { nonce: 9 }));
    expect(harness.processes.takeReads()).toBe(0);
    harness.clock.ns += NS_PER_S;
    harness.receive(beatOf(PID, { nonce: 1 }), beatOf(PID, { nonce: 1 }));
    expect(harness.processes.takeReads()).toBe(FULL);
  });

  test("a nonce that wraps advances: none", () => {
    const harness = new ObserverHarness({ thresholdNs: 10 * NS_PER_S });
    harness.processes.set(PID, 900);
    harness.receive(beatOf(PID, { nonce: 2n ** 64n - 2n }));
    harness.processes.takeReads();
    harness.pass(2_000);
    expect(harness.tell(beatOf(PID, { nonce: 3 }))).toEqual([`beat ${PID}`]);
    expect(harness.processes.takeReads()).toBe(0);
  });

  test("a restart under the same pid shows at its first beat: another start time is another process", () => {
    const harness = tracked({ thresholdNs: 10 * NS_PER_S });
    harness.processes.set(PID, 901);
    harness.pass(1_000);
    expect(harness.tell(beatOf(PID, { nonce: 1 }))).toEqual([`beat ${PID}`]);
    expect(harness.observer.drainPidRecycles()).toBe(1);
    expect(pinned(harness)).toEqual([OWN_INODE, 901]);
    // The look that found it counts as the newcomer's attempt.
    harness.processes.takeReads();
    harness.receive(beatOf(PID, { nonce: 1 }));
    expect(harness.processes.takeReads()).toBe(0);
  });

  test.each([
    ["start time", Number.NaN, OWN_INODE],
    ["namespace", 900, Number.NaN],
    ["identity", Number.NaN, Number.NaN],
  ])("an unknown %s is asked for again once per second, and then pinned", (_what, start, inode) => {
    const harness = tracked({ thresholdNs: 10 * NS_PER_S }, start, inode);
    harness.processes.set(PID, 900);
    harness.clock.ns += NS_PER_S - 1;
    const [early] = harness.receive(beatOf(PID, { nonce: 11 })) as BeatEvent[];
    expect(harness.processes.takeReads()).toBe(0);
    expect([early!.namespaceInode ?? Number.NaN, early!.generation ?? Number.NaN]).toEqual([
      inode,
      start,
    ]);
    harness.clock.ns += 1;
    harness.receive(beatOf(PID, { nonce: 12 }), beatOf(PID, { nonce: 13 }));
    expect(harness.processes.takeReads()).toBe(FULL);
    expect(pinned(harness)).toEqual([OWN_INODE, 900]);
  });

  test("an attempt that finds nothing is an attempt", () => {
    const harness = tracked({ thresholdNs: 10 * NS_PER_S }, Number.NaN, Number.NaN);
    harness.pass(1_000);
    harness.receive(beatOf(PID, { nonce: 11 }));
    expect(harness.processes.takeReads()).toBe(FULL);
    harness.pass(999);
    harness.receive(beatOf(PID, { nonce: 12 }));
    expect(harness.processes.takeReads()).toBe(0);
  });

  test("a sender without a kernel pid: none, ever", () => {
    const harness = new ObserverHarness();
    harness.processes.set(PID, 900);
    harness.receive(beatOf(PID, { peerPid: 0, nonce: 1 }));
    harness.pass(5_000);
    harness.receive(beatOf(PID, { peerPid: 0, nonce: 2 }));
    harness.receive(beatOf(PID, { peerPid: 0, nonce: 1 }));
    expect(harness.processes.takeReads()).toBe(0);
  });

  test("the stall scan reads the start time only, and retires a pid that was reused", () => {
    const harness = tracked();
    harness.processes.set(PID, 901);
    harness.pass(THRESHOLD_MS);
    harness.pump();
    expect([harness.processes.startTimeReads, harness.processes.inodeReads]).toEqual([1, 0]);
    expect(harness.stalls()).toEqual([]);
    expect(harness.observer.drainPidRecycles()).toBe(1);
    expect(harness.observer.drainEvictedPid()).toBe(PID);
    expect(harness.observer.drainEvictedPid()).toBe(-1);
  });

  test("a flood with an empty bucket causes not one look (I6)", () => {
    const harness = new ObserverHarness({
      admission: { perPidRate: 0, globalRate: 1, globalBurst: 2 },
    });
    for (let pid = 2; pid < 2_000; pid++) harness.processes.set(pid, pid);
    harness.receive(beatOf(2), beatOf(3));
    harness.processes.takeReads();
    for (let pid = 4; pid < 1_924; pid += 64)
      harness.receive(...Array.from({ length: 64 }, (_, i) => beatOf(pid + i)));
    expect(harness.moved()).toEqual(["accepted 2", "rate_global 1920"]);
    expect(harness.processes.takeReads()).toBe(0);
  });
});

describe("the start time before and after the namespace", () => {
  function changing(times: readonly number[]): ObserverHarness {
    const harness = new ObserverHarness({ allowCrossNamespace: true });
    const script = [...times];
    harness.processes.beforeRead = () => harness.processes.set(PID, script.shift()!, FOREIGN);
    return harness;
  }

  test.each([
    ["changed", [900, 900, 901]],
    ["vanished", [900, 900, Number.NaN]],
    ["appeared", [Number.NaN, Number.NaN, 900]],
  ])("if it %s, neither part is known", (_what, times) => {
    const [beat] = changing(times).receive(beatOf(PID)) as BeatEvent[];
    expect([beat!.namespaceInode, beat!.generation]).toEqual([undefined, undefined]);
  });

  test("if it is unreadable both times, the namespace stands", () => {
    const harness = changing([Number.NaN, Number.NaN, Number.NaN]);
    const [beat] = harness.receive(beatOf(PID)) as BeatEvent[];
    expect([beat!.namespaceInode, beat!.generation]).toEqual([FOREIGN, undefined]);
  });
});

describe("inode 0: foreign, and hidden", () => {
  test("a slot pinned to a foreign inode keeps it when that becomes hidden", () => {
    const harness = tracked({ allowCrossNamespace: true }, 900, FOREIGN);
    harness.processes.set(PID, 900, 0);
    harness.pass(THRESHOLD_MS);
    const [beat] = harness.receive(beatOf(PID, { nonce: 11 })) as BeatEvent[];
    expect(beat!.namespaceInode).toBe(FOREIGN);
    expect(pinned(harness)).toEqual([FOREIGN, 900]);
  });

  test("a slot pinned to 0 stays 0 when a foreign inode becomes readable", () => {
    const harness = tracked({ allowCrossNamespace: true }, 900, 0);
    harness.processes.set(PID, 900, FOREIGN);
    harness.pass(THRESHOLD_MS);
    const [beat] = harness.receive(beatOf(PID, { nonce: 11 })) as BeatEvent[];
    expect(beat!.namespaceInode).toBe(0);
    expect(pinned(harness)).toEqual([0, 900]);
  });

  test("a slot of the observer's namespace never becomes foreign without a conflict", () => {
    const harness = tracked({ allowCrossNamespace: true });
    harness.processes.set(PID, 900, 0);
    harness.pass(THRESHOLD_MS);
    expect(harness.tell(beatOf(PID, { nonce: 11 }))).toEqual([`namespace-conflict ${PID} 0`]);
    expect(harness.observer.drainNamespaceConflicts()).toBe(1);
  });

  test("a slot pinned to 0 does not become the observer's without a conflict", () => {
    const harness = tracked({ allowCrossNamespace: true }, 900, 0);
    harness.processes.set(PID, 900, OWN_INODE);
    harness.pass(THRESHOLD_MS);
    expect(harness.tell(beatOf(PID, { nonce: 11 }))).toEqual([
      `namespace-conflict ${PID} ${OWN_INODE}`,
    ]);
  });

  test("a newcomer under the same pid brings its own inode", () => {
    const harness = tracked({ allowCrossNamespace: true }, 900, FOREIGN);
    harness.processes.set(PID, 901, 0);
    harness.pass(THRESHOLD_MS);
    expect(harness.tell(beatOf(PID, { nonce: 1 }))).toEqual([`beat ${PID}`]);
    expect(pinned(harness)).toEqual([0, 901]);
  });
});

describe("the namespace gate (spec 05 section 5.1)", () => {
  test.each([
    ["the same", 42, 42, false],
    ["another", 42, 7, true],
    ["foreign and hidden", 42, 0, true],
    ["unknown", 42, Number.NaN, false],
    ["known while ours is unknown", Number.NaN, 7, true],
    ["hidden while ours is unknown", Number.NaN, 0, true],
    ["unknown like ours", Number.NaN, Number.NaN, false],
  ])("a peer namespace that is %s", (_what, observerInode, peerInode, refused) => {
    for (const allowCrossNamespace of [false, true]) {
      const harness = new ObserverHarness({ observerInode, allowCrossNamespace });
      harness.processes.set(PID, 900, peerInode);
      harness.receive(beatOf(PID));
      const isRefused = refused && !allowCrossNamespace;
      expect(harness.moved()).toEqual([isRefused ? "cross_namespace 1" : "accepted 1"]);
      expect(harness.observer.drainCrossNamespaceDrops()).toBe(isRefused ? 1 : 0);
    }
  });

  test("is silent about senders without a kernel pid", () => {
    const harness = new ObserverHarness({ observerInode: 42 });
    harness.processes.set(PID, 900, 7);
    expect(harness.tell(beatOf(PID, { peerPid: 0 }))).toEqual([`beat ${PID}`]);
  });

  test.each([
    ["known to known at the gate", 7, OWN_INODE, 1],
    ["known while ours is unknown", 7, Number.NaN, 0],
  ])("strict mode is told of two known inodes only: %s", (_what, peer, own, detail) => {
    const harness = new ObserverHarness({ observerInode: own });
    harness.processes.set(PID, 900, peer);
    harness.listener.queue([beatOf(PID)]);
    let found = -1;
    harness.observer.pump((batch) => {
      found = batch.detail[0]!;
    }, 64);
    expect(found).toBe(detail);
  });

  test("strict mode is not told of a sender that was gone when its last beat was read", () => {
    const harness = tracked();
    harness.processes.table.clear();
    harness.pass(THRESHOLD_MS);
    harness.listener.queue([beatOf(PID, { nonce: 11 })]);
    let found = -1;
    harness.observer.pump((batch) => {
      found = batch.detail[0]!;
    }, 64);
    expect(found).toBe(0);
    expect(harness.observer.drainNamespaceConflicts()).toBe(1);
  });
});
