// Members that have said hello and not beaten yet (spec 03 section 7.7): they wait in the heap of
// graces for a time that never comes, until their first beat or the end of their process. The grace
// of their rule begins with that beat.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { Datagram } from "../events/datagram.ts";
import { STATUS_OK } from "../wire/frame.ts";
import type { SlotTable } from "./slot_table.ts";
import { SLOT_UNBEATEN } from "./slots.ts";

/** What the hello of a new member leaves in its slot, which has no beat. */
export function storeHello(table: SlotTable, datagram: Datagram): void {
  const { slots } = table;
  const { slot, sources } = datagram;
  slots.status[slot] = STATUS_OK;
  slots.payload[slot] = 0;
  slots.listener[slot] = datagram.listenerNumber;
  slots.debt[slot] = 0;
  table.storeSender(datagram);
  if (sources !== undefined) slots.setSource(slot, sources, datagram.sourceAt);
  slots.observedNonceHi[slot] = 0;
  slots.observedNonceLo[slot] = 0;
  slots.timestampHi[slot] = 0;
  slots.timestampLo[slot] = 0;
}

/** The member of `slot`, which has just entered its lane, owes no beats yet. */
export function awaitFirstBeat(table: SlotTable, slot: number): void {
  const { slots, lanes, agents } = table;
  const wasPresent = slots.isPresent(slot);
  slots.flags[slot]! |= SLOT_UNBEATEN;
  agents.changed(slots.agent[slot]!, wasPresent, false);
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
