// Beats that arrive and are refused: what a stall says of them, and which of them show that an
// agent is not silent.
import { describe, expect, test } from "bun:test";
import { ORIGIN_NETWORK_UNVERIFIED, ORIGIN_OPERATOR_ATTESTED } from "../../src/base/origin.ts";
import * as reason from "../../src/base/reject_reason.ts";
import type { Stall } from "../../src/events/stall.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import {
  FRESH_AGENT_RESUMED,
  FRESH_BEATS_REFUSED,
  FRESH_PID_RECYCLED,
  FRESH_WARRANTED,
} from "../../src/tracker/tracker.ts";
import { beatOf, type Datagram, ScriptedListener } from "../support/scripted_listener.ts";
import { ObserverHarness, type ObserverHarnessOptions, THRESHOLD_NS } from "./harness.ts";

const AGENT = 42;
/** A limit of one beat per second and eight at once, and all the tokens that one can want. */
const STRICT = { perPidRate: 1, globalRate: 0, globalBurst: 0 };

/** The agent has beaten, with nonce 1000 and clock 1000; its process is known. */
function beating(
  options: ObserverHarnessOptions = {},
  fields: Parameters<typeof beatOf>[1] = {},
): ObserverHarness {
  const harness = new ObserverHarness(options);
  harness.processes.set(AGENT, 7_000);
  harness.receive(beatOf(AGENT, { nonce: 1_000, timestamp: 1_000, ...fields }));
  expect(harness.moved()).toEqual(["accepted 1"]);
  return harness;
}

/** Sends `datagrams` every 20 ms, four times, until the threshold has passed. */
function untilStalled(harness: ObserverHarness, ...datagrams: Datagram[]): Stall {
  for (let times = 0; times < 4; times++) {
    harness.pass(20);
    harness.receive(...datagrams);
  }
  harness.pass(20);
  harness.pump();
  const stall = harness.observer.takeStall();
  expect(stall?.pid).toBe(AGENT);
  return stall!;
}

function freshness(harness: ObserverHarness, stall: Stall): number {
  return harness.observer.stallFreshness(stall.pid, stall.generation);
}

const old = (fields: Parameters<typeof beatOf>[1] = {}) =>
  beatOf(AGENT, { nonce: 500, timestamp: 500, ...fields });

describe("a stall says how many beats of its pid were refused, and why:", () => {
  test("those that were out of order", () => {
    const stall = untilStalled(beating(), old());
    expect(stall.refused).toEqual([{ reason: "out_of_order", count: 4 }]);
  });

  test("those for every other reason, most of them first", () => {
    const listener = new ScriptedListener({ allowList: new AllowList([1_000], []) });
    const harness = beating({ listeners: [listener] });
    const stall = untilStalled(
      harness,
      old(),
      old({ peerPid: 43 }),
      old({ peerUid: 7 }),
      old({ peerUid: 8 }),
      old({ verdict: reason.REJECT_REPLAY }),
      old({ nonce: 2_000, peerPid: 0 }),
    );
    expect(stall.refused).toEqual([
      { reason: "uid", count: 8 },
      { reason: "out_of_order", count: 4 },
      { reason: "replay", count: 4 },
      { reason: "pid", count: 4 },
      { reason: "origin_conflict", count: 4 },
    ]);
  });

  test("none that came before the last accepted one, and none of another pid", () => {
    const harness = beating();
    harness.receive(old(), old(), beatOf(AGENT, { nonce: 1_001, timestamp: 1_001 }));
    const stall = untilStalled(harness, beatOf(43, { nonce: 1 }));
    expect(stall.refused).toEqual([]);
  });
});

describe("an agent is not silent while its beats are refused", () => {
  test("for their order", () => {
    const harness = beating();
    const stall = untilStalled(harness, old());
    expect(freshness(harness, stall)).toBe(FRESH_BEATS_REFUSED);
    harness.pass(79);
    harness.pump();
    expect(freshness(harness, stall)).toBe(FRESH_BEATS_REFUSED);
    harness.pass(1);
    harness.pump();
    expect(freshness(harness, stall)).toBe(FRESH_WARRANTED);
  });

  test("within the threshold of its own lane", () => {
    const harness = new ObserverHarness();
    harness.observer.tracker.table.thresholdNs = 2 * THRESHOLD_NS;
    harness.processes.set(AGENT, 7_000);
    harness.receive(beatOf(AGENT, { nonce: 1_000, timestamp: 1_000 }));
    harness.clock.ns += THRESHOLD_NS;
    harness.receive(old());
    harness.clock.ns += THRESHOLD_NS;
    harness.pump();
    const stall = harness.observer.takeStall()!;
    harness.clock.ns += THRESHOLD_NS - 1;
    harness.pump();
    expect(freshness(harness, stall)).toBe(FRESH_BEATS_REFUSED);
    harness.clock.ns += 1;
    harness.pump();
    expect(freshness(harness, stall)).toBe(FRESH_WARRANTED);
  });

  test("for a limit of its own", () => {
    const harness = beating({ admission: STRICT });
    let nonce = 2_000;
    const burst = () => beatOf(AGENT, { nonce: nonce++, timestamp: nonce });
    harness.receive(...Array.from({ length: 7 }, burst));
    const stall = untilStalled(harness, burst());
    expect(stall.refused).toEqual([{ reason: "rate_per_pid", count: 4 }]);
    expect(freshness(harness, stall)).toBe(FRESH_BEATS_REFUSED);
  });

  test("for the limit of all", () => {
    const harness = beating({ admission: { perPidRate: 0, globalRate: 1, globalBurst: 1 } });
    const stall = untilStalled(harness, beatOf(AGENT, { nonce: 2_000 }));
    expect(stall.refused).toEqual([{ reason: "rate_global", count: 4 }]);
    expect(freshness(harness, stall)).toBe(FRESH_BEATS_REFUSED);
  });

  test("and it has a key", () => {
    const fields = { peerPid: 0, origin: ORIGIN_OPERATOR_ATTESTED };
    const harness = beating({ listeners: [new ScriptedListener({ kind: "secure-udp" })] }, fields);
    const stall = untilStalled(harness, old(fields));
    expect(freshness(harness, stall)).toBe(FRESH_BEATS_REFUSED);
  });

  test("for want of a slot: the one that lost it is not tracked, and nothing is done to it", () => {
    const harness = beating({ trackerCapacity: 1 });
    const stall = untilStalled(harness);
    harness.pass(1_001);
    harness.processes.set(43, 7_001);
    harness.receive(beatOf(43), beatOf(AGENT, { nonce: 1_001, timestamp: 1_001 }));
    expect(harness.moved()).toEqual(["accepted 1", "capacity 1"]);
    expect(freshness(harness, stall)).toBe(FRESH_AGENT_RESUMED);
  });
});

describe("an agent is silent for all that", () => {
  test.each([
    ["a wrong pid sends", old({ peerPid: 43 })],
    ["a wrong uid sends", old({ peerUid: 7 })],
    ["somebody recorded", old({ verdict: reason.REJECT_REPLAY })],
    ["another origin sends", old({ nonce: 2_000, peerPid: 0 })],
  ] as const)("%s", (_who, datagram) => {
    const listener = new ScriptedListener({ allowList: new AllowList([1_000], []) });
    const harness = beating({ listeners: [listener] });
    const stall = untilStalled(harness, datagram);
    expect(stall.refused).toHaveLength(1);
    expect(freshness(harness, stall)).toBe(FRESH_WARRANTED);
  });

  test("it comes by plain UDP", () => {
    const fields = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };
    const harness = beating({ listeners: [new ScriptedListener({ kind: "udp" })] }, fields);
    const stall = untilStalled(harness, old(fields));
    expect(stall.refused).toEqual([{ reason: "out_of_order", count: 4 }]);
    expect(freshness(harness, stall)).toBe(FRESH_WARRANTED);
  });

  test("another process sends that has its pid now", () => {
    const harness = beating();
    const stall = untilStalled(harness, old());
    harness.processes.set(AGENT, 8_000);
    expect(freshness(harness, stall)).toBe(FRESH_PID_RECYCLED);
  });
});

describe("an agent that replaced itself by exec", () => {
  const anew = (nonce: number) => beatOf(AGENT, { nonce, timestamp: 2_000 + nonce });

  test("is heard from its first beat on, although it was looked up a moment ago", () => {
    const harness = beating();
    harness.pass(20);
    expect(harness.tell(anew(1), anew(2))).toEqual([`beat ${AGENT}`, `beat ${AGENT}`]);
    expect(harness.observer.drainNonceRestarts()).toBe(1);
  });

  test("is known from another process that took its pid over", () => {
    const harness = beating();
    harness.processes.set(AGENT, 8_000);
    harness.pass(20);
    expect(harness.tell(anew(1))).toEqual([`beat ${AGENT}`]);
    expect([harness.observer.drainNonceRestarts(), harness.observer.drainPidRecycles()]).toEqual([
      0, 1,
    ]);
    expect(harness.observer.tracker.slots.generation[0]).toBe(8_000);
  });

  test("gets through a bucket that is down to its reserve", () => {
    const harness = beating({ admission: { perPidRate: 0, globalRate: 1, globalBurst: 4 } });
    harness.receive(beatOf(50), beatOf(51), beatOf(52));
    harness.moved();
    expect(harness.tell(anew(1))).toEqual([`beat ${AGENT}`]);
  });
});
