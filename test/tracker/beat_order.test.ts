import { expect, test } from "bun:test";
import { byLastBeat } from "../../src/tracker/beat_order.ts";
import { Random } from "../simulation/random.ts";
import { Harness } from "./harness.ts";

const MEMBERS = 300;

test("byLastBeat() is a sort by last beat and slot, also of who is stalled, late or in its grace", () => {
  const random = new Random(5);
  const harness = new Harness({ capacity: MEMBERS });
  const terms = [
    { thresholdNs: 400, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 },
    { thresholdNs: 900, lateNs: 300, graceNs: 0 },
    { thresholdNs: 100, lateNs: Number.POSITIVE_INFINITY, graceNs: 2_000 },
  ];
  for (let pid = 1; pid <= MEMBERS; pid++) harness.beat(pid, 1, pid);
  harness.changeAll(MEMBERS, (pid) => terms[pid % 3]!);
  for (let nonce = 2; nonce < 700; nonce++)
    harness.beat(1 + random.below(MEMBERS), nonce, 300 + Math.floor(nonce / 4) * 4);
  const { stalled, late } = harness.due(1_000);
  const { slots, table, len } = harness.tracker;
  expect([stalled.length > 0, late.length > 0, table.lanes.graces.count > 0]).not.toContain(false);
  const sorted = Array.from({ length: len }, (_, slot) => slot);
  sorted.sort((a, b) => slots.lastNs[a]! - slots.lastNs[b]!);
  expect([...byLastBeat(harness.tracker)]).toEqual(sorted);
});
