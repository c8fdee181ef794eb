// Members that have said that they are about to end (spec 14 section 5): they owe no beats, and for
// a while nobody judges them. It is a grace that begins with the goodbye, in the same heap; the one
// that the member had is kept beside it, and comes back with the next beat.
import { THRESHOLDS_MAX } from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import { awaitFirstBeat } from "./hellos.ts";
import type { SlotTable } from "./slot_table.ts";
import { SLOT_GOODBYE, SLOT_UNBEATEN } from "./slots.ts";

/** As long as the service manager waits for a service that stops, before it kills it. */
const GOODBYE_NS_MIN = 90 * NS_PER_S;

/** How long a member may take to end after its goodbye, by the grace of its rule. */
export function goodbyeNsMax(graceNs: number): number {
  return Math.max(graceNs, GOODBYE_NS_MIN);
}

/**
 * The member of `slot` says goodbye at `nowNs`, and has `lastsNs` to end. One that is stalled stays
 * it, and a goodbye that is said again does not begin anew.
 */
export function sayGoodbye(table: SlotTable, slot: number, nowNs: number, lastsNs: number): void {
  const { slots, lanes, agents } = table;
  if (slots.isLatched(slot) || slots.hasEnded(slot) || slots.saidGoodbye(slot)) return;
  const hasBeaten = slots.hasBeaten(slot);
  // It is known to run: nothing that was restored need be waited for.
  table.endDeferral(slot);
  lanes.unlink(slot);
  // It is not late any more.
  slots.lane[slot]! %= THRESHOLDS_MAX;
  slots.flags[slot]! |= hasBeaten ? SLOT_GOODBYE : SLOT_GOODBYE | SLOT_UNBEATEN;
  agents.changed(slots.agent[slot]!, true, false);
  slots.goodbyeNs[slot] = nowNs;
  slots.ownGraceEndNs[slot] = slots.graceEndNs[slot]!;
  slots.graceEndNs[slot] = lanes.pauses.awakeNs(nowNs) + lastsNs;
  lanes.graces.push(slot);
}

/** It stays, and says so without a beat: its silence begins at `nowNs`, if it has ever beaten. */
export function takeGoodbyeBack(table: SlotTable, slot: number, nowNs: number): void {
  const { slots, lanes } = table;
  if (!slots.saidGoodbye(slot) || slots.isLatched(slot) || slots.hasEnded(slot)) return;
  const hasBeaten = slots.hasBeaten(slot);
  table.endDeferral(slot);
  if (hasBeaten) lanes.beat(slot, nowNs);
  else awaitFirstBeat(table, slot);
}
