// For how long a member has been silent, without the time in which it could not be heard. That no
// daemon listened for a while makes a stall that was reported before no shorter. Who owes no beats
// is not silent.
import { triggeredNs } from "../tracker/extensions.ts";
import type { SlotTable } from "../tracker/slot_table.ts";

export function silenceNs(table: SlotTable, slot: number, nowNs: number): number {
  const { slots, lanes } = table;
  if (slots.owesNoBeats(slot) && !slots.isLatched(slot)) return 0;
  const askedNs = triggeredNs(table, slot);
  if (!Number.isNaN(askedNs)) return Math.max(0, nowNs - askedNs);
  const lastNs = slots.lastNs[slot]!;
  const unheardNs = slots.isLatched(slot) ? lanes.pauses.unheardNs(lastNs) : 0;
  return Math.max(0, nowNs - lastNs - lanes.excusedNs(slot) + unheardNs);
}
