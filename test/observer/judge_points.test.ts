// When silence is judged (spec 04 section 4, I11): never while a received beat waits, never later than 4096 datagrams, each
// stall once, and no more than asked for at one time.
import { describe, expect, test } from "bun:test";
import { BATCH_SIZE, JUDGE_DATAGRAMS_MAX } from "../../src/base/limits.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { beatOf, type Datagram, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { Bench, type BenchOptions, THRESHOLD_NS } from "./bench.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const AGENT = 2;

/** An observer whose agents have beaten once, at the same time. */
function watching(pids: readonly number[], options: BenchOptions = {}): Bench {
  const bench = new Bench(options);
  for (let at = 0; at < pids.length; at += BATCH_SIZE)
    bench.listener.queue(pids.slice(at, at + BATCH_SIZE).map((pid) => beatOf(pid, { peerPid: 0 })));
  bench.pump();
  return bench;
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
    const bench = watching([AGENT]);
    const lastNs = bench.clock.ns;
    bench.clock.ns += THRESHOLD_NS - 1;
    bench.pump();
    expect(bench.observer.hasPendingStalls()).toBe(false);
    bench.clock.ns += 1;
    bench.pump();
    expect(bench.observer.pollPending()).toEqual({
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
    expect(bench.observer.pollPending()).toBeUndefined();
  });

  test("carries the uid that the kernel attested when the process became known, until another has its pid", () => {
    const bench = new Bench();
    const uidOfStall = () => {
      bench.clock.ns += THRESHOLD_NS;
      bench.pump();
      return bench.observer.takeStall()?.uid;
    };
    bench.processes.set(AGENT, 20);
    bench.receive(beatOf(AGENT, { nonce: 1, peerUid: 1_001 }));
    bench.receive(beatOf(AGENT, { nonce: 2, peerUid: 0 }));
    expect(uidOfStall()).toBe(1_001);
    bench.processes.set(AGENT, 21);
    bench.receive(beatOf(AGENT, { nonce: 1, peerUid: 7 }));
    expect(uidOfStall()).toBe(7);
    bench.receive(beatOf(AGENT + 1, { peerPid: 0 }));
    expect(uidOfStall()).toBeNaN();
  });

  test("is told once per run of silence", () => {
    const bench = watching([AGENT]);
    for (let round = 0; round < 3; round++) {
      for (let look = 0; look < 5; look++) {
        bench.pass(THRESHOLD_MS);
        bench.pump();
        expect(bench.stalls()).toEqual(look === 0 ? [AGENT] : []);
      }
      bench.receive(beatOf(AGENT, { nonce: round + 2, peerPid: 0 }));
    }
  });

  test("marks the beat that ends it, and no other", () => {
    const bench = watching([AGENT]);
    const resumed: number[] = [];
    for (const [waitMs, nonce] of [
      [THRESHOLD_MS - 1, 2],
      [THRESHOLD_MS, 3],
      [1, 4],
    ] as const) {
      bench.pass(waitMs);
      bench.pump();
      bench.listener.queue([beatOf(AGENT, { nonce, peerPid: 0 })]);
      bench.observer.pump((batch) => resumed.push(batch.resumed[0]!), BATCH_SIZE);
    }
    expect(resumed).toEqual([0, 1, 0]);
  });

  test("is cancelled by a beat that is already in the socket, behind 63 others", () => {
    const bench = watching([AGENT]);
    bench.pass(10 * THRESHOLD_MS);
    bench.receive(...noise(BATCH_SIZE - 1), beatOf(AGENT, { nonce: 2, peerPid: 0 }));
    expect(bench.stalls()).toEqual([]);
  });

  test("is cancelled by a beat in a later batch of another listener", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const bench = watching([AGENT], { listeners });
    bench.pass(10 * THRESHOLD_MS);
    listeners[0]!.queue(noise(5));
    listeners[1]!.queue(noise(64), noise(64), [beatOf(AGENT, { nonce: 2, peerPid: 0 })]);
    bench.pump();
    expect(bench.stalls()).toEqual([]);
  });
});

describe("judge point (a): every socket was found empty", () => {
  test("poll() judges nothing while datagrams of the batch wait", () => {
    const bench = watching([AGENT]);
    bench.pass(THRESHOLD_MS);
    bench.listener.queue(noise(3));
    for (let i = 0; i < 2; i++) {
      expect(bench.observer.poll()?.kind).toBe("decode");
      expect(bench.observer.hasPendingStalls()).toBe(false);
    }
    // The batch had room, so its last datagram shows that the socket is empty.
    expect(bench.observer.poll()?.kind).toBe("decode");
    expect(bench.stalls()).toEqual([AGENT]);
  });

  test("a full batch proves nothing about its socket", () => {
    const bench = watching([AGENT]);
    bench.pass(THRESHOLD_MS);
    bench.listener.queue(noise(BATCH_SIZE));
    bench.pump(1);
    expect(bench.stalls()).toEqual([]);
    bench.pump();
    expect(bench.stalls()).toEqual([AGENT]);
  });

  test("a receive that failed counts as empty", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const bench = watching([AGENT], { listeners });
    bench.pass(THRESHOLD_MS);
    listeners[1]!.queue(-5, -5, -5);
    bench.pump();
    expect(bench.stalls()).toEqual([AGENT]);
  });

  test("one empty socket is not enough while another is full", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const bench = watching([AGENT], { listeners });
    bench.pass(THRESHOLD_MS);
    for (let i = 0; i < 10; i++) listeners[1]!.queue(noise(BATCH_SIZE));
    bench.pump(9 * BATCH_SIZE);
    expect(bench.stalls()).toEqual([]);
  });
});

describe("judge point (b): a flood", () => {
  test("does not put off a verdict for more than 4096 datagrams", () => {
    const bench = watching([AGENT]);
    bench.pass(THRESHOLD_MS);
    for (let i = 0; i < 2 * (JUDGE_DATAGRAMS_MAX / BATCH_SIZE); i++)
      bench.listener.queue(noise(BATCH_SIZE));
    let consumed = 0;
    while (!bench.observer.hasPendingStalls()) consumed += bench.observer.pump(() => {}, 1);
    expect(consumed).toBe(JUDGE_DATAGRAMS_MAX);
    expect(bench.stalls()).toEqual([AGENT]);
  });

  test("is counted in datagrams, whichever listener they came from, and by poll() too", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const bench = watching([AGENT], { listeners });
    bench.pass(THRESHOLD_MS);
    for (let i = 0; i < 64; i++)
      for (const listener of listeners) listener.queue(noise(BATCH_SIZE));
    let polls = 0;
    while (!bench.observer.hasPendingStalls()) {
      expect(bench.observer.poll()?.kind).toBe("decode");
      polls += 1;
    }
    expect(polls).toBe(JUDGE_DATAGRAMS_MAX);
  });
});

describe("the stall queue", () => {
  test("holds as many as the judge limit; the rest stays due, nothing is lost and nothing told twice", () => {
    const pids = range(2, 10);
    const bench = watching(pids, { judgeLimit: 4 });
    bench.pass(THRESHOLD_MS);
    const told: number[][] = [];
    for (let look = 0; look < 4; look++) {
      bench.pump();
      told.push(bench.stalls());
    }
    expect(told).toEqual([pids.slice(0, 4), pids.slice(4, 8), pids.slice(8), []]);
  });

  test("is left alone while one stall is unread", () => {
    const bench = watching(range(2, 3), { judgeLimit: 2 });
    bench.pass(THRESHOLD_MS);
    bench.pump();
    expect(bench.observer.pollPending()?.pid).toBe(2);
    for (let look = 0; look < 3; look++) bench.pump();
    expect(bench.observer.pendingStallCount).toBe(1);
    expect(bench.stalls()).toEqual([3]);
    bench.pump();
    expect(bench.stalls()).toEqual([4]);
  });

  test("a beat that comes while its stall is unread does not take it back, and starts a new run", () => {
    const bench = watching([AGENT]);
    bench.pass(THRESHOLD_MS);
    bench.pump();
    bench.receive(beatOf(AGENT, { nonce: 2, peerPid: 0 }));
    expect(bench.observer.stallFreshness(AGENT, Number.NaN)).toBe(1);
    expect(bench.stalls()).toEqual([AGENT]);
    bench.pass(THRESHOLD_MS);
    bench.pump();
    expect(bench.stalls()).toEqual([AGENT]);
  });

  test("takes the whole tracker, exactly full", () => {
    const pids = range(2, 300);
    const bench = watching(pids, { trackerCapacity: 300 });
    bench.pass(THRESHOLD_MS);
    bench.pump();
    expect(bench.observer.pendingStallCount).toBe(300);
    expect(bench.stalls()).toEqual(pids);
  });

  test("tells the longest silence first", () => {
    const bench = watching([5]);
    bench.pass(10);
    bench.receive(beatOf(3, { peerPid: 0 }));
    bench.pass(10);
    bench.receive(beatOf(4, { peerPid: 0 }), beatOf(5, { nonce: 2, peerPid: 0 }));
    bench.pass(THRESHOLD_MS);
    bench.pump();
    expect(bench.stalls()).toEqual([3, 4, 5]);
  });
});

describe("nextDeadline()", () => {
  test("is when the first agent falls silent, and never without agents", () => {
    const bench = new Bench();
    expect(bench.observer.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    bench.receive(beatOf(2, { peerPid: 0 }));
    const firstNs = bench.clock.ns + THRESHOLD_NS;
    bench.pass(10);
    bench.receive(beatOf(3, { peerPid: 0 }));
    expect(bench.observer.nextDeadline()).toBe(firstNs);
    bench.receive(beatOf(2, { nonce: 2, peerPid: 0 }));
    expect(bench.observer.nextDeadline()).toBe(bench.clock.ns + THRESHOLD_NS);
    bench.pass(THRESHOLD_MS);
    bench.pump();
    expect(bench.observer.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });
});
