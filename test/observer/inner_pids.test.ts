// Agents in containers (spec 05 section 5.4): who states the number that it has in its own
// namespace is taken for the process that the kernel names, and for no other.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { ObserverHarness, type ObserverHarnessOptions, THRESHOLD_NS } from "./harness.ts";
import { beatOf, ScriptedListener, terminalOf } from "../support/scripted_listener.ts";
import { OWN_INODE } from "../support/scripted_processes.ts";

const WEB = 4_026_532_001;
const DB = 4_026_532_002;

/** A process of a container that the kernel names 4711, and that is 7 there. */
const HOST_PID = 4_711;
const INNER_PID = 7;

function containers(options: ObserverHarnessOptions = {}): ObserverHarness {
  const listeners = [new ScriptedListener({ containers: true })];
  const harness = new ObserverHarness({ listeners, ...options });
  harness.processes.setInContainer(HOST_PID, 100, WEB, INNER_PID);
  return harness;
}

function inner(nonce: number, framePid = INNER_PID, peerPid = HOST_PID) {
  return beatOf(framePid, { peerPid, nonce });
}

describe("a listener with containers", () => {
  test("takes the number that a sender has in its container, and watches the host's", () => {
    const harness = containers();
    expect(harness.tell(inner(1), inner(2))).toEqual(["beat 4711", "beat 4711"]);
    expect(harness.moved()).toEqual(["accepted 2"]);
    const { tracker } = harness.observer;
    expect([tracker.isTracked(HOST_PID), tracker.isTracked(INNER_PID)]).toEqual([true, false]);
    harness.pass(150);
    harness.pump();
    const stall = harness.observer.takeStall()!;
    expect(stall).toMatchObject({
      pid: HOST_PID,
      innerPid: INNER_PID,
      generation: 100,
      proven: true,
    });
  });

  test("reads the number once, and nothing of /proc for the next beats", () => {
    const harness = containers();
    harness.receive(inner(1), inner(2));
    expect(harness.processes.innermostPidReads).toBe(1);
    harness.processes.takeReads();
    for (let nonce = 3; nonce < 300; nonce++) {
      harness.pass(50);
      harness.receive(inner(nonce));
    }
    expect(harness.moved()).toEqual(["accepted 299"]);
    expect(harness.processes.innermostPidReads).toBe(1);
    expect(harness.processes.takeReads()).toBe(0);
  });

  test("takes pid 1 of two containers for two processes, and pid 0 for none", () => {
    const harness = containers();
    harness.processes.setInContainer(5_001, 100, WEB, 1);
    harness.processes.setInContainer(5_002, 100, DB, 1);
    const told = harness.tell(inner(1, 1, 5_001), inner(1, 1, 5_002), inner(2, 1, 5_001));
    expect(told).toEqual(["beat 5001", "beat 5002", "beat 5001"]);
    expect(harness.tell(inner(3, 0, 5_001))).toEqual(["decode BadPid"]);
    expect(harness.observer.tracker.len).toBe(2);
  });

  test.each([
    ["the host's number", HOST_PID],
    ["the number of another process of its container", 8],
    ["that of a process of another container", 1],
    ["that of a process of the host", 900],
  ])("refuses %s from inside", (_, framePid) => {
    const harness = containers({ allowCrossNamespace: true });
    harness.processes.setInContainer(5_008, 100, WEB, 8);
    harness.processes.setInContainer(5_002, 100, DB, 1);
    harness.processes.set(900, 100);
    expect(harness.tell(inner(1, framePid))).toEqual([`auth-failure ${framePid} pid`]);
    expect(harness.moved()).toEqual(["pid 1"]);
    expect(harness.observer.tracker.isEmpty).toBe(true);
    // Nor once it is known by its own.
    harness.receive(inner(1));
    harness.pass(1_500);
    expect(harness.tell(inner(2, framePid))).toEqual([`auth-failure ${framePid} pid`]);
    expect(harness.observer.tracker.len).toBe(1);
  });

  test("takes a process of the host as before", () => {
    const harness = containers();
    harness.processes.set(900, 100);
    expect(harness.tell(beatOf(900))).toEqual(["beat 900"]);
    expect(harness.tell(beatOf(901, { peerPid: 900, nonce: 2 }))).toEqual(["auth-failure 901 pid"]);
  });

  test("takes one whose number is the same inside and outside", () => {
    const harness = containers();
    harness.processes.setInContainer(5_001, 100, WEB, 5_001);
    expect(harness.tell(beatOf(5_001))).toEqual(["beat 5001"]);
  });

  test("takes a sender in containers within containers by the innermost number only", () => {
    const harness = containers();
    // NSpid: 4711 30 7
    expect(harness.tell(inner(1, 30), inner(1))).toEqual(["auth-failure 30 pid", "beat 4711"]);
  });

  test("takes one whose namespace is hidden from it", () => {
    const harness = containers();
    harness.processes.table.get(HOST_PID)!.inode = 0;
    expect(harness.tell(inner(1))).toEqual(["beat 4711"]);
  });

  test("refuses who cannot be looked up", () => {
    const harness = containers();
    harness.processes.table.get(HOST_PID)!.innermostPid = Number.NaN;
    expect(harness.tell(inner(1))).toEqual(["auth-failure 7 pid"]);
  });

  test("holds a process to its own number that took over a pid", () => {
    const harness = containers();
    harness.receive(inner(5));
    // The next one there is 9, and beats as the 7 that it is not.
    harness.processes.setInContainer(HOST_PID, 200, WEB, 9);
    harness.pass(THRESHOLD_NS / 1e6);
    expect(harness.tell(inner(6))).toEqual(["auth-failure 7 pid"]);
    harness.pass(1_100);
    expect(harness.tell(inner(1, 9))).toEqual(["beat 4711"]);
    expect(harness.observer.tracker.generationOf(HOST_PID)).toBe(200);
    harness.pass(150);
    harness.pump();
    expect(harness.observer.takeStall()).toMatchObject({ innerPid: 9, generation: 200 });
  });

  test("takes the last beat of a process that is gone by then", () => {
    const harness = containers();
    harness.receive(inner(1));
    harness.processes.table.delete(HOST_PID);
    harness.pass(THRESHOLD_NS / 1e6);
    expect(harness.tell(terminalOf(INNER_PID, 5, { peerPid: HOST_PID }))).toEqual(["beat 4711"]);
  });

  test("looks a sender of wrong numbers up once a second, whatever it sends", () => {
    const harness = containers({ admission: { perPidRate: 0, globalRate: 0, globalBurst: 0 } });
    for (let second = 0; second < 3; second++) {
      for (let n = 0; n < 100; n++) harness.receive(inner(n, 1_000 + n), inner(n, 2_000 + n));
      harness.pass(1_001);
    }
    expect(harness.moved()).toEqual(["pid 600"]);
    expect(harness.processes.innermostPidReads).toBe(3);
  });

  test("looks up no more than its budget, of senders without number", () => {
    const harness = containers({ trackerCapacity: 1 });
    const flood = () => {
      for (let pid = 10_000; pid < 20_000; pid += 50) {
        const batch = Array.from({ length: 50 }, (_, n) => inner(1, 3, pid + n));
        harness.receive(...batch);
      }
      return harness.processes.innermostPidReads;
    };
    const burst = flood();
    expect(burst).toBeLessThanOrEqual(1_024);
    harness.pass(500);
    expect(flood() - burst).toBeLessThanOrEqual(1_000);
    // A sender that is known needs none.
    harness.pass(2_000);
    harness.receive(inner(1));
    flood();
    expect(harness.tell(inner(2))).toEqual(["beat 4711"]);
  });
});

test("a listener without containers refuses the number inside, and pid 1 as no frame", () => {
  const harness = new ObserverHarness({ allowCrossNamespace: true });
  harness.processes.setInContainer(HOST_PID, 100, WEB, INNER_PID);
  expect(harness.tell(inner(1), inner(1, 1))).toEqual(["auth-failure 7 pid", "decode BadPid"]);
  expect(harness.processes.innermostPidReads).toBe(0);
  harness.processes.set(900, 100, OWN_INODE);
  expect(harness.tell(beatOf(900))).toEqual(["beat 900"]);
  expect(harness.clock.ns).toBe(NS_PER_S);
});
