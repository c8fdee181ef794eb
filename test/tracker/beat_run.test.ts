import { describe, expect, test } from "bun:test";
import { FRAME_WORDS } from "../../src/wire/frame.ts";
import { encodeFrame } from "../../src/wire/encode.ts";
import { BeatAllowance } from "../../src/tracker/beat_allowance.ts";
import { BeatRun } from "../../src/tracker/beat_run.ts";
import { Harness } from "./harness.ts";

const INODE = 42;
const PIDS = [1, 2, 3, 4];

/** Members 1 and 3 with a threshold of 100, 2 and 4 with one of 70; all have beaten twice. */
function mixedLanes(): Harness {
  const h = new Harness();
  for (const now of [0, 1])
    for (const pid of PIDS)
      h.beat(pid, 1 + now, now, {
        threshold: pid % 2 === 1 ? 100 : 70,
        namespaceInode: INODE,
        generation: 7,
      });
  for (let slot = 0; slot < h.tracker.len; slot++) h.tracker.table.slots.prove(slot);
  return h;
}

/** A beat of each of `pids`, received at `nowNs`. */
function runOf(h: Harness, pids: readonly number[], nowNs: number): BeatRun {
  const run = new BeatRun();
  run.words = new Uint32Array(pids.length * FRAME_WORDS);
  pids.forEach((pid, i) => {
    encodeFrame(run.words, i * FRAME_WORDS, 0, pid, 0, 0, 0, nowNs, 0);
    run.frameWord[i] = i * FRAME_WORDS;
  });
  run.pid.set(pids);
  run.nowNs = nowNs;
  run.namespaceInode = INODE;
  run.allowance = new BeatAllowance(0);
  h.tracker.slotsOf(run.pid, pids.length, run.slot);
  return run;
}

describe("refreshRun()", () => {
  test("goes on over members of other lanes, and leaves each lane in order", () => {
    const h = mixedLanes();
    expect(h.tracker.refreshRun(runOf(h, PIDS, 50), 0, PIDS.length)).toBe(PIDS.length);
    h.tracker.checkInvariants();
    expect(h.tracker.refreshRun(runOf(h, [3, 2, 1], 60), 0, 3)).toBe(3);
    h.tracker.checkInvariants();
    expect(h.tracker.nextDeadline()).toBe(50 + 70);
    expect(h.drainDue(160, 99).seen.map(({ pid }) => pid)).toEqual([3, 1, 4, 2]);
  });

  test("takes no beat at or after the threshold of its lane", () => {
    const h = mixedLanes();
    expect(h.tracker.refreshRun(runOf(h, [1, 2, 3], 1 + 70), 0, 3)).toBe(1);
    h.tracker.checkInvariants();
  });

  test("takes no beat of a member that was reported silent, however short its silence is", () => {
    const h = mixedLanes();
    expect(h.stalled(61, 60)).toEqual([1, 3, 2, 4]);
    const run = runOf(h, PIDS, 62);
    expect(PIDS.map((_, i) => h.tracker.refreshRun(run, i, PIDS.length))).toEqual([0, 0, 0, 0]);
    h.tracker.checkInvariants();
  });

  test("takes no beat of a member that said goodbye: the goodbye is taken back first", () => {
    const h = mixedLanes();
    h.sayGoodbye(3, 20, 1_000);
    expect(h.tracker.refreshRun(runOf(h, PIDS, 50), 0, PIDS.length)).toBe(2);
    h.tracker.checkInvariants();
  });
});
