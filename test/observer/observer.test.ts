// The observer as a whole: construction, fairness among listeners, listeners that fail, drained
// counters, pid_max (spec 04 sections 1, 3, 9 and 10).
import { describe, expect, test } from "bun:test";
import { Counters } from "../../src/base/counters.ts";
import { BATCH_SIZE, RECEIVE_FAILURES_MAX, TRACKER_CAPACITY_MAX } from "../../src/base/limits.ts";
import { ORIGIN_NETWORK_UNVERIFIED } from "../../src/base/origin.ts";
import * as reason from "../../src/base/reject_reason.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import type { Event } from "../../src/events/event.ts";
import { SECURE, type SecureCounters } from "../../src/listener/counters.ts";
import { beatOf, type Datagram, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { ObserverHarness, collect } from "./harness.ts";

function unattested(pid: number, nonce = 1): Datagram {
  return beatOf(pid, { peerPid: 0, nonce });
}

/** A listener that never runs dry. */
class Flood extends ScriptedListener {
  override receive(nowNs: number): number {
    const flood = Array.from({ length: BATCH_SIZE }, () => damaged(beatOf(9)));
    if (this.script.length === 0) this.queue(flood);
    return super.receive(nowNs);
  }
}

describe("new Observer()", () => {
  test.each([10 * NS_PER_MS - 1, 0, -1, Number.NaN])(
    "refuses a threshold of %d ns and says what is wanted",
    (thresholdNs) => {
      expect(() => new ObserverHarness({ thresholdNs })).toThrow(
        `Cannot make an observer: threshold must be at least 10000000 ns: current value is ${thresholdNs}`,
      );
    },
  );

  test("takes a threshold of exactly 10 ms", () => {
    expect(new ObserverHarness({ thresholdNs: 10 * NS_PER_MS }).observer.thresholdNs).toBe(
      10 * NS_PER_MS,
    );
  });

  test("clamps a huge capacity before it allocates", () => {
    const { observer } = new ObserverHarness({ trackerCapacity: 2 ** 40, judgeLimit: 16 });
    expect(observer.tracker.capacity).toBe(TRACKER_CAPACITY_MAX);
  });

  test("has no limits and a capacity of 256 by default", () => {
    const harness = new ObserverHarness();
    expect(harness.observer.tracker.capacity).toBe(256);
    for (let at = 0; at < 3; at++)
      harness.receive(...Array.from({ length: 64 }, (_, i) => unattested(2, at * 64 + i + 1)));
    expect(harness.moved()).toEqual(["accepted 192"]);
  });

  test("without listeners receives nothing and does not wait", () => {
    const { observer } = new ObserverHarness({ listeners: [] });
    expect(observer.poll()).toBeUndefined();
    expect(observer.pump(() => {}, 4_096)).toBe(0);
    expect(observer.lastPollConsumed).toBe(false);
    expect(observer.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });

  test("close() closes every listener", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    new ObserverHarness({ listeners }).observer.close();
    expect(listeners.map(({ closed }) => closed)).toEqual([1, 1]);
  });
});

describe("poll()", () => {
  test("gives one event at a time and receives again only when the batch is finished", () => {
    const harness = new ObserverHarness();
    harness.listener.queue([unattested(2), unattested(3)], [unattested(4)]);
    const kinds = Array.from({ length: 4 }, () => harness.observer.poll()?.kind);
    expect(kinds).toEqual(["beat", "beat", "beat", undefined]);
    expect(harness.listener.receivedAtNs).toHaveLength(3);
  });

  test("receives from each listener at most once", () => {
    const silent = Array.from({ length: BATCH_SIZE }, () =>
      beatOf(2, { verdict: reason.REJECT_WRONG_SIZE }),
    );
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    for (const listener of listeners) listener.queue(silent, silent, silent);
    const { observer } = new ObserverHarness({ listeners });
    expect(observer.poll()).toBeUndefined();
    expect(observer.lastPollConsumed).toBe(true);
    expect(listeners.map(({ receivedAtNs }) => receivedAtNs.length)).toEqual([1, 1]);
  });

  test("says whether it took a datagram", () => {
    const harness = new ObserverHarness();
    harness.listener.queue([beatOf(2, { verdict: reason.REJECT_WRONG_SIZE })], -5);
    expect(harness.observer.poll()).toBeUndefined();
    expect(harness.observer.lastPollConsumed).toBe(true);
    expect(harness.observer.poll()?.kind).toBe("io");
    expect(harness.observer.lastPollConsumed).toBe(false);
  });
});

describe("pump()", () => {
  test("stops at the first batch that reaches its budget and says how many datagrams it took", () => {
    const harness = new ObserverHarness({ listeners: [new Flood()] });
    expect(harness.observer.pump(() => {}, 4_096)).toBe(4_096);
    expect(harness.observer.pump(() => {}, 65)).toBe(128);
    expect(harness.observer.pump(() => {}, 0)).toBe(0);
    expect(harness.observer.lastPollConsumed).toBe(false);
  });

  test("receives no more when its time is over, and goes on with the next listener the next time", () => {
    const order: string[] = [];
    const slow = (name: string) =>
      new Flood({
        name,
        onReceive: () => {
          order.push(name);
          harness.clock.ns += 2 * NS_PER_MS;
        },
      });
    const harness: ObserverHarness = new ObserverHarness({
      listeners: [slow("a"), slow("b"), slow("c")],
    });
    const pump = (budgetNs: number) => harness.observer.pump(() => {}, 4_096, budgetNs);
    // The receives begin at 0, 2, 4 and 6 ms; the last one is over the time and ends it.
    expect(pump(5 * NS_PER_MS)).toBe(4 * BATCH_SIZE);
    expect(harness.observer.lastPumpCutOff).toBe(true);
    expect(pump(4 * NS_PER_MS)).toBe(4 * BATCH_SIZE);
    expect(order.join("")).toBe("abcabcab");
    expect(pump(0)).toBe(2 * BATCH_SIZE);
    expect(harness.observer.pump(() => {}, 4_096)).toBe(4_096);
  });

  test("says whether it was cut off: by its datagrams, by its time, or not", () => {
    const harness = new ObserverHarness();
    const { observer, listener } = harness;
    const batch = () => Array.from({ length: BATCH_SIZE }, () => damaged(beatOf(9)));
    const cutOff = (budget: number, budgetNs: number) => {
      observer.pump(() => {}, budget, budgetNs);
      return observer.lastPumpCutOff;
    };
    listener.queue(batch(), batch(), batch());
    expect(cutOff(BATCH_SIZE, Number.POSITIVE_INFINITY)).toBe(true);
    harness.clock.stepNs = 1;
    expect(cutOff(4_096, 0)).toBe(true);
    expect(cutOff(4_096, 1)).toBe(false);
    expect(listener.script).toEqual([]);
    expect(cutOff(4_096, 0)).toBe(false);
  });

  test("gives its sink at least one row and at most 64", () => {
    const harness = new ObserverHarness();
    harness.listener.queue(
      Array.from({ length: 64 }, (_, i) => unattested(2, i + 1)),
      [beatOf(3, { verdict: reason.REJECT_WRONG_SIZE })],
      -5,
      [unattested(3)],
    );
    const sizes: number[] = [];
    for (let i = 0; i < 3; i++) harness.observer.pump((_batch, count) => sizes.push(count), 4_096);
    expect(sizes).toEqual([64, 1, 1]);
  });

  test("dates a batch by one reading right before its receive", () => {
    const harness = new ObserverHarness();
    harness.clock.stepNs = 1_000;
    harness.listener.queue([unattested(2), unattested(3)]);
    const events: Event[] = [];
    harness.observer.pump((batch, count) => collect(events, batch, count, harness.observer), 1);
    const [atNs] = harness.listener.receivedAtNs;
    expect(events.map(({ observerNs }) => observerNs)).toEqual([atNs!, atNs!]);
    expect(harness.observer.tracker.slots.lastNs[0]).toBe(atNs!);
  });

  test("names the listener of each row and of each slot", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = new ObserverHarness({ listeners });
    listeners[0]!.queue([unattested(2)]);
    listeners[1]!.queue([unattested(3)], [unattested(2, 2)]);
    const seen: string[] = [];
    harness.observer.pump((batch, count) => {
      for (let i = 0; i < count; i++) seen.push(`${batch.pid[i]} by ${batch.listener[i]}`);
    }, 4_096);
    expect(seen).toEqual(["2 by 0", "3 by 1", "2 by 1"]);
    const { tracker } = harness.observer;
    expect(tracker.slots.listener[tracker.slotOf(2)]).toBe(1);
  });

  test("a flooded listener delays another by at most 64 datagrams per other listener (I3)", () => {
    const calls: string[] = [];
    const onReceive = (name: string): number => calls.push(name);
    const floods = ["a", "b"].map((name) => new Flood({ name, onReceive }));
    const quiet = new ScriptedListener({ name: "quiet", onReceive });
    const { observer } = new ObserverHarness({ listeners: [floods[0]!, quiet, floods[1]!] });
    for (let turn = 0; turn < 10; turn++) observer.pump(() => {}, 640);
    expect(observer.accounting.received[0]).toBe(3_200);
    expect(observer.accounting.received[2]).toBe(3_200);
    const rounds = calls.join(" ").match(/a quiet b/g);
    expect(rounds).toHaveLength(50);
    expect(calls).toHaveLength(150);
  });
});

describe("a listener whose receive fails", () => {
  test("makes an event each time, without a limit and without counting a datagram", () => {
    const harness = new ObserverHarness({
      admission: { perPidRate: 0, globalRate: 1, globalBurst: 1 },
    });
    harness.listener.queue(-105, -105, -105);
    const kinds: string[] = [];
    for (let turn = 0; turn < 4; turn++)
      kinds.push(
        ...harness.pump().map((event) => (event.kind === "io" ? `io ${event.errno}` : "")),
      );
    expect(kinds).toEqual(["io 105", "io 105", "io 105"]);
    expect(harness.observer.drainIoErrors()).toBe(3);
    expect(harness.observer.drainIoErrors()).toBe(0);
    expect(harness.observer.accounting.received[0]).toBe(0);
    expect(harness.moved()).toEqual([]);
  });

  test("does not keep the others from being read", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = new ObserverHarness({ listeners });
    listeners[0]!.queue(-5, -5, -5, -5);
    listeners[1]!.queue([unattested(2)], [unattested(3)]);
    expect(harness.pump().filter(({ kind }) => kind === "beat")).toHaveLength(2);
  });

  test("is left alone for a second after eight failures in a row, and then tried again", () => {
    const harness = new ObserverHarness();
    harness.listener.queue(...Array.from({ length: RECEIVE_FAILURES_MAX }, () => -5));
    for (let turn = 0; turn < RECEIVE_FAILURES_MAX; turn++) {
      expect(harness.observer.suspendedUntilNs(0)).toBe(0);
      harness.pump();
    }
    const untilNs = harness.clock.ns + NS_PER_S;
    expect(harness.observer.suspendedUntilNs(0)).toBe(untilNs);
    harness.clock.ns = untilNs - 1;
    harness.listener.queue([unattested(2)]);
    expect(harness.pump()).toEqual([]);
    expect(harness.listener.receivedAtNs).toHaveLength(RECEIVE_FAILURES_MAX);
    harness.clock.ns = untilNs;
    expect(harness.pump()).toHaveLength(1);
    expect(harness.observer.suspendedUntilNs(0)).toBe(0);
  });

  test("stays suspended, second by second, while it goes on failing", () => {
    const harness = new ObserverHarness();
    harness.listener.queue(...Array.from({ length: RECEIVE_FAILURES_MAX + 2 }, () => -5));
    for (let turn = 0; turn < RECEIVE_FAILURES_MAX; turn++) harness.pump();
    for (let second = 1; second <= 2; second++) {
      harness.clock.ns = harness.observer.suspendedUntilNs(0);
      expect(harness.pump()).toHaveLength(1);
      expect(harness.observer.suspendedUntilNs(0)).toBe(harness.clock.ns + NS_PER_S);
    }
  });

  test("is judged as empty while it is suspended, so that stalls are found", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = new ObserverHarness({ listeners });
    listeners[0]!.queue([unattested(2)]);
    harness.pump();
    listeners[1]!.queue(...Array.from({ length: RECEIVE_FAILURES_MAX }, () => -5));
    for (let turn = 0; turn < RECEIVE_FAILURES_MAX; turn++) harness.pump();
    expect(harness.observer.suspendedUntilNs(1)).toBeGreaterThan(0);
    harness.pass(100);
    harness.pump();
    expect(harness.stalls()).toEqual([2]);
  });

  test("one success in between starts the count again", () => {
    const harness = new ObserverHarness();
    const seven = Array.from({ length: RECEIVE_FAILURES_MAX - 1 }, () => -5);
    harness.listener.queue(...seven, [], ...seven);
    for (let turn = 0; turn < 2 * RECEIVE_FAILURES_MAX; turn++) harness.pump();
    expect(harness.observer.suspendedUntilNs(0)).toBe(0);
  });
});

describe("pid_max", () => {
  test("is read once at construction, and again at most every 60 s, first 60 s after the start", () => {
    let reads = 0;
    const { observer } = new ObserverHarness({ readPidMax: () => 1_000 + reads++ });
    expect([observer.pidMax, reads]).toEqual([1_000, 1]);
    expect(observer.maybeRefreshPidMax(60 * NS_PER_S - 1)).toBe(false);
    expect(observer.maybeRefreshPidMax(60 * NS_PER_S)).toBe(true);
    expect([observer.pidMax, reads]).toEqual([1_001, 2]);
    expect(observer.maybeRefreshPidMax(119 * NS_PER_S)).toBe(false);
    expect(observer.maybeRefreshPidMax(120 * NS_PER_S)).toBe(true);
    expect(reads).toBe(3);
  });

  test("is no gate where the system has none", () => {
    const harness = new ObserverHarness();
    expect(harness.observer.pidMax).toBe(2 ** 32 - 1);
    expect(harness.observer.maybeRefreshPidMax(1e15)).toBe(false);
    expect(harness.tell(unattested(2 ** 32 - 1))).toEqual([`beat ${2 ** 32 - 1}`]);
  });
});

describe("drained counters", () => {
  test("read and zero, and go on from there, over all listeners", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = new ObserverHarness({ listeners, trackerCapacity: 1 });
    const rows: [number, () => number][] = [
      [reason.REJECT_WRONG_SIZE, () => harness.observer.drainTruncated()],
      [reason.REJECT_DECRYPT, () => harness.observer.drainDecryptFailures()],
      [reason.REJECT_REPLAY, () => harness.observer.drainReplayRefused()],
      [reason.REJECT_SENDER_TABLE_FULL, () => harness.observer.drainSenderStateFull()],
    ];
    for (const [verdict, drain] of rows) {
      for (const total of [3, 1]) {
        for (let i = 0; i < total; i++) listeners[i % 2]!.queue([beatOf(2, { verdict })]);
        harness.pump();
        expect([drain(), drain()]).toEqual([total, 0]);
      }
    }
  });

  test("those that only some listeners have are summed, or read by listener", () => {
    class Decrypting extends ScriptedListener {
      kernelDrops = 4;
      readonly counters: SecureCounters = new Counters(SECURE, this);
    }
    const listeners = [new ScriptedListener(), new Decrypting(), new Decrypting()];
    for (const { counters } of listeners.slice(1) as Decrypting[])
      counters.add(SECURE.aeadAttempts, 9);
    const { observer } = new ObserverHarness({ listeners });
    expect(observer.drainAeadAttempts()).toBe(18);
    expect([0, 1, 2].map((listenerNumber) => observer.drainKernelDrops(listenerNumber))).toEqual([
      0, 4, 4,
    ]);
  });

  test("those of the tracker are read through the observer", () => {
    const harness = new ObserverHarness({ trackerCapacity: 1, evictionPolicy: "balanced" });
    const { observer } = harness;
    harness.receive(beatOf(2, { peerPid: 0, nonce: 2n ** 64n - 2n }));
    harness.receive(unattested(2, 5), unattested(2, 5), unattested(3));
    harness.receive(beatOf(2, { peerPid: 0, nonce: 9, origin: ORIGIN_NETWORK_UNVERIFIED }));
    expect(observer.drainNonceWraps()).toBe(1);
    expect(observer.drainOutOfOrder()).toBe(1);
    expect(observer.drainOriginConflicts()).toBe(1);
    expect([observer.drainCapacityExceeded(), observer.drainEvictionScanTruncated()]).toEqual([
      1, 1,
    ]);
    harness.pass(1_001);
    harness.receive(unattested(3));
    expect([observer.drainEvictions(), observer.drainEvictions()]).toEqual([1, 0]);
    expect([observer.drainEvictedPid(), observer.drainEvictedPid()]).toEqual([2, -1]);
    for (const zero of [
      observer.drainNonceWraps(),
      observer.drainOutOfOrder(),
      observer.drainOriginConflicts(),
      observer.drainCapacityExceeded(),
      observer.drainInvariantViolations(),
      observer.drainRemovedPidDrops(),
      observer.drainPidIndexProbeExhausted(),
      observer.drainNamespaceConflicts(),
      observer.drainPidRecycles(),
    ])
      expect(zero).toBe(0);
  });

  test("those of the clock are read through the observer", () => {
    const harness = new ObserverHarness();
    harness.pump();
    harness.clock.ns += 6 * NS_PER_S;
    harness.pump();
    harness.clock.ns -= 1;
    harness.observer.nowNs();
    expect(harness.observer.drainClockJumpsForward()).toBe(1);
    expect(harness.observer.drainClockRegressions()).toBe(1);
    expect(harness.observer.drainClockRegressions()).toBe(0);
  });
});
