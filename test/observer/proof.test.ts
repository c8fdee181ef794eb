// Who really sent a beat: the process that has the pid now, or one that ended while its beat
// waited. Until that is known, nothing may be done to the process that has the pid (a stall of an
// unproven sender is only reported).
import { describe, expect, test } from "bun:test";
import { PROOF_LOOK_NS } from "../../src/base/limits.ts";
import { ORIGIN_OPERATOR_ATTESTED } from "../../src/base/origin.ts";
import {
  beatOf,
  type Datagram,
  ScriptedListener,
  terminalOf,
} from "../support/scripted_listener.ts";
import { ObserverHarness, type ObserverHarnessOptions, THRESHOLD_NS } from "./harness.ts";

const PID = 42;
const THRESHOLD_MS = THRESHOLD_NS / 1e6;
/** The socket was seen empty in tick 900. */
const EMPTY = 900;
/** Start time, namespace, start time. */
const FULL = 3;

/** A receive of `datagrams` from a socket that was last seen empty at generation `empty`. */
function receive(harness: ObserverHarness, empty: number, ...datagrams: Datagram[]): void {
  harness.listener.batch.sentAfterGeneration = empty;
  harness.receive(...datagrams);
}

function watching(startTime: number, options: ObserverHarnessOptions = {}): ObserverHarness {
  const harness = new ObserverHarness(options);
  harness.processes.set(PID, startTime);
  return harness;
}

function isProven(harness: ObserverHarness): boolean {
  const { tracker } = harness.observer;
  return tracker.slots.isProven(tracker.slotOf(PID));
}

/** The queued beats `from` to `to` of one sender. */
function beats(from: number, to: number): Datagram[] {
  return Array.from({ length: to - from + 1 }, (_, i) => beatOf(PID, { nonce: from + i }));
}

/** What the stall says once the agent has been silent for its threshold. */
function stallIsProven(harness: ObserverHarness): boolean {
  harness.pass(THRESHOLD_MS);
  harness.pump();
  const stall = harness.observer.takeStall();
  expect(stall?.pid).toBe(PID);
  return stall!.proven;
}

describe("the first beat of a pid", () => {
  test.each([
    ["started a tick before its socket was seen empty", EMPTY - 1, true],
    ["started in the very tick", EMPTY, false],
    ["started later", EMPTY + 1, false],
    ["has a start time that cannot be read", Number.NaN, false],
  ])("of a process that %s: proven %p", (_what, startTime, proven) => {
    const harness = watching(startTime);
    receive(harness, EMPTY, beatOf(PID));
    expect(isProven(harness)).toBe(proven);
    expect(harness.processes.takeReads()).toBe(FULL);
    expect(stallIsProven(harness)).toBe(proven);
  });

  test("proves nothing where the listener knows nothing about its socket", () => {
    const harness = watching(1);
    receive(harness, Number.NaN, beatOf(PID));
    expect(stallIsProven(harness)).toBe(false);
  });

  test("proves nothing if the pid changes hands during the look", () => {
    const harness = watching(1);
    let reads = 0;
    harness.processes.beforeRead = () => harness.processes.set(PID, ++reads);
    receive(harness, EMPTY, beatOf(PID));
    expect(isProven(harness)).toBe(false);
  });
});

describe("a stranger took over the pid while beats of a dead sender waited", () => {
  test.each([1, 2, 5])("%d beats of one batch do not prove it", (count) => {
    const harness = watching(EMPTY + 1);
    receive(harness, EMPTY, ...beats(1, count));
    expect(harness.moved()).toEqual([`accepted ${count}`]);
    expect(harness.processes.takeReads()).toBe(FULL);
    expect(stallIsProven(harness)).toBe(false);
  });

  test.each([2, 5])("%d beats of one backlog in as many batches do not prove it", (count) => {
    const harness = watching(EMPTY + 1);
    for (const beat of beats(1, count)) {
      receive(harness, EMPTY, beat);
      harness.pass(1);
    }
    expect(harness.processes.takeReads()).toBe(FULL);
    expect(stallIsProven(harness)).toBe(false);
  });

  test("a last word, which other checks let pass, does not prove it either", () => {
    const harness = watching(EMPTY + 1);
    receive(harness, EMPTY, beatOf(PID), terminalOf(PID, 5));
    expect(stallIsProven(harness)).toBe(false);
  });

  test("and the next beat is of another again: that one is looked up for itself", () => {
    const harness = watching(EMPTY + 1);
    receive(harness, EMPTY, beatOf(PID));
    harness.processes.set(PID, EMPTY + 5);
    harness.pass(1);
    receive(harness, EMPTY + 3, beatOf(PID, { nonce: 2 }));
    expect(harness.observer.drainPidRecycles()).toBe(1);
    expect(stallIsProven(harness)).toBe(false);
  });

  test("a slot that was proven for the old process is not for the new one", () => {
    const harness = watching(EMPTY - 1);
    receive(harness, EMPTY, beatOf(PID));
    harness.processes.set(PID, EMPTY + 1);
    harness.pass(THRESHOLD_MS);
    receive(harness, EMPTY, beatOf(PID, { nonce: 2 }));
    expect(harness.observer.drainPidRecycles()).toBe(1);
    expect(stallIsProven(harness)).toBe(false);
  });
});

describe("a true agent", () => {
  test("that beats right after its start is proven by its second beat, with one more look", () => {
    const harness = watching(EMPTY);
    receive(harness, EMPTY, beatOf(PID));
    expect(harness.processes.takeReads()).toBe(FULL);
    harness.pass(20);
    receive(harness, EMPTY + 1, beatOf(PID, { nonce: 2 }));
    expect(harness.processes.takeReads()).toBe(1);
    expect(isProven(harness)).toBe(true);
    receive(harness, EMPTY + 2, ...beats(3, 60));
    expect(harness.processes.takeReads()).toBe(0);
    expect(stallIsProven(harness)).toBe(true);
  });

  test("stays proven while its socket is never seen empty again", () => {
    const harness = watching(EMPTY - 1);
    receive(harness, EMPTY, beatOf(PID));
    receive(harness, Number.NaN, beatOf(PID, { nonce: 2 }));
    harness.pass(THRESHOLD_MS);
    receive(harness, Number.NaN, beatOf(PID, { nonce: 3 }));
    expect(stallIsProven(harness)).toBe(true);
  });

  test("that beat once and hung is reported, and not proven", () => {
    const harness = watching(EMPTY);
    receive(harness, EMPTY, beatOf(PID));
    expect(stallIsProven(harness)).toBe(false);
  });

  test("whose start time becomes readable is proven by a beat of that look, if it is old enough", () => {
    for (const [startTime, proven] of [
      [EMPTY - 1, true],
      [EMPTY, false],
    ] as const) {
      const harness = watching(Number.NaN, { thresholdNs: 10e9 });
      receive(harness, EMPTY, beatOf(PID));
      harness.processes.set(PID, startTime);
      harness.pass(1_000);
      receive(harness, EMPTY, beatOf(PID, { nonce: 2 }));
      expect(isProven(harness)).toBe(proven);
    }
  });

  test("is not proven by a beat that is refused", () => {
    const harness = watching(EMPTY, { thresholdNs: 10e9 });
    receive(harness, EMPTY, beatOf(PID, { nonce: 5 }));
    harness.pass(1);
    receive(harness, EMPTY + 1, beatOf(PID, { nonce: 5 }));
    expect(harness.moved()).toEqual(["accepted 1", "out_of_order 1"]);
    expect(isProven(harness)).toBe(false);
  });

  test("of two sockets is proven by the one that was seen empty", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = new ObserverHarness({ listeners });
    harness.processes.set(PID, EMPTY);
    listeners[0]!.batch.sentAfterGeneration = EMPTY;
    listeners[1]!.batch.sentAfterGeneration = EMPTY + 1;
    listeners[0]!.queue([beatOf(PID)]);
    harness.pump();
    expect(isProven(harness)).toBe(false);
    harness.pass(1);
    listeners[1]!.queue([beatOf(PID, { nonce: 2 })]);
    harness.pump();
    expect(isProven(harness)).toBe(true);
  });
});

describe("a pid that its sender stated", () => {
  // Who rules a namespace may state the pid of its own child, and hold the send until that has
  // ended.
  test("is not proven for a process of another user, however old that is", () => {
    const harness = watching(1);
    harness.processes.set(PID, 1, undefined, 0);
    for (let nonce = 1; nonce <= 5; nonce++) {
      receive(harness, EMPTY, beatOf(PID, { nonce, peerUid: 1000 }));
      harness.pass(1);
    }
    expect(stallIsProven(harness)).toBe(false);
  });

  test("is not proven while the uid of the process cannot be read", () => {
    const harness = watching(1);
    harness.processes.set(PID, 1, undefined, Number.NaN);
    receive(harness, EMPTY, beatOf(PID));
    expect(stallIsProven(harness)).toBe(false);
  });

  test("is proven by the first beat after the process has changed its uid", () => {
    const harness = watching(1);
    receive(harness, EMPTY, beatOf(PID, { peerUid: 0 }));
    expect(isProven(harness)).toBe(false);
    harness.pass(1);
    receive(harness, EMPTY, beatOf(PID, { nonce: 2, peerUid: 1000 }));
    expect(isProven(harness)).toBe(true);
  });

  test("the uid is read for a proof alone", () => {
    const harness = watching(EMPTY);
    receive(harness, EMPTY, beatOf(PID));
    expect(harness.processes.uidReads).toBe(0);
    harness.pass(1);
    receive(harness, EMPTY + 1, ...beats(2, 40));
    expect(harness.processes.uidReads).toBe(1);
  });
});

describe("looks for a proof", () => {
  test("a backlog of a process that is gone costs one look for each batch", () => {
    const harness = watching(EMPTY);
    receive(harness, EMPTY, beatOf(PID));
    harness.processes.table.clear();
    harness.processes.takeReads();
    for (let batch = 0; batch < 5; batch++) {
      harness.pass(1);
      receive(harness, EMPTY + 1, ...beats(2 + 64 * batch, 65 + 64 * batch));
    }
    expect(harness.processes.takeReads()).toBe(5);
    expect(harness.moved()).toEqual([`accepted ${1 + 5 * 64}`]);
    expect(stallIsProven(harness)).toBe(false);
  });

  test("a flood of short-lived senders costs no look beyond the first of each", () => {
    const harness = new ObserverHarness({ trackerCapacity: 4_096 });
    for (let pid = 2; pid < 1_026; pid++) harness.processes.set(pid, EMPTY + 1);
    for (let round = 1; round <= 3; round++) {
      for (let pid = 2; pid < 1_026; pid += 64) {
        const batch = Array.from({ length: 64 }, (_, i) => beatOf(pid + i, { nonce: round }));
        receive(harness, EMPTY, ...batch);
      }
    }
    expect(harness.processes.takeReads()).toBe(1_024 * FULL);
  });

  test("the sockets are read once more after an unproven beat, so that the next one can prove", () => {
    const harness = watching(EMPTY, { thresholdNs: 10e9 });
    const beganNs = harness.clock.ns;
    receive(harness, EMPTY, beatOf(PID));
    expect(harness.observer.nextDeadline()).toBe(beganNs + PROOF_LOOK_NS);
    harness.clock.ns += PROOF_LOOK_NS - 1;
    harness.pump();
    expect(harness.observer.nextDeadline()).toBe(beganNs + PROOF_LOOK_NS);
    harness.clock.ns += 1;
    harness.pump();
    expect(harness.observer.nextDeadline()).toBe(beganNs + 10e9);
  });

  test.each([
    ["is proven", EMPTY - 1],
    ["has no readable start time", Number.NaN],
  ])("no look is planned for a sender that %s", (_what, startTime) => {
    const harness = watching(startTime, { thresholdNs: 10e9 });
    receive(harness, EMPTY, beatOf(PID));
    expect(harness.observer.nextDeadline()).toBe(harness.clock.ns + 10e9);
  });

  test("a sender that the kernel does not name is never proven, and never looked up", () => {
    const harness = watching(1);
    receive(harness, EMPTY, beatOf(PID, { peerPid: 0, origin: ORIGIN_OPERATOR_ATTESTED }));
    expect(harness.processes.takeReads()).toBe(0);
    expect(stallIsProven(harness)).toBe(false);
  });
});

describe("the kernel's word on the sender of a beat", () => {
  /**
   * Received in tick `received` from a socket that was never seen empty since before every start.
   */
  function asking(
    startTime: number,
    received: number,
    vouches: (pid: number) => boolean,
  ): ObserverHarness {
    const harness = watching(startTime);
    harness.listener.vouches = vouches;
    harness.listener.batch.receivedGeneration = received;
    return harness;
  }

  test.each([
    ["is there still, and started in an earlier tick", EMPTY, EMPTY + 1, true, true],
    ["is there still, and started in the very tick", EMPTY, EMPTY, true, false],
    ["has ended", EMPTY, EMPTY + 1, false, false],
    ["is there, and cannot be looked at", Number.NaN, EMPTY + 1, true, false],
  ])("at its first beat: it %s", (_what, startTime, received, isThere, proven) => {
    const harness = asking(startTime, received, () => isThere);
    receive(harness, 1, beatOf(PID));
    expect(isProven(harness)).toBe(proven);
    expect(stallIsProven(harness)).toBe(proven);
  });

  test("at a later beat, with one more look", () => {
    const harness = asking(EMPTY, EMPTY, () => true);
    receive(harness, 1, beatOf(PID));
    harness.processes.takeReads();
    harness.pass(1);
    harness.listener.batch.receivedGeneration = EMPTY + 1;
    receive(harness, 1, beatOf(PID, { nonce: 2 }));
    expect(harness.processes.takeReads()).toBe(1);
    expect(stallIsProven(harness)).toBe(true);
  });

  test.each([1, 2, 5])(
    "says of %d beats of a dead sender that a stranger did not send them",
    (count) => {
      const harness = asking(EMPTY, EMPTY + 10, () => false);
      for (const beat of beats(1, count)) {
        receive(harness, 1, beat);
        harness.pass(1);
      }
      expect(stallIsProven(harness)).toBe(false);
    },
  );

  test("is asked for after the start time: a pid that changes hands in between is not proven", () => {
    const harness = watching(EMPTY);
    let hasEnded = false;
    harness.processes.beforeRead = () => {
      hasEnded = true;
    };
    harness.listener.vouches = () => !hasEnded;
    harness.listener.batch.receivedGeneration = EMPTY + 1;
    receive(harness, 1, beatOf(PID));
    expect(harness.listener.asked).toBe(1);
    expect(isProven(harness)).toBe(false);
  });

  test("decides, also where the start time alone would do", () => {
    for (const isThere of [true, false]) {
      const harness = asking(EMPTY - 1, EMPTY + 1, () => isThere);
      receive(harness, EMPTY, beatOf(PID));
      expect(isProven(harness)).toBe(isThere);
    }
  });

  test("is not asked for again once it was good", () => {
    const harness = asking(EMPTY - 1, EMPTY + 1, () => true);
    receive(harness, EMPTY, beatOf(PID));
    receive(harness, EMPTY, ...beats(2, 50));
    expect(harness.listener.asked).toBe(1);
  });

  test("is wanted for a sender in doubt alone, and given back with every batch", () => {
    const harness = watching(EMPTY);
    receive(harness, EMPTY, beatOf(PID));
    expect([harness.listener.doubts, harness.listener.released]).toEqual([1, 2]);
    harness.pass(1);
    receive(harness, EMPTY + 1, beatOf(PID, { nonce: 2 }), beatOf(PID, { nonce: 3 }));
    expect([harness.listener.doubts, harness.listener.released]).toEqual([1, 4]);
  });
});
