import { describe, expect, test } from "bun:test";
import { REJECT_ORIGIN_CONFLICT, REJECT_RATE_PER_PID } from "../../src/base/reject_reason.ts";
import { ACCEPTED, ASKED_BYE } from "../../src/observer/asked_beats.ts";
import { ORIGIN_SOCKET_MODE_ONLY } from "../../src/base/origin.ts";
import { GREETINGS } from "../../src/observer/greetings.ts";
import { STATUS_OK } from "../../src/wire/frame.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { ObserverHarness, type ObserverHarnessOptions } from "./harness.ts";

const PID = 700;

function asking(options: ObserverHarnessOptions = {}) {
  const harness = new ObserverHarness(options);
  harness.processes.set(PID, 50);
  const results: number[] = [];
  const ask = (askedGeneration = 60, status: number = STATUS_OK): void =>
    harness.observer.ask({
      pid: PID,
      uid: 1000,
      gid: 1000,
      status,
      listenerNumber: 0,
      askedGeneration,
      done: (result) => results.push(result),
    });
  const bye = (): void => ask(60, ASKED_BYE);
  return { harness, results, ask, bye };
}

describe("a goodbye that is asked for", () => {
  test("is no beat, and its member owes none until the next one", () => {
    const { harness, results, ask, bye } = asking();
    ask();
    harness.pump();
    bye();
    expect(harness.pump()).toEqual([]);
    const { tracker, greetings } = harness.observer;
    const slot = tracker.slotOf(PID);
    expect(tracker.slots.saidGoodbye(slot)).toBe(true);
    expect(greetings.counters.get(GREETINGS.taken.bye)).toBe(1);
    harness.pass(1_000);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
    ask();
    harness.pump();
    expect(tracker.slots.saidGoodbye(slot)).toBe(false);
    harness.pass(1_000);
    harness.pump();
    expect(harness.stalls()).toEqual([PID]);
    expect(results).toEqual([ACCEPTED, ACCEPTED, ACCEPTED]);
    expect(harness.moved()).toEqual(["accepted 3"]);
  });

  test("of a process that never beat is taken, and makes no member", () => {
    const { harness, results, bye } = asking();
    bye();
    harness.pump();
    expect(results).toEqual([ACCEPTED]);
    expect(harness.observer.tracker.len).toBe(0);
  });

  test("is refused by the limits of a bye, and its asker hears the reason", () => {
    const { harness, results, bye } = asking();
    for (let n = 0; n < 5; n++) bye();
    harness.pump();
    expect(results).toEqual([ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED, REJECT_RATE_PER_PID]);
  });
});

describe("a beat that is asked for", () => {
  test("is taken by the next pump as a datagram of its listener", () => {
    const { harness, results, ask } = asking();
    ask();
    expect(harness.observer.nextDeadline()).toBe(harness.observer.clock.lastNs);
    expect(harness.pump()).toMatchObject([{ kind: "beat", pid: PID }]);
    expect(results).toEqual([ACCEPTED]);
    expect(harness.moved()).toEqual(["accepted 1"]);
    expect(harness.pump()).toEqual([]);
  });

  test("is proven by a process that began before it was asked for, and by no other", () => {
    for (const [generation, isProven] of [
      [50, false],
      [51, true],
    ] as const) {
      const { harness, ask } = asking();
      ask(generation);
      harness.pump();
      const { tracker } = harness.observer;
      expect(tracker.slots.isProven(tracker.slotOf(PID))).toBe(isProven);
    }
  });

  test("counts on in the numbering of its member, whose own client is heard beside it", () => {
    const { harness, results, ask } = asking();
    harness.receive(beatOf(PID, { nonce: 9n, timestamp: 100n }));
    for (let n = 0; n < 3; n++) {
      ask();
      harness.pump();
    }
    harness.receive(beatOf(PID, { nonce: 10n, timestamp: 200n }));
    ask();
    harness.pump();
    expect(results).toEqual([ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED]);
    expect(harness.moved()).toEqual(["accepted 6"]);
  });

  test("never takes the number of a crash beat, nor does a goodbye", () => {
    const { harness, results, ask, bye } = asking();
    harness.receive(beatOf(PID, { nonce: 2n ** 64n - 2n, timestamp: 100n }));
    bye();
    ask();
    expect(harness.pump()).toMatchObject([{ kind: "beat", nonce: 0n }]);
    expect(results[1]).toBe(ACCEPTED);
  });

  test("keeps a member from a stall that is due in the same turn", () => {
    for (const isAsked of [false, true]) {
      const { harness, ask } = asking();
      ask();
      harness.pump();
      harness.pass(200);
      if (isAsked) ask();
      harness.pump();
      expect(harness.stalls()).toEqual(isAsked ? [] : [PID]);
    }
  });

  test("is refused by the limits and checks of a datagram, and its asker hears the reason", () => {
    const limited = asking({ admission: { perPidRate: 1, globalRate: 0, globalBurst: 0 } });
    for (let n = 0; n < 100; n++) limited.ask();
    limited.harness.pump();
    expect(limited.results).toContain(REJECT_RATE_PER_PID);

    const taken = asking();
    taken.harness.receive({ ...beatOf(PID), origin: ORIGIN_SOCKET_MODE_ONLY, peerPid: 0 });
    taken.ask();
    taken.harness.pump();
    expect(taken.results).toEqual([REJECT_ORIGIN_CONFLICT]);
  });
});
