// Members whose next judgement was moved at their own word: to later, by EXTEND_TIMEOUT_USEC, or
// to now, by WATCHDOG=trigger (spec 20 sections 3 and 4). It is a grace like that of a goodbye: the
// one that the member had is kept beside it, and comes back with its next beat.
import { THRESHOLDS_MAX } from "../base/limits.ts";
import { PAUSES_KEPT_MAX } from "./pauses.ts";
import type { SlotTable } from "./slot_table.ts";
import { SLOT_MOVED, SLOT_TRIGGERED } from "./slots.ts";

/** One for each pause that is kept, one for a silence that began anew, and one to see it fits. */
const STEPS_MAX = PAUSES_KEPT_MAX + 2;

/** When the member of `slot` is judged as it is; it has no stall that was reported. */
export function judgedNs({ slots, lanes }: SlotTable, slot: number): number {
  if (slots.saidGoodbye(slot)) return slots.graceEndNs[slot]! + lanes.pauses.totalNs;
  return lanes.deadlineOf(slot);
}

/** The member of `slot` has asked for more time since its last beat. */
export function wasMoved({ slots }: SlotTable, slot: number): boolean {
  return (slots.flags[slot]! & SLOT_MOVED) !== 0;
}

/** The member of `slot`, which is neither stalled nor ended, is not judged before `untilNs`. */
export function extend(table: SlotTable, slot: number, untilNs: number): void {
  const { slots, lanes } = table;
  lend(table, slot);
  const endNs = lanes.pauses.awakeNs(untilNs);
  if (!(endNs > slots.graceEndNs[slot]!)) return;
  const isWaiting = lanes.graces.has(slot);
  if (isWaiting) lanes.graces.remove(slot);
  slots.graceEndNs[slot] = endNs;
  if (isWaiting) lanes.graces.push(slot);
}

/**
 * The member of `slot` has just beaten, and is to be judged at the next judge point as if it had
 * been silent for its threshold. One that is not judged for another reason, as in its grace, still
 * is not.
 */
export function judgeNow(table: SlotTable, slot: number, nowNs: number): void {
  const { slots, lanes } = table;
  if (slots.isLatched(slot) || slots.hasEnded(slot)) return;
  const isInGrace = lanes.isInGrace(slot, nowNs);
  lend(table, slot);
  slots.flags[slot]! |= SLOT_TRIGGERED;
  lanes.unlink(slot);
  slots.lane[slot]! %= THRESHOLDS_MAX;
  slots.lastNs[slot] = silentSinceNs(table, slot, nowNs);
  if (!isInGrace) slots.graceEndNs[slot] = lanes.pauses.awakeNs(nowNs);
  lanes.graces.push(slot);
}

/**
 * The member of `slot` has asked to be judged at once, may be, and there was no judge point since:
 * a beat does not take that back.
 */
export function awaitsJudgement({ slots, lanes }: SlotTable, slot: number, nowNs: number): boolean {
  return slots.wasTriggered(slot) && lanes.graces.has(slot) && !lanes.isInGrace(slot, nowNs);
}

/**
 * When the member of `slot` asked to be judged at once, if that is the last that it did: it was
 * silent since then, and not since `lastNs`. NaN = it did not.
 */
export function triggeredNs({ slots, said }: SlotTable, slot: number): number {
  const words = said[slot];
  if (words?.hasTriggered !== true || slots.lastNs[slot]! > words.triggeredNs) return Number.NaN;
  return words.triggeredNs;
}

/** Of its last beat, as it is shown and stored: `lastNs` may have been put before it. */
export function lastBeatNs(table: SlotTable, slot: number): number {
  const askedNs = triggeredNs(table, slot);
  return Number.isNaN(askedNs) ? table.slots.lastNs[slot]! : askedNs;
}

/**
 * The last time at which a member whose threshold is over at `nowNs` can have beaten. It lies in no
 * pause, as the order of the lanes wants it: of those that there are each takes one step at most.
 * Soon after a start that brought members back there is no such time; it is judged all the same.
 */
function silentSinceNs({ lanes }: SlotTable, slot: number, nowNs: number): number {
  const thresholdNs = lanes.thresholdOf(slot);
  const firstNs = nowNs - thresholdNs;
  let lastNs = firstNs;
  for (let step = 0; step < STEPS_MAX; step++) {
    const earlierNs = firstNs - lanes.pauses.excusedNs(lastNs, thresholdNs);
    if (earlierNs >= lastNs) return lastNs;
    lastNs = earlierNs;
  }
  return lastNs;
}

function lend({ slots }: SlotTable, slot: number): void {
  if (!slots.isGraceLent(slot)) slots.ownGraceEndNs[slot] = slots.graceEndNs[slot]!;
  slots.flags[slot]! |= SLOT_MOVED;
}
