// Members that get other terms all at once (spec 17 section 4): what they are judged by, and the
// order of the lanes afterwards. Times are small numbers; the threshold at first is 100.
import { describe, expect, test } from "bun:test";
import { THRESHOLDS_MAX } from "../../src/base/limits.ts";
import type { Terms } from "../../src/tracker/terms.ts";
import { Harness } from "./harness.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** All members have these terms from `now` on. */
function reload(harness: Harness, now: number, terms: Partial<Terms> | ((pid: number) => Terms)) {
  const all = { thresholdNs: 100, lateNs: NEVER, graceNs: 0 };
  harness.changeAll(now, typeof terms === "function" ? terms : () => ({ ...all, ...terms }));
  harness.tracker.checkInvariants();
}

describe("DeadlineLanes.changeAll()", () => {
  test("judges nobody by silence of before a shorter threshold", () => {
    const harness = new Harness();
    harness.beat(1, 1, 0);
    harness.beat(2, 1, 0);
    reload(harness, 60, { thresholdNs: 20 });
    expect(harness.due(79).stalled).toEqual([]);
    harness.beat(1, 2, 79);
    expect(harness.due(80).stalled).toEqual([2]);
    expect(harness.due(98).stalled).toEqual([]);
    expect(harness.due(99).stalled).toEqual([1]);
  });

  test("waits no longer than the old threshold would have", () => {
    const harness = new Harness();
    harness.beat(1, 1, 0);
    reload(harness, 95, { thresholdNs: 50 });
    expect(harness.due(99).stalled).toEqual([]);
    expect(harness.due(100).stalled).toEqual([1]);
  });

  test("a row of reloads never puts a deadline off beyond the longest threshold", () => {
    const harness = new Harness();
    harness.beat(1, 1, 0);
    for (let now = 10; now < 100; now += 10)
      reload(harness, now, { thresholdNs: now % 20 === 0 ? 100 : 30 });
    expect(harness.due(99).stalled).toEqual([]);
    expect(harness.due(100).stalled).toEqual([1]);
  });

  test("a longer threshold holds at once, and what was told stays told", () => {
    const harness = new Harness();
    harness.beat(1, 1, 0);
    harness.beat(2, 1, 50);
    expect(harness.due(100).stalled).toEqual([1]);
    reload(harness, 101, { thresholdNs: 300 });
    expect(harness.latched(1)).toBe(true);
    expect(harness.due(349).stalled).toEqual([]);
    expect(harness.due(350).stalled).toEqual([2]);
  });

  test("a grace that ends sooner judges nobody by silence of before", () => {
    const harness = new Harness();
    harness.beat(1, 1, 0);
    reload(harness, 1, { graceNs: 1_000 });
    expect(harness.due(500).stalled).toEqual([]);
    reload(harness, 600, { graceNs: 0 });
    expect(harness.due(699).stalled).toEqual([]);
    expect(harness.due(700).stalled).toEqual([1]);
  });

  test("a late that is shorter is not told for silence of before, and delays no stall", () => {
    const harness = new Harness();
    harness.beat(1, 1, 0);
    reload(harness, 60, { lateNs: 20 });
    expect(harness.due(79)).toEqual({ stalled: [], late: [] });
    expect(harness.due(80)).toEqual({ stalled: [], late: [1] });
    expect(harness.due(100).stalled).toEqual([1]);
  });

  test("keeps each lane in the order of the last beats, of those who came and who were there", () => {
    const harness = new Harness();
    for (let pid = 1; pid <= 200; pid++) harness.beat(pid, 1, pid);
    reload(harness, 200, (pid) => ({
      thresholdNs: pid % 2 === 0 ? 1_000 : 2_000,
      lateNs: NEVER,
      graceNs: 0,
    }));
    reload(harness, 200, () => ({ thresholdNs: 2_000, lateNs: NEVER, graceNs: 0 }));
    const { lanes } = harness.tracker.table;
    const { next, pid } = harness.tracker.slots;
    const order: number[] = [];
    const lane = lanes.head.findIndex((slot, row) => slot >= 0 && lanes.thresholdNs[row] === 2_000);
    for (let slot = lanes.head[lane]!; slot >= 0; slot = next[slot]!) order.push(pid[slot]!);
    expect(order).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
  });

  test("has lanes for as many thresholds as there are that are all others than before", () => {
    const harness = new Harness();
    for (let pid = 1; pid <= THRESHOLDS_MAX; pid++) harness.beat(pid, 1, 0);
    const shifted = (by: number) => (pid: number) => ({
      thresholdNs: by + pid,
      lateNs: NEVER,
      graceNs: 0,
    });
    reload(harness, 1, shifted(1_000));
    reload(harness, 2, shifted(2_000));
    const { tracker } = harness;
    for (let pid = 1; pid <= THRESHOLDS_MAX; pid++)
      expect(tracker.thresholdOf(tracker.slotOf(pid))).toBe(2_000 + pid);
  });
});
