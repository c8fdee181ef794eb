// When silence is judged (spec 04 section 4, I11): never while a received beat waits, never later
// than 4096 datagrams, each stall once, and no more than asked for at one time.
import { describe, expect, test } from "bun:test";
import { BATCH_SIZE, JUDGE_DATAGRAMS_MAX } from "../../src/base/limits.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { beatOf, type Datagram, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { ObserverHarness, type ObserverHarnessOptions, THRESHOLD_NS } from "./harness.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const AGENT = 2;

/** An observer whose agents have beaten once, at the same time. */
function watching(pids: readonly number[], options: ObserverHarnessOptions = {}): ObserverHarness {
  const harness = new ObserverHarness(options);
  for (let at = 0; at < pids.length; at += BATCH_SIZE)
    harness.listener.queue(
      pids.slice(at, at + BATCH_SIZE).map((pid) => beatOf(pid, { peerPid: 0 })),
    );
  harness.pump();
  return harness;
}

/** Datagrams that are taken and change nothing. */
function noise(count: number): Datagram[] {
  return Array.from({ length: count }, () => damaged(beatOf(9)));
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

describe("a stall", () => {
  test("is judged at exactly the threshold, not a nanosecond earlier", () => {
    const harness = watching([AGENT]);
    const lastNs = harness.clock.ns;
    harness.clock.ns += THRESHOLD_NS - 1;
    harness.pump();
    expect(harness.observer.hasPendingStalls()).toBe(false);
    harness.clock.ns += 1;
    harness.pump();
    expect(harness.observer.pollPending()).toEqual({
      kind: "stall",
      pid: AGENT,
      source: undefined,
      observerNs: lastNs + THRESHOLD_NS,
      lastNs,
      lastNonce: 1n,
      origin: 2,
      namespaceInode: undefined,
      generation: undefined,
      proven: false,
    });
    expect(harness.observer.pollPending()).toBeUndefined();
  });

  test("comes at the threshold of its member, and says which that was", () => {
    const harness = watching([AGENT]);
    harness.observer.tracker.table.thresholdNs = 3 * THRESHOLD_NS;
    harness.receive(beatOf(AGENT + 1, { peerPid: 0 }));
    harness.clock.ns += 3 * THRESHOLD_NS;
    harness.pump();
    const stalls = [harness.observer.takeStall(), harness.observer.takeStall()];
    expect(stalls.map((stall) => [stall?.pid, stall?.thresholdNs])).toEqual([
      [AGENT, THRESHOLD_NS],
      [AGENT + 1, 3 * THRESHOLD_NS],
    ]);
  });

  test("comes when the grace of its member is over, in a table of one, too", () => {
    const harness = watching([AGENT], { trackerCapacity: 1 });
    const { lanes } = harness.observer.tracker.table;
    const terms = { thresholdNs: THRESHOLD_NS, lateNs: Number.POSITIVE_INFINITY };
    lanes.change(0, { ...terms, graceNs: 2 * THRESHOLD_NS });
    harness.clock.ns += THRESHOLD_NS;
    harness.pump();
    expect(lanes.graces.count).toBe(1);
    harness.clock.ns += THRESHOLD_NS;
    harness.pump();
    expect(harness.observer.takeStall()?.pid).toBe(AGENT);
  });

  test("carries the uid that the kernel attested when the process became known, until another has its pid", () => {
    const harness = new ObserverHarness();
    const uidOfStall = () => {
      harness.clock.ns += THRESHOLD_NS;
      harness.pump();
      return harness.observer.takeStall()?.uid;
    };
    harness.processes.set(AGENT, 20);
    harness.receive(beatOf(AGENT, { nonce: 1, peerUid: 1_001 }));
    harness.receive(beatOf(AGENT, { nonce: 2, peerUid: 0 }));
    expect(uidOfStall()).toBe(1_001);
    harness.processes.set(AGENT, 21);
    harness.receive(beatOf(AGENT, { nonce: 1, peerUid: 7 }));
    expect(uidOfStall()).toBe(7);
    harness.receive(beatOf(AGENT + 1, { peerPid: 0 }));
    expect(uidOfStall()).toBeNaN();
  });

  test("is reported once per run of silence", () => {
    const harness = watching([AGENT]);
    for (let round = 0; round < 3; round++) {
      for (let look = 0; look < 5; look++) {
        harness.pass(THRESHOLD_MS);
        harness.pump();
        expect(harness.stalls()).toEqual(look === 0 ? [AGENT] : []);
      }
      harness.receive(beatOf(AGENT, { nonce: round + 2, peerPid: 0 }));
    }
  });

  test("marks the beat that ends it, and no other", () => {
    const harness = watching([AGENT]);
    const resumed: number[] = [];
    for (const [waitMs, nonce] of [
      [THRESHOLD_MS - 1, 2],
      [THRESHOLD_MS, 3],
      [1, 4],
    ] as const) {
      harness.pass(waitMs);
      harness.pump();
      harness.listener.queue([beatOf(AGENT, { nonce, peerPid: 0 })]);
      harness.observer.pump((batch) => resumed.push(batch.resumed[0]!), BATCH_SIZE);
    }
    expect(resumed).toEqual([0, 1, 0]);
  });

  test("is cancelled by a beat that is already in the socket, after 63 others", () => {
    const harness = watching([AGENT]);
    harness.pass(10 * THRESHOLD_MS);
    harness.receive(...noise(BATCH_SIZE - 1), beatOf(AGENT, { nonce: 2, peerPid: 0 }));
    expect(harness.stalls()).toEqual([]);
  });

  test("is cancelled by a beat in a later batch of another listener", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = watching([AGENT], { listeners });
    harness.pass(10 * THRESHOLD_MS);
    listeners[0]!.queue(noise(5));
    listeners[1]!.queue(noise(64), noise(64), [beatOf(AGENT, { nonce: 2, peerPid: 0 })]);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
  });
});

describe("judge point (a): every socket was found empty", () => {
  test("poll() judges nothing while datagrams of the batch wait", () => {
    const harness = watching([AGENT]);
    harness.pass(THRESHOLD_MS);
    harness.listener.queue(noise(3));
    for (let i = 0; i < 2; i++) {
      expect(harness.observer.poll()?.kind).toBe("decode");
      expect(harness.observer.hasPendingStalls()).toBe(false);
    }
    // The batch had room, so its last datagram shows that the socket is empty.
    expect(harness.observer.poll()?.kind).toBe("decode");
    expect(harness.stalls()).toEqual([AGENT]);
  });

  test("a full batch proves nothing about its socket", () => {
    const harness = watching([AGENT]);
    harness.pass(THRESHOLD_MS);
    harness.listener.queue(noise(BATCH_SIZE));
    harness.pump(1);
    expect(harness.stalls()).toEqual([]);
    harness.pump();
    expect(harness.stalls()).toEqual([AGENT]);
  });

  test("a receive that failed counts as empty", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = watching([AGENT], { listeners });
    harness.pass(THRESHOLD_MS);
    listeners[1]!.queue(-5, -5, -5);
    harness.pump();
    expect(harness.stalls()).toEqual([AGENT]);
  });

  test("one empty socket is not enough while another is full", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = watching([AGENT], { listeners });
    harness.pass(THRESHOLD_MS);
    for (let i = 0; i < 10; i++) listeners[1]!.queue(noise(BATCH_SIZE));
    harness.pump(9 * BATCH_SIZE);
    expect(harness.stalls()).toEqual([]);
  });
});

describe("judge point (b): a flood", () => {
  test("does not put off a verdict for more than 4096 datagrams", () => {
    const harness = watching([AGENT]);
    harness.pass(THRESHOLD_MS);
    for (let i = 0; i < 2 * (JUDGE_DATAGRAMS_MAX / BATCH_SIZE); i++)
      harness.listener.queue(noise(BATCH_SIZE));
    let consumed = 0;
    while (!harness.observer.hasPendingStalls()) consumed += harness.observer.pump(() => {}, 1);
    expect(consumed).toBe(JUDGE_DATAGRAMS_MAX);
    expect(harness.stalls()).toEqual([AGENT]);
  });

  test("is counted in datagrams, whichever listener they came from, and by poll() too", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = watching([AGENT], { listeners });
    harness.pass(THRESHOLD_MS);
    for (let i = 0; i < 64; i++)
      for (const listener of listeners) listener.queue(noise(BATCH_SIZE));
    let polls = 0;
    while (!harness.observer.hasPendingStalls()) {
      expect(harness.observer.poll()?.kind).toBe("decode");
      polls += 1;
    }
    expect(polls).toBe(JUDGE_DATAGRAMS_MAX);
  });
});

describe("the stall queue", () => {
  test("holds as many as the judge limit; the rest stays due, nothing is lost and nothing reported twice", () => {
    const pids = range(2, 10);
    const harness = watching(pids, { judgeLimit: 4 });
    harness.pass(THRESHOLD_MS);
    const told: number[][] = [];
    for (let look = 0; look < 4; look++) {
      harness.pump();
      told.push(harness.stalls());
    }
    expect(told).toEqual([pids.slice(0, 4), pids.slice(4, 8), pids.slice(8), []]);
  });

  test("is left alone while one stall is unread", () => {
    const harness = watching(range(2, 3), { judgeLimit: 2 });
    harness.pass(THRESHOLD_MS);
    harness.pump();
    expect(harness.observer.pollPending()?.pid).toBe(2);
    for (let look = 0; look < 3; look++) harness.pump();
    expect(harness.observer.silence.stalls.unread).toBe(1);
    expect(harness.stalls()).toEqual([3]);
    harness.pump();
    expect(harness.stalls()).toEqual([4]);
  });

  test("a beat that comes while its stall is unread does not take it back, and starts a new run", () => {
    const harness = watching([AGENT]);
    harness.pass(THRESHOLD_MS);
    harness.pump();
    harness.receive(beatOf(AGENT, { nonce: 2, peerPid: 0 }));
    expect(harness.observer.stallFreshness(AGENT, Number.NaN)).toBe(1);
    expect(harness.stalls()).toEqual([AGENT]);
    harness.pass(THRESHOLD_MS);
    harness.pump();
    expect(harness.stalls()).toEqual([AGENT]);
  });

  test("takes the whole tracker, exactly full", () => {
    const pids = range(2, 300);
    const harness = watching(pids, { trackerCapacity: 300 });
    harness.pass(THRESHOLD_MS);
    harness.pump();
    expect(harness.observer.silence.stalls.unread).toBe(300);
    expect(harness.stalls()).toEqual(pids);
  });

  test("reports the longest silence first", () => {
    const harness = watching([5]);
    harness.pass(10);
    harness.receive(beatOf(3, { peerPid: 0 }));
    harness.pass(10);
    harness.receive(beatOf(4, { peerPid: 0 }), beatOf(5, { nonce: 2, peerPid: 0 }));
    harness.pass(THRESHOLD_MS);
    harness.pump();
    expect(harness.stalls()).toEqual([3, 4, 5]);
  });
});

describe("nextDeadline()", () => {
  test("is when the first agent falls silent, and never without agents", () => {
    const harness = new ObserverHarness();
    expect(harness.observer.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    harness.receive(beatOf(2, { peerPid: 0 }));
    const firstNs = harness.clock.ns + THRESHOLD_NS;
    harness.pass(10);
    harness.receive(beatOf(3, { peerPid: 0 }));
    expect(harness.observer.nextDeadline()).toBe(firstNs);
    harness.receive(beatOf(2, { nonce: 2, peerPid: 0 }));
    expect(harness.observer.nextDeadline()).toBe(harness.clock.ns + THRESHOLD_NS);
    harness.pass(THRESHOLD_MS);
    harness.pump();
    expect(harness.observer.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });
});
