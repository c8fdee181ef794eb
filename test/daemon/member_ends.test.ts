// What the daemon does about the ends of members (spec 14 sections 1 and 4), with processes that
// end as the test says: when each is decided, what is reported, and who leaves the table.
import { describe, expect, test } from "bun:test";
import type { MemberFacts } from "../../src/agents/naming.ts";
import { ENDS } from "../../src/daemon/end_counters.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { ORIGIN_NETWORK_UNVERIFIED } from "../../src/base/origin.ts";
import { beatOf, byeOf, helloOf } from "../support/scripted_listener.ts";
import { began, EndsHarness, FORGET_AFTER_MS, MS, signalled } from "./ends_harness.ts";

const THRESHOLD_MS = THRESHOLD_NS / MS;
const EXIT_3 = 768;

describe("MemberEnds", () => {
  test("lets a member that ended cleanly leave in the same turn", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, 0);
    expect(harness.turn()).toEqual(["gone 100 clean"]);
    expect(harness.tracked).toBe(0);
    harness.pass(10 * THRESHOLD_MS);
    expect(harness.turn()).toEqual([]);
  });

  test("decides no end before the sockets were found empty: its last beats come first", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, 0);
    expect(harness.turn(false)).toEqual([]);
    expect(harness.tracked).toBe(1);
    expect(harness.ends.hasWork).toBeTrue();
    expect(harness.turn()).toEqual(["gone 100 clean"]);
  });

  test("reports an unclean end at once, judges it at its deadline, and lets it leave then", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, EXIT_3);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
    harness.pass(THRESHOLD_MS - 1);
    expect(harness.turn()).toEqual([]);
    harness.pass(1);
    expect(harness.turn()).toEqual(["stall 100 exited"]);
    expect(harness.tracked).toBe(1);
    expect(harness.sweep()).toEqual([]);
    expect(harness.tracked).toBe(0);
  });

  test("keeps a stalled member whose process has ended as long as it is being recovered", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, EXIT_3);
    harness.turn();
    harness.pass(THRESHOLD_MS);
    harness.turn();
    harness.recovering.add(100);
    harness.sweep();
    expect(harness.tracked).toBe(1);
    harness.recovering.clear();
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("makes an unclean end a stall at once with on_exit = report", () => {
    const harness = new EndsHarness();
    harness.onExit = "report";
    harness.begin(100, 101);
    harness.pass(50);
    harness.end(100, EXIT_3);
    harness.end(101, Number.NaN);
    expect(harness.turn()).toEqual(["exit 100 unclean", "exit 101 unknown", "stall 100 exited"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 101 exited"]);
  });

  test("of many that are to be stalled at once stalls as many in a turn as are judged in one", () => {
    const harness = new EndsHarness({ judgeLimit: 2 });
    harness.onExit = "report";
    const pids = [100, 101, 102, 103, 104];
    harness.begin(...pids);
    for (const pid of pids) harness.end(pid, EXIT_3);
    const exits = pids.map((pid) => `exit ${pid} unclean`);
    expect(harness.turn()).toEqual([...exits, "stall 100 exited", "stall 101 exited"]);
    expect(harness.ends.hasWork).toBeTrue();
    expect(harness.turn()).toEqual(["stall 102 exited", "stall 103 exited"]);
    expect(harness.turn()).toEqual(["stall 104 exited"]);
    expect(harness.ends.hasWork).toBeFalse();
  });

  test("decides ends for 2 ms in a turn, and the others in the next ones", () => {
    const harness = new EndsHarness();
    const pids = [100, 101, 102, 103, 104];
    harness.begin(...pids);
    for (const pid of pids) harness.end(pid, 0);
    harness.readingNs = 0.7 * MS;
    expect(harness.turn()).toEqual(["gone 100 clean", "gone 101 clean"]);
    expect(harness.ends.hasWork).toBeTrue();
    expect(harness.turn()).toEqual(["gone 102 clean", "gone 103 clean"]);
    expect(harness.turn()).toEqual(["gone 104 clean"]);
    expect(harness.ends.hasWork).toBeFalse();
  });

  test("calls every end gone with on_exit = ignore, that of a stalled member, too", () => {
    const harness = new EndsHarness();
    harness.onExit = "ignore";
    harness.begin(100, 101);
    harness.end(100, EXIT_3);
    expect(harness.turn()).toEqual(["gone 100 ignored"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 101 hung"]);
    harness.end(101, 9);
    expect(harness.turn()).toEqual(["gone 101 ignored"]);
    expect(harness.tracked).toBe(0);
  });

  test("does nothing with on_exit = silence: no descriptor, and silence is silence", () => {
    const harness = new EndsHarness();
    harness.onExit = "silence";
    harness.begin(100);
    expect(harness.watch.count).toBe(0);
    harness.processes.table.delete(100);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 100 hung"]);
    harness.sweep();
    expect(harness.tracked).toBe(1);
  });

  test("never calls the end of a member clean that is stalled, or that a recovery signalled", () => {
    const harness = new EndsHarness();
    harness.begin(100, 101);
    harness.ends.onOutcome(signalled(101));
    harness.pass(50);
    harness.end(101, 15);
    expect(harness.turn()).toEqual(["exit 101 unclean"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn().toSorted()).toEqual(["stall 100 hung", "stall 101 exited"]);
    harness.end(100, 0);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("calls the end after a goodbye clean, whatever the status, and no crash", () => {
    const harness = new EndsHarness();
    harness.begin(100, 101, 102, 103);
    for (const pid of [100, 101, 102]) harness.sayGoodbye(pid);
    harness.end(100, EXIT_3);
    harness.end(101, 9);
    harness.end(102, 11);
    harness.end(103, 9);
    expect(harness.turn()).toEqual([
      "gone 100 goodbye",
      "gone 101 goodbye",
      "exit 102 unclean",
      "exit 103 unclean",
    ]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn().toSorted()).toEqual(["stall 102 exited", "stall 103 exited"]);
  });

  test("waits for the end of a member that said goodbye, and then calls it hung", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.sayGoodbye(100);
    harness.pass(89_999);
    expect(harness.turn()).toEqual([]);
    harness.pass(1);
    expect(harness.turn()).toEqual(["stall 100 hung"]);
    harness.end(100, 0);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
  });

  test("tells the end of a member that has said hello and never beat", () => {
    const harness = new EndsHarness();
    harness.greet(100, 101, 102);
    harness.end(100, 0);
    harness.end(101, EXIT_3);
    expect(harness.turn()).toEqual(["gone 100 clean", "exit 101 unclean"]);
    expect(harness.statuses).toEqual([3]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 101 exited"]);
    harness.pass(3_600_000);
    expect(harness.turn()).toEqual([]);
    harness.sweep();
    expect(harness.tracked).toBe(1);
  });

  test("lets a hello take nobody's place: its first beat does", () => {
    const harness = new EndsHarness();
    harness.begin(1_100);
    harness.end(1_100, EXIT_3);
    harness.turn();
    harness.pass(30);
    harness.greet(1_101);
    expect([...harness.offered.map(({ pid }) => pid), ...harness.told]).toEqual([1_100]);
    harness.listener.queue([beatOf(1_101)]);
    expect([...harness.turn(), ...harness.turn()]).toEqual(["gone 1100 replaced by 1101"]);
    expect(harness.offered.map(({ pid }) => pid)).toEqual([1_100, 1_101]);
  });

  test("ends a member of another machine with its bye, and no stalled one", () => {
    const harness = new EndsHarness();
    const net = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };
    harness.listener.queue([beatOf(100, net), beatOf(101, net)]);
    harness.turn();
    harness.listener.queue([byeOf(100, { ...net, nonce: 2 })]);
    expect(harness.turn()).toEqual(["gone 100 goodbye"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 101 unknown"]);
    harness.listener.queue([byeOf(101, { ...net, nonce: 2 })]);
    expect(harness.turn()).toEqual([]);
    expect(harness.tracked).toBe(1);
  });

  test("ends it also if a beat of before comes after it in the same turn, and not for a later one", () => {
    const harness = new EndsHarness();
    const net = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };
    harness.listener.queue([beatOf(100, net), beatOf(101, net)]);
    harness.turn();
    harness.listener.queue([
      ...[byeOf(100, { ...net, nonce: 3 }), beatOf(100, { ...net, nonce: 2 })],
      ...[byeOf(101, { ...net, nonce: 3 }), beatOf(101, { ...net, nonce: 4 })],
    ]);
    expect(harness.turn()).toEqual(["gone 100 goodbye"]);
    expect(harness.tracked).toBe(1);
  });

  test("forgets a hello of another machine that no beat followed", () => {
    const harness = new EndsHarness();
    const net = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };
    harness.listener.queue([helloOf(100, net), helloOf(101)]);
    harness.processes.set(101, 1);
    harness.turn();
    harness.pass(FORGET_AFTER_MS - 2_000);
    harness.sweep();
    expect(harness.tracked).toBe(2);
    harness.pass(2_000);
    harness.sweep();
    expect(harness.tracked).toBe(1);
    expect(harness.observer.tracker.slotOf(101)).toBe(0);
  });

  test("judges the bye of another machine by its time where ends mean nothing", () => {
    const harness = new EndsHarness();
    harness.onExit = "silence";
    const net = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };
    harness.listener.queue([beatOf(100, net), byeOf(100, { ...net, nonce: 2 })]);
    expect(harness.turn()).toEqual([]);
    harness.pass(89_999);
    expect(harness.turn()).toEqual([]);
    harness.pass(1);
    expect(harness.turn()).toEqual(["stall 100 unknown"]);
  });

  test("says in which recovery a member ended that is recovered, or that one signalled", () => {
    const harness = new EndsHarness();
    harness.begin(100, 101, 102, 103);
    for (const pid of [100, 101, 102]) harness.ends.onOutcome(began(pid));
    harness.ends.onOutcome(signalled(100));
    harness.recovering.add(101);
    for (const pid of [100, 101, 102, 103]) harness.end(pid, 9);
    expect(harness.turn()).toHaveLength(4);
    // That of 102 is over, and has sent no signal; 103 had none.
    expect(harness.recoveryIds).toEqual([51, 51, Number.NaN, Number.NaN]);
  });

  test("takes the end of one that was signalled long ago for its own", () => {
    for (const [minutes, told] of [
      [10, "exit 101 unclean"],
      [10.1, "gone 101 clean"],
    ] as const) {
      const harness = new EndsHarness();
      harness.begin(101);
      harness.ends.onOutcome(signalled(101));
      harness.pass(minutes * 60_000);
      harness.listener.queue([beatOf(101, { nonce: 2 })]);
      harness.end(101, 0);
      expect(harness.turn()[0]).toBe(told);
    }
  });

  test("excuses one end by a newcomer of the same group, of two that ended one is reported", () => {
    const harness = new EndsHarness();
    harness.begin(100, 101, 102);
    harness.pass(10);
    harness.end(100, 9);
    harness.end(101, 9);
    expect(harness.turn()).toEqual(["exit 100 unclean", "exit 101 unclean"]);
    harness.pass(20);
    harness.listener.queue([beatOf(102, { nonce: 2 })]);
    harness.begin(2_000);
    expect(harness.told).toEqual([]);
    harness.begin(103);
    expect(harness.told).toEqual(["gone 100 replaced by 103"]);
    expect(harness.tracked).toBe(4);
    harness.pass(THRESHOLD_MS - 25);
    harness.listener.queue([102, 103, 2_000].map((pid) => beatOf(pid, { nonce: 3 })));
    expect(harness.turn()).toEqual(["stall 101 exited"]);
  });

  test("finds the end of a member without a descriptor when it falls silent", () => {
    const harness = new EndsHarness();
    harness.watch.room = 0;
    harness.begin(100);
    harness.processes.table.delete(100);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["exit 100 unknown", "stall 100 exited"]);
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("reports and judges one that was gone before it could be watched, if it was no brief life", () => {
    const harness = new EndsHarness();
    harness.watch.gone.add(100);
    harness.pass(1_000);
    harness.begin(100, { startedMsAgo: 1_000 });
    expect(harness.told).toEqual(["exit 100 unknown"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 100 exited"]);
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("calls a brief life that was over before it could be watched gone, whatever the rule says", () => {
    for (const onExit of ["judge", "report"] as const) {
      const harness = new EndsHarness();
      harness.onExit = onExit;
      harness.watch.gone.add(100);
      harness.pass(1_000);
      harness.begin(100, { startedMsAgo: 990 });
      expect(harness.told).toEqual(["gone 100 brief"]);
      expect(harness.tracked).toBe(0);
      harness.pass(THRESHOLD_MS);
      expect(harness.turn()).toEqual([]);
    }
  });

  test("offers each newcomer to recovery first: one that takes a place there excuses none", () => {
    const harness = new EndsHarness();
    harness.begin(2_001);
    harness.pass(50);
    harness.end(2_001, 9);
    harness.turn();
    harness.takesPlace = true;
    harness.begin(2_002);
    expect(harness.told).toEqual([]);
    expect(harness.offered.map(({ pid }) => pid)).toEqual([2_001, 2_002]);
    harness.takesPlace = false;
    harness.begin(2_003);
    expect(harness.told).toEqual(["gone 2001 replaced by 2003"]);
  });

  test("calls one brief that is over and due before it was its turn to be watched, and no other", () => {
    const harness = new EndsHarness();
    harness.pass(2_000);
    harness.beat(100, { startedMsAgo: 500 });
    harness.beat(101, { startedMsAgo: 1_500 });
    // Turns that have no time for those who are new.
    harness.pump();
    for (const pid of [100, 101]) harness.processes.table.delete(pid);
    harness.pass(THRESHOLD_MS);
    harness.pump();
    expect(harness.turn()).toEqual(["gone 100 brief", "exit 101 unknown", "stall 101 exited"]);
  });

  test("excuses none by a newcomer of another unit", () => {
    const harness = new EndsHarness();
    harness.askedMax = 0;
    harness.units.set(100, "a.service").set(101, "b.service").set(102, "a.service");
    harness.begin(100);
    harness.pass(30);
    harness.end(100, 9);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
    harness.pass(30);
    harness.begin(101);
    expect(harness.told).toEqual([]);
    harness.begin(102);
    expect(harness.told).toEqual(["gone 100 replaced by 102"]);
  });

  test("the verdict of a stall has the unit, of the living as of those that have ended", () => {
    const harness = new EndsHarness();
    harness.askedMax = 0;
    harness.units.set(100, "a.service").set(101, "b.service");
    harness.begin(100);
    harness.begin(101);
    harness.begin(102);
    harness.end(101, 9);
    harness.turn();
    harness.pass(THRESHOLD_MS);
    expect(harness.turn().sort()).toEqual([
      "stall 100 hung in a.service",
      "stall 101 exited in b.service",
      "stall 102 hung",
    ]);
  });

  test("says nothing of a sender of which not even the start time could be read", () => {
    const harness = new EndsHarness();
    harness.listener.queue([beatOf(101)]);
    expect(harness.turn()).toEqual([]);
    expect(harness.tracked).toBe(1);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual([]);
    expect(harness.tracked).toBe(0);
  });

  test("gives up the descriptor of a member that the tracker removed", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.ends.removed(100);
    expect(harness.watch.count).toBe(1);
    harness.observer.tracker.ends.leave(harness.observer.tracker.slotOf(100));
    harness.ends.removed(100);
    expect(harness.watch.count).toBe(0);
  });

  test("reports an end that no daemon watched once, with its times, and judges it", () => {
    const harness = new EndsHarness();
    harness.watch.room = 0;
    harness.begin(100);
    const lastNs = harness.observer.tracker.slots.lastNs[harness.observer.tracker.slotOf(100)]!;
    harness.pass(40);
    expect(harness.restored(100)).toEqual(["exit 100 unknown"]);
    expect(harness.unwatched).toEqual([{ afterNs: lastNs, beforeNs: harness.observer.nowNs() }]);
    expect(harness.turn()).toEqual([]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 100 exited"]);
    expect(harness.sweep()).toEqual([]);
    expect(harness.tracked).toBe(0);
    harness.ends.counters.refresh(0);
    expect(harness.ends.counters.get(ENDS.unwatched)).toBe(1);
  });

  test("does so of one that was not asked for at the start, when it is to be watched", () => {
    const harness = new EndsHarness();
    harness.watch.room = 0;
    harness.begin(100);
    const { tracker } = harness.observer;
    const lastNs = tracker.slots.lastNs[tracker.slotOf(100)]!;
    harness.pass(40);
    tracker.table.lanes.pauses.startAt(harness.observer.nowNs());
    harness.watch.gone.add(100);
    harness.processes.table.delete(100);
    tracker.table.newcomers!.push(100);
    // A brief life is one of a newcomer, and not of a member of before.
    expect(harness.turn()).toEqual(["exit 100 unknown"]);
    expect(harness.unwatched).toEqual([{ afterNs: lastNs, beforeNs: harness.observer.nowNs() }]);
    expect([...harness.turn(), ...harness.turn()]).toEqual([]);
  });

  test("does with it what on_exit says", () => {
    for (const [onExit, told] of [
      ["ignore", ["gone 100 ignored"]],
      ["silence", []],
      ["report", ["exit 100 unknown"]],
    ] as const) {
      const harness = new EndsHarness();
      harness.watch.room = 0;
      harness.begin(100);
      harness.onExit = onExit;
      expect(harness.restored(100)).toEqual([...told]);
      expect(harness.tracked).toBe(onExit === "ignore" ? 0 : 1);
    }
  });

  test("asks systemd how one ended that no daemon watched", () => {
    const harness = new EndsHarness();
    harness.watch.room = 0;
    harness.begin(100);
    const { tracker } = harness.observer;
    const slot = tracker.slotOf(100);
    tracker.table.facts[slot] = factsIn("app.service");
    expect(harness.restored(100)).toEqual([]);
    expect(harness.asked).toEqual(["app.service"]);
    harness.unitEnds.answered("app.service", undefined);
    expect(harness.turn()).toEqual(["exit 100 unknown"]);
    expect(harness.unwatched[0]).toBeDefined();
  });

  test("says nothing again of an end that was reported before, and lets a newcomer excuse it", () => {
    const harness = new EndsHarness();
    harness.watch.room = 0;
    harness.begin(100);
    harness.observer.tracker.ends.note(harness.observer.tracker.slotOf(100));
    expect(harness.restored(100)).toEqual([]);
    harness.watch.room = 1;
    harness.pass(50);
    harness.begin(101);
    expect(harness.told).toEqual(["gone 100 replaced by 101"]);
    harness.pass(THRESHOLD_MS);
    harness.beat(101, { startedMsAgo: 60 });
    expect(harness.turn()).toEqual([]);
  });
});

/** Who a member of that unit is. */
function factsIn(unit: string): MemberFacts {
  const who = { uid: 1, gid: 1, user: "app", comm: "app", exe: "", script: "", mark: 1 };
  const identity = { ...who, unit, unitUser: "", container: "" };
  return { pid: 100, uid: 1, user: "app", identity, listener: "", address: "" };
}
