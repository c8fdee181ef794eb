// When a member may first be judged by terms that are stricter than those it had: no silence of
// before counts against it (spec 17 section 4).
import type { DeadlineLanes } from "./deadline_lanes.ts";
import type { SlotTable } from "./slot_table.ts";
import type { Terms } from "./terms.ts";

interface Silence {
  readonly slot: number;
  readonly lastNs: number;
  /** Of its grace by the new terms, without pauses. */
  readonly endNs: number;
  readonly nowNs: number;
}

/**
 * Observer time before which the member is not judged by the terms that begin to hold at `nowNs`:
 * when its old deadline is over, or after a whole silence of the new ones, whichever is first;
 * -Infinity = they are no stricter.
 */
export function mercyNs(
  lanes: DeadlineLanes,
  { slot, lastNs, endNs, nowNs }: Silence,
  { thresholdNs, lateNs }: Terms,
): number {
  const silentNs = lastNs + thresholdNs + lanes.pauses.excusedNs(lastNs, thresholdNs);
  const dueNs = Math.max(silentNs, endNs + lanes.pauses.totalNs);
  const oldDueNs = lanes.deadlineOf(slot);
  const stallNs = dueNs < oldDueNs ? Math.min(oldDueNs, nowNs + thresholdNs) : -Infinity;
  const oldLateNs = lanes.lateOf(slot);
  if (lanes.isLate(slot) || lateNs >= oldLateNs) return stallNs;
  const oldLateDueNs = lastNs + oldLateNs + lanes.excusedNs(slot);
  const lateDueNs = Math.min(oldLateDueNs, nowNs + lateNs, Math.max(dueNs, stallNs));
  return Math.max(stallNs, lateDueNs);
}

/** The member of `slot` has these terms from `nowNs` on, and is not judged before its mercy. */
export function changeMildly(
  { slots, lanes }: SlotTable,
  slot: number,
  terms: Terms,
  nowNs: number,
): void {
  const lastNs = slots.lastNs[slot]!;
  const endNs = slots.graceEndBy(slot, terms.graceNs);
  const untilNs = mercyNs(lanes, { slot, lastNs, endNs, nowNs }, terms);
  lanes.change(slot, terms);
  // One that waits in the heap has a later time already; and who has just beaten needs none.
  if (lanes.graces.has(slot) || !(untilNs > lanes.deadlineOf(slot))) return;
  slots.giveMercy(slot, lanes.pauses.awakeNs(untilNs));
}
