// When the observer says of itself that it could hear no agent, and what its agents get for it
// (spec 12 section 8).
import { describe, expect, test } from "bun:test";
import { PAUSES } from "../../src/observer/pause_watch.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { BATCH_SIZE, HEAR_OUT_DATAGRAMS_MAX, JUDGE_DATAGRAMS_MAX } from "../../src/base/limits.ts";
import { beatOf, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { counted, since } from "../support/since.ts";
import { ObserverHarness, type ObserverHarnessOptions, THRESHOLD_NS } from "./harness.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const GAP_MS = THRESHOLD_MS / 4;

/**
 * Agents 2 and 3, the first a few milliseconds before the other; the loop then waits for the first
 * deadline.
 */
function watching(
  options: ObserverHarnessOptions = { pauseGapNs: GAP_MS * NS_PER_MS },
): ObserverHarness {
  const harness = new ObserverHarness(options);
  harness.receive(beatOf(2, { peerPid: 0 }));
  harness.pass(10);
  harness.receive(beatOf(3, { peerPid: 0 }));
  return harness;
}

/** A planned wait of `plannedMs` that took `tookMs`, and the turn after it. */
function wait(harness: ObserverHarness, plannedMs: number, tookMs: number): number[] {
  harness.observer.allowIdle(plannedMs * NS_PER_MS);
  harness.pass(tookMs);
  harness.pump();
  return harness.stalls();
}

/** A wait that took as long as planned; the turn after it is still to come. */
function plannedly(harness: ObserverHarness, ms: number): void {
  harness.observer.allowIdle(ms * NS_PER_MS);
  harness.pass(ms);
}

function pausesMs(harness: ObserverHarness): [count: number, totalMs: number] {
  const { pauses } = harness.observer;
  return [counted(pauses.counters, PAUSES.count), since(pauses, "ns", pauses.totalNs) / NS_PER_MS];
}

describe("a wait that took longer than planned", () => {
  test("is no pause up to the gap, and one above it", () => {
    const harness = watching();
    wait(harness, 10, 10 + GAP_MS);
    expect(pausesMs(harness)).toEqual([0, 0]);
    wait(harness, 10, 11 + GAP_MS);
    expect(pausesMs(harness)[0]).toBe(1);
  });

  test("stalls no agent within a threshold of its end: a beat may be lost, and the next one comes an interval later", () => {
    const harness = watching();
    // Agent 2 was due in 90 ms, agent 3 in 100.
    expect(wait(harness, 90, 3_000)).toEqual([]);
    expect(wait(harness, THRESHOLD_MS - 1, THRESHOLD_MS - 1)).toEqual([]);
    expect(wait(harness, 1, 1)).toEqual([2, 3]);
    expect(pausesMs(harness)).toEqual([1, 3_000]);
  });

  test("counts from its planned end if another pause was within two thresholds", () => {
    const harness = watching();
    wait(harness, 90, 1_000);
    // Late again and again: the deadlines move by what it was late, so they come nearer by what was
    // planned.
    expect(wait(harness, 40, 100)).toEqual([]);
    expect(wait(harness, 50, 100)).toEqual([]);
    expect(wait(harness, 10, 100)).toEqual([2, 3]);
    expect(pausesMs(harness)).toEqual([4, 1_000 + 60 + 50 + 90]);
  });

  test("stands in a row of long ones: the dead are reported when the rest has added up to a threshold", () => {
    const harness = watching();
    const stalled: number[] = [];
    // Of each half second the observer hears ten milliseconds.
    for (let round = 0; round < 11; round++) stalled.push(...wait(harness, 10, 500));
    expect(stalled).toEqual([2, 3]);
  });

  test("judges those who beat during it by their beat", () => {
    const harness = watching();
    harness.observer.allowIdle(90 * NS_PER_MS);
    harness.pass(3_000);
    harness.receive(beatOf(2, { nonce: 2, peerPid: 0 }));
    // Agent 3 has a threshold from the end of the pause on, and so has agent 2 from its beat on.
    expect(wait(harness, THRESHOLD_MS - 1, THRESHOLD_MS - 1)).toEqual([]);
    expect(wait(harness, 1, 1)).toEqual([3, 2]);
  });
});

/** Of agents 2 and 3. */
function lastNonces({ observer }: ObserverHarness): number[] {
  const { slots } = observer.tracker;
  return [2, 3].map((pid) => slots.lastNonceLo[observer.tracker.slotOf(pid)]!);
}

describe("what waits at the end of a pause", () => {
  /**
   * Two pauses in a row, after the second of which both agents are due: the observer was cut off
   * when it had seen the first listener empty, and not the second.
   */
  function dueAfterPause(onReceive = () => {}): ObserverHarness {
    const listeners = [new ScriptedListener({ onReceive }), new ScriptedListener()];
    const harness = watching({ pauseGapNs: GAP_MS * NS_PER_MS, listeners });
    wait(harness, 1, 1_000);
    plannedly(harness, THRESHOLD_MS - 15);
    harness.listener.queue([damaged(beatOf(9))]);
    harness.pump(1);
    harness.observer.allowIdle(20 * NS_PER_MS);
    harness.pass(60);
    return harness;
  }
  const beats = [2, 3].map((pid) => beatOf(pid, { nonce: 2, peerPid: 0 }));
  const noise = Array.from({ length: BATCH_SIZE }, () => damaged(beatOf(9)));
  const noiseOf = (count: number) => Array.from({ length: count / BATCH_SIZE }, () => noise);

  test("counts from every listener before anybody is judged", () => {
    const harness = dueAfterPause();
    harness.listener.queue(beats);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
    expect(pausesMs(harness)[0]).toBe(2);
  });

  test("counts however much it is, up to a bound", () => {
    const harness = dueAfterPause();
    harness.listener.queue(...noiseOf(2 * JUDGE_DATAGRAMS_MAX), beats);
    harness.pump();
    expect(harness.stalls()).toEqual([]);
    const flooded = dueAfterPause();
    flooded.listener.queue(...noiseOf(HEAR_OUT_DATAGRAMS_MAX), beats);
    flooded.pump();
    expect(flooded.stalls()).toEqual([2, 3]);
  });

  test("counts for a second at most, however slowly it is read", () => {
    const readFor = (seconds: number): number[] => {
      let pass = () => {};
      const harness = dueAfterPause(() => pass());
      pass = () => harness.pass(GAP_MS / 2);
      harness.listener.queue(...noiseOf(BATCH_SIZE * ((seconds * 2_000) / GAP_MS)), beats);
      harness.pump();
      return harness.stalls();
    };
    expect(readFor(0.9)).toEqual([]);
    expect(readFor(1.1)).toEqual([2, 3]);
  });

  test("is never shed by the limits to the last frame of a connection", () => {
    const harness = watching({
      pauseGapNs: GAP_MS * NS_PER_MS,
      admission: { perPidRate: 0, globalRate: 1, globalBurst: 4 },
    });
    // Frames 3 and 5 of each receive are the last ones of their connections.
    Object.assign(harness.listener, { wasLast: (i: number) => i === 3 || i === 5 });
    const backlog = (nonce: number) =>
      [2, 2, 2, 2, 3, 3].map((pid, i) => beatOf(pid, { nonce: nonce + i, peerPid: 0 }));
    harness.receive(...backlog(10));
    expect(lastNonces(harness)).toEqual([10, 1]);
    harness.pass(3_000);
    harness.receive(...backlog(20));
    expect(lastNonces(harness)).toEqual([23, 25]);
  });

  test("counts also if the pause came after the sockets were seen empty, but judging is put off once only", () => {
    for (const doBeat of [false, true]) {
      let isLate = false;
      const harness = dueAfterPause(() => {
        if (isLate) harness.pass(60);
      });
      harness.listener.queue(beats);
      harness.pump();
      plannedly(harness, THRESHOLD_MS + 1);
      isLate = true;
      harness.pump();
      expect(harness.stalls()).toEqual([]);
      if (doBeat)
        harness.listener.queue([2, 3].map((pid) => beatOf(pid, { nonce: 3, peerPid: 0 })));
      harness.pump();
      expect(harness.stalls()).toEqual(doBeat ? [] : [2, 3]);
    }
  });
});

describe("who died in a pause", () => {
  test("is told one threshold after it, and nobody else is", () => {
    const harness = watching();
    harness.observer.allowIdle(10 * NS_PER_MS);
    harness.pass(3_000);
    // Of both a beat was refused by a full queue; agent 2 died, agent 3 tries an interval later.
    expect(wait(harness, 0, 0)).toEqual([]);
    expect(wait(harness, THRESHOLD_MS - 1, THRESHOLD_MS - 1)).toEqual([]);
    harness.receive(beatOf(3, { nonce: 2, peerPid: 0 }));
    expect(wait(harness, 1, 1)).toEqual([2]);
    expect(wait(harness, THRESHOLD_MS - 2, THRESHOLD_MS - 2)).toEqual([]);
  });
});

describe("a queue that was found full", () => {
  /** The rows of a receive, which found the queue full. */
  function receiveFull(harness: ObserverHarness): void {
    harness.listener.batch.foundFull = true;
    harness.receive(damaged(beatOf(9)));
    harness.listener.batch.foundFull = false;
  }

  test("after a pause lets silence begin anew, but gives back one threshold at most", () => {
    const harness = watching();
    harness.observer.allowIdle(10 * NS_PER_MS);
    harness.pass(30);
    expect(wait(harness, 0, 0)).toEqual([]);
    expect(wait(harness, THRESHOLD_MS - 20, THRESHOLD_MS - 20)).toEqual([]);
    receiveFull(harness);
    const told: number[] = [];
    let waitedMs = 0;
    for (; told.length < 2 && waitedMs < 5 * THRESHOLD_MS; waitedMs++) {
      told.push(...wait(harness, 1, 1));
      receiveFull(harness);
    }
    expect(told).toEqual([2, 3]);
    expect(waitedMs).toBeGreaterThan(20);
    expect(waitedMs).toBeLessThanOrEqual(2 * THRESHOLD_MS);
  });

  test("at other times delays no report: it is too short for its senders", () => {
    const harness = watching();
    plannedly(harness, 80);
    receiveFull(harness);
    expect(wait(harness, 10, 10)).toEqual([2]);
  });

  test("is nothing to an observer that calls nothing a pause", () => {
    const harness = watching({});
    plannedly(harness, 80);
    receiveFull(harness);
    expect(wait(harness, 10, 10)).toEqual([2]);
  });
});

describe("waitNsMax", () => {
  test("is the gap while a deadline runs, so that no stop of a threshold hides in a wait", () => {
    const harness = watching();
    const { waitNsMax } = harness.observer;
    expect(waitNsMax).toBe(GAP_MS * NS_PER_MS);
    // A stop that began with the longest wait and lasted for as long as a threshold less a moment.
    wait(harness, waitNsMax / NS_PER_MS, THRESHOLD_MS - 1);
    expect(pausesMs(harness)).toEqual([1, THRESHOLD_MS - 1]);
  });

  test("has no limit while no deadline runs, or where nothing is a pause", () => {
    const harness = new ObserverHarness({ pauseGapNs: GAP_MS * NS_PER_MS });
    expect(harness.observer.waitNsMax).toBe(Number.POSITIVE_INFINITY);
    expect(watching({}).observer.waitNsMax).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a clock that goes on while the machine is suspended", () => {
  /** A wait of 10 ms in which the machine slept, and the daemon was stopped besides. */
  function sleep(harness: ObserverHarness, sleptMs: number, stoppedMs: number): number[] {
    harness.clock.sleptNs += sleptMs * NS_PER_MS;
    return wait(harness, 10, 10 + sleptMs + stoppedMs);
  }

  test("makes that silence: it is not taken off, and what waits counts before it", () => {
    const harness = watching();
    harness.listener.queue([beatOf(3, { nonce: 2, peerPid: 0 })]);
    expect(sleep(harness, 3_000, 0)).toEqual([2]);
    expect(pausesMs(harness)).toEqual([0, 0]);
  });

  test("takes off what the daemon was stopped for besides", () => {
    const harness = watching();
    expect(sleep(harness, 50, 2_000)).toEqual([]);
    expect(pausesMs(harness)).toEqual([1, 2_010]);
    // A later stop is whole.
    expect(wait(harness, 10, 1_010)).toEqual([]);
    expect(pausesMs(harness)[0]).toBe(1);
  });
});

describe("a turn that took too long", () => {
  test("is a pause from its look at the socket to the next one", () => {
    const harness = watching();
    // Each reading of the clock is later: the observer is stopped between a receive and the
    // judgement after it.
    harness.clock.stepNs = 2_000 * NS_PER_MS;
    harness.pump();
    harness.clock.stepNs = 0;
    expect(harness.stalls()).toEqual([]);
    expect(wait(harness, THRESHOLD_MS - 1, THRESHOLD_MS - 1)).toEqual([]);
    expect(wait(harness, 1, 1)).toEqual([2, 3]);
  });
});

describe("without a gap", () => {
  test("silence is silence, even of the observer", () => {
    const harness = watching({});
    expect(wait(harness, 90, 3_000)).toEqual([2, 3]);
    expect(pausesMs(harness)).toEqual([0, 0]);
  });
});
