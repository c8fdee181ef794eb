// Hellos and byes on their way through the check order (spec 01 section 9, spec 04 section 5).
import { describe, expect, test } from "bun:test";
import {
  ORIGIN_KEY_ATTESTED,
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../../src/base/origin.ts";
import { isBeating, isHeard } from "../../src/tracker/beating.ts";
import { GREETINGS } from "../../src/observer/greetings.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { beatOf, byeOf, helloOf, ScriptedListener } from "../support/scripted_listener.ts";
import { ObserverHarness, type ObserverHarnessOptions } from "./harness.ts";

const PID_MAX = 1_000;
const FOREIGN = 77;

/** As in the test of the check order: processes 2 to 9, of which uid 1000 is let in. */
function harnessWith(options: ObserverHarnessOptions = {}): ObserverHarness {
  const harness = new ObserverHarness({
    listeners: [new ScriptedListener({ allowList: new AllowList([1000], []) })],
    readPidMax: () => PID_MAX,
    trackerCapacity: 4,
    ...options,
  });
  for (let pid = 2; pid < 10; pid++) harness.processes.set(pid, 10 * pid);
  return harness;
}

function slotOf({ observer }: ObserverHarness, pid: number): number {
  return observer.tracker.slotOf(pid);
}

describe("a hello", () => {
  test("makes a member that owes no beats, and is no beat", () => {
    const harness = harnessWith();
    expect(harness.tell(helloOf(2))).toEqual([]);
    expect(harness.moved()).toEqual(["accepted 1"]);
    expect(harness.observer.greetings.counters.get(GREETINGS.taken.hello)).toBe(1);
    harness.pass(3_600_000);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
    const { tracker } = harness.observer;
    expect(tracker.table.lanes.isInGrace(slotOf(harness, 2), harness.clock.ns)).toBe(true);
    expect(tracker.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    tracker.checkInvariants();
  });

  test("is no sign that its process beats: what waits for a beat goes on waiting", () => {
    const harness = harnessWith();
    harness.receive(helloOf(2));
    const { tracker } = harness.observer;
    expect([isBeating(tracker, 2, 20), isHeard(tracker, 2)]).toEqual([false, false]);
    harness.pass(1);
    expect(harness.tell(beatOf(2))).toEqual(["beat 2"]);
    expect([isBeating(tracker, 2, 20), isHeard(tracker, 2)]).toEqual([true, true]);
  });

  test("is followed by beats of any number, which are judged from the first one on", () => {
    const harness = harnessWith();
    harness.receive(helloOf(2, { nonce: 7 }));
    harness.pass(5_000);
    expect(harness.tell(beatOf(2, { nonce: 1 }))).toEqual(["beat 2"]);
    harness.pass(99);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
    harness.pass(1);
    harness.pump();
    expect(harness.stalls()).toEqual([2]);
  });

  test("of a member that beats changes none of its deadlines, and heals no stall", () => {
    const harness = harnessWith();
    harness.receive(beatOf(2, { nonce: 1 }));
    harness.pass(60);
    harness.receive(helloOf(2, { nonce: 2 }));
    harness.pass(40);
    harness.pump();
    expect(harness.stalls()).toEqual([2]);
    expect(harness.tell(helloOf(2, { nonce: 3 }))).toEqual([]);
    expect(harness.observer.tracker.slots.isLatched(slotOf(harness, 2))).toBe(true);
  });

  test("that is older than the last beat is refused, but for the first of a numbering", () => {
    const harness = harnessWith();
    harness.receive(beatOf(2, { nonce: 5 }));
    harness.moved();
    harness.receive(helloOf(2, { nonce: 5 }), helloOf(2, { nonce: 2 }));
    expect(harness.moved()).toEqual(["out_of_order 2"]);
    harness.receive(helloOf(2, { nonce: 1 }), helloOf(2, { nonce: 6 }));
    expect(harness.moved()).toEqual(["accepted 2"]);
    // A refused one is no refused beat: nothing says of the member that it lives.
    const { slots } = harness.observer.tracker.table;
    expect(slots.isAliveSince(slotOf(harness, 2), Number.NEGATIVE_INFINITY)).toBe(false);
  });

  test("of another process under the pid of a member begins with a member of its own", () => {
    const harness = harnessWith();
    harness.receive(beatOf(2, { nonce: 5 }));
    harness.processes.set(2, 21);
    harness.pass(200);
    harness.stalls();
    harness.receive(helloOf(2, { nonce: 1 }));
    const { slots } = harness.observer.tracker;
    expect([slots.hasBeaten(slotOf(harness, 2)), slots.generation[slotOf(harness, 2)]]).toEqual([
      false,
      21,
    ]);
  });

  test.each([
    ["uid", helloOf(2, { peerUid: 7 }), ["auth-failure 2 uid"]],
    ["pid", helloOf(3, { peerPid: 2 }), ["auth-failure 3 pid"]],
    ["pid_above_max", helloOf(PID_MAX + 1), []],
    ["cross_namespace", helloOf(9), [`namespace-conflict 9 ${FOREIGN}`]],
  ] as const)("is refused as a beat is: %s", (reason, datagram, events) => {
    const harness = harnessWith();
    harness.processes.set(9, 90, FOREIGN);
    expect(harness.tell(datagram)).toEqual([...events]);
    expect(harness.moved()).toEqual([`${reason} 1`]);
    expect(harness.observer.tracker.len).toBe(0);
  });

  test("by another transport is a conflict, and a full table has no place for it", () => {
    const harness = harnessWith({ trackerCapacity: 1 });
    harness.receive(beatOf(2));
    harness.moved();
    const other = helloOf(2, { nonce: 3, peerPid: 0, origin: ORIGIN_SOCKET_MODE_ONLY });
    expect(harness.tell(other)).toHaveLength(1);
    harness.receive(helloOf(3));
    expect(harness.moved()).toEqual(["origin_conflict 1", "capacity 1"]);
  });

  test("that is none is refused as such, and counted by what is wrong", () => {
    const harness = harnessWith();
    const broken = helloOf(2);
    broken.words[5]! ^= 1;
    expect(harness.tell(broken)).toEqual([]);
    expect(harness.moved()).toEqual(["decode 1"]);
    expect(harness.observer.greetings.counters.get(GREETINGS.invalid.bad_crc)).toBe(1);
  });

  test("is taken four times a second of one pid, and costs its beats nothing", () => {
    const admission = { perPidRate: 8, globalRate: 1_000, globalBurst: 1_000 };
    const harness = harnessWith({ admission });
    harness.receive(beatOf(2, { nonce: 1 }));
    harness.moved();
    harness.receive(...Array.from({ length: 6 }, (_, i) => helloOf(2, { nonce: 2 + i })));
    expect(harness.moved()).toEqual(["accepted 4", "rate_per_pid 2"]);
    harness.receive(...Array.from({ length: 7 }, (_, i) => beatOf(2, { nonce: 9 + i })));
    expect(harness.moved()).toEqual(["accepted 7"]);
    harness.receive(helloOf(3));
    expect(harness.moved()).toEqual(["accepted 1"]);
    harness.pass(250);
    harness.receive(byeOf(2, { nonce: 90 }), byeOf(2, { nonce: 91 }));
    expect(harness.moved()).toEqual(["accepted 1", "rate_per_pid 1"]);
  });

  test("of a stranger leaves the tokens of known members alone", () => {
    const admission = { perPidRate: 0, globalRate: 1, globalBurst: 4 };
    const harness = harnessWith({ admission });
    harness.receive(beatOf(2, { nonce: 1 }), helloOf(3), helloOf(4), helloOf(5));
    expect(harness.moved()).toEqual(["accepted 3", "rate_global 1"]);
    harness.receive(helloOf(2, { nonce: 2 }));
    expect(harness.moved()).toEqual(["accepted 1"]);
  });
});

describe("a bye", () => {
  test("ends what its member owes, until a beat takes it back", () => {
    const harness = harnessWith();
    harness.receive(beatOf(2, { nonce: 1 }), byeOf(2, { nonce: 2 }));
    harness.pass(50_000);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
    expect(harness.tell(beatOf(2, { nonce: 3 }))).toEqual(["beat 2"]);
    harness.pass(100);
    harness.pump();
    expect(harness.stalls()).toEqual([2]);
  });

  test("that is older than the last beat is refused: the program has gone on", () => {
    const harness = harnessWith();
    harness.receive(beatOf(2, { nonce: 5 }));
    harness.moved();
    harness.receive(byeOf(2, { nonce: 5 }), byeOf(2, { nonce: 1 }));
    expect(harness.moved()).toEqual(["out_of_order 2"]);
    expect(harness.observer.tracker.slots.saidGoodbye(slotOf(harness, 2))).toBe(false);
  });

  test("of who is not here changes nothing", () => {
    const harness = harnessWith();
    harness.receive(byeOf(2));
    expect(harness.moved()).toEqual(["accepted 1"]);
    expect(harness.observer.tracker.len).toBe(0);
    harness.receive(beatOf(3));
    harness.processes.set(3, 31);
    harness.pass(200);
    harness.receive(byeOf(3, { nonce: 9 }));
    expect(harness.observer.tracker.slots.saidGoodbye(slotOf(harness, 3))).toBe(false);
  });

  test("lasts for 90 s, and is a stall then", () => {
    const harness = harnessWith();
    harness.receive(beatOf(2, { nonce: 1 }), byeOf(2, { nonce: 2 }));
    harness.pass(89_999);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
    harness.pass(1);
    harness.pump();
    expect(harness.stalls()).toEqual([2]);
  });
});

describe("over the network", () => {
  test("a bye is kept for who ends the member, if it comes from its own source", () => {
    const listener = new ScriptedListener({ kind: "udp", sources: true });
    const harness = harnessWith({ listeners: [listener] });
    const net = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };
    harness.receive(beatOf(2, { ...net, from: 3 }));
    harness.receive(byeOf(2, { ...net, from: 4, nonce: 2 }));
    expect(harness.observer.greetings.hasByes).toBe(false);
    expect(harness.observer.tracker.slots.saidGoodbye(0)).toBe(false);
    harness.receive(byeOf(2, { ...net, from: 3, nonce: 2 }));
    expect(harness.observer.greetings.takeByes().map(({ key }) => key)).toEqual([2]);
    expect(harness.observer.tracker.slots.saidGoodbye(0)).toBe(true);
  });

  test("the source must be its own, too, where a key vouches for it", () => {
    const listener = new ScriptedListener({ kind: "secure-udp", addresses: true });
    const harness = harnessWith({ listeners: [listener] });
    const keyed = { peerPid: 0, origin: ORIGIN_KEY_ATTESTED };
    harness.receive(helloOf(2, { ...keyed, from: 3 }), beatOf(2, { ...keyed, from: 3 }));
    harness.receive(byeOf(2, { ...keyed, from: 4, nonce: 2 }));
    expect(harness.observer.greetings.hasByes).toBe(false);
    harness.receive(byeOf(2, { ...keyed, from: 3, nonce: 2 }));
    expect(harness.observer.greetings.takeByes().map(({ key }) => key)).toEqual([2]);
  });

  test("the number 1 of a hello proves nothing: it may have been recorded", () => {
    const listener = new ScriptedListener({ kind: "secure-udp", addresses: true });
    const harness = harnessWith({ listeners: [listener] });
    const keyed = { peerPid: 0, origin: ORIGIN_KEY_ATTESTED };
    harness.receive(beatOf(2, { ...keyed, nonce: 5 }));
    harness.moved();
    harness.receive(helloOf(2, { ...keyed, nonce: 1 }));
    expect(harness.moved()).toEqual(["out_of_order 1"]);
  });
});
