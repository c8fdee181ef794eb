// Members that have said hello and not beaten yet (spec 03 section 7.7): they wait in the heap of
// graces for a time that never comes, until their first beat or the end of their process. The grace
// of their rule begins with that beat.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { SlotTable } from "./slot_table.ts";
import { SLOT_UNBEATEN } from "./slots.ts";

/** The member of `slot`, which has just entered its lane, owes no beats yet. */
export function awaitFirstBeat(table: SlotTable, slot: number): void {
  const { slots, lanes } = table;
  slots.flags[slot]! |= SLOT_UNBEATEN;
  slots.ownGraceEndNs[slot] = slots.graceEndNs[slot]!;
  slots.graceEndNs[slot] = Number.POSITIVE_INFINITY;
  lanes.park(slot);
}

/** Its first beat is here, at `nowNs`; `endDeferral` comes after. */
export function beginBeating(table: SlotTable, slot: number, nowNs: number): void {
  const { slots, lanes } = table;
  const awakeNs = lanes.pauses.awakeNs(nowNs);
  slots.ownGraceEndNs[slot]! += awakeNs - slots.firstNs[slot]!;
  slots.firstNs[slot] = awakeNs;
  // From now on it may take the place of another member.
  if (slots.origin[slot] === ORIGIN_KERNEL_ATTESTED) table.newcomers?.push(slots.pid[slot]!);
}
