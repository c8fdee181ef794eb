// For how long a member has been silent, without the time in which it could not be heard. That no
// daemon listened for a while makes a stall that was reported before no shorter. Who owes no beats
// is not silent.
import type { SlotTable } from "../tracker/slot_table.ts";

export function silenceNs({ slots, lanes }: SlotTable, slot: number, nowNs: number): number {
  if (slots.owesNoBeats(slot) && !slots.isLatched(slot)) return 0;
  const lastNs = slots.lastNs[slot]!;
  const unheardNs = slots.isLatched(slot) ? lanes.pauses.unheardNs(lastNs) : 0;
  return Math.max(0, nowNs - lastNs - lanes.excusedNs(slot) + unheardNs);
}
