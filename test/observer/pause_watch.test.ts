// When the observer says of itself that it could hear nobody, and what its agents get for it (spec 12 section 8).
import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { Bench, type BenchOptions, THRESHOLD_NS } from "./bench.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const GAP_MS = THRESHOLD_MS / 4;

/** Agents 2 and 3, the first a few milliseconds before the other; the loop then waits for the first deadline. */
function watching(options: BenchOptions = { pauseGapNs: GAP_MS * NS_PER_MS }): Bench {
  const bench = new Bench(options);
  bench.receive(beatOf(2, { peerPid: 0 }));
  bench.pass(10);
  bench.receive(beatOf(3, { peerPid: 0 }));
  return bench;
}

/** A planned wait of `plannedMs` that took `tookMs`, and the turn after it. */
function wait(bench: Bench, plannedMs: number, tookMs: number): number[] {
  bench.observer.allowIdle(plannedMs * NS_PER_MS);
  bench.pass(tookMs);
  bench.pump();
  return bench.stalls();
}

function pausesMs(bench: Bench): [count: number, totalMs: number] {
  const { pauses } = bench.observer;
  return [pauses.takeCount(), pauses.takeTotalNs() / NS_PER_MS];
}

describe("a wait that took longer than planned", () => {
  test("is no pause up to the gap, and one above it", () => {
    const bench = watching();
    wait(bench, 10, 10 + GAP_MS);
    expect(pausesMs(bench)).toEqual([0, 0]);
    wait(bench, 10, 11 + GAP_MS);
    expect(pausesMs(bench)[0]).toBe(1);
  });

  test("stalls nobody within a threshold of its end: a beat may be lost, and the next one comes an interval later", () => {
    const bench = watching();
    // Agent 2 was due in 90 ms, agent 3 in 100.
    expect(wait(bench, 90, 3_000)).toEqual([]);
    expect(wait(bench, THRESHOLD_MS - 1, THRESHOLD_MS - 1)).toEqual([]);
    expect(wait(bench, 1, 1)).toEqual([2, 3]);
    expect(pausesMs(bench)).toEqual([1, 3_000]);
  });

  test("counts from its planned end if another pause was within two thresholds", () => {
    const bench = watching();
    wait(bench, 90, 1_000);
    // Late again and again: the deadlines move by what it was late, so they come nearer by what was planned.
    expect(wait(bench, 40, 100)).toEqual([]);
    expect(wait(bench, 50, 100)).toEqual([]);
    expect(wait(bench, 10, 100)).toEqual([2, 3]);
    expect(pausesMs(bench)).toEqual([4, 1_000 + 60 + 50 + 90]);
  });

  test("stands in a row of long ones: the dead are told when the rest has added up to a threshold", () => {
    const bench = watching();
    const stalled: number[] = [];
    // Of each half second the observer hears ten milliseconds.
    for (let round = 0; round < 11; round++) stalled.push(...wait(bench, 10, 500));
    expect(stalled).toEqual([2, 3]);
  });

  test("judges those who beat during it by their beat", () => {
    const bench = watching();
    bench.observer.allowIdle(90 * NS_PER_MS);
    bench.pass(3_000);
    bench.receive(beatOf(2, { nonce: 2, peerPid: 0 }));
    // Agent 3 has a threshold from the end of the pause on, and so has agent 2 from its beat on.
    expect(wait(bench, THRESHOLD_MS - 1, THRESHOLD_MS - 1)).toEqual([]);
    expect(wait(bench, 1, 1)).toEqual([3, 2]);
  });
});

describe("waitNsMax", () => {
  test("is the gap while a deadline runs, so that no stop of a threshold hides in a wait", () => {
    const bench = watching();
    const { waitNsMax } = bench.observer;
    expect(waitNsMax).toBe(GAP_MS * NS_PER_MS);
    // A stop that began with the longest wait and lasted for as long as a threshold less a moment.
    wait(bench, waitNsMax / NS_PER_MS, THRESHOLD_MS - 1);
    expect(pausesMs(bench)).toEqual([1, THRESHOLD_MS - 1]);
  });

  test("has no limit while nobody's deadline runs, or where nothing is a pause", () => {
    const bench = new Bench({ pauseGapNs: GAP_MS * NS_PER_MS });
    expect(bench.observer.waitNsMax).toBe(Number.POSITIVE_INFINITY);
    expect(watching({}).observer.waitNsMax).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a turn that took too long", () => {
  test("is a pause from its look at the socket to the next one", () => {
    const bench = watching();
    // Each reading of the clock is later: the observer is stopped between a receive and the judgement after it.
    bench.clock.stepNs = 2_000 * NS_PER_MS;
    bench.pump();
    bench.clock.stepNs = 0;
    expect(bench.stalls()).toEqual([]);
    expect(wait(bench, THRESHOLD_MS - 1, THRESHOLD_MS - 1)).toEqual([]);
    expect(wait(bench, 1, 1)).toEqual([2, 3]);
  });
});

describe("without a gap", () => {
  test("silence is silence, whoever was away", () => {
    const bench = watching({});
    expect(wait(bench, 90, 3_000)).toEqual([2, 3]);
    expect(pausesMs(bench)).toEqual([0, 0]);
  });
});
