// For how long a member has been silent, without the time in which it could not be heard.
import type { SlotTable } from "../tracker/slot_table.ts";

export function silenceNs({ slots, lanes }: SlotTable, slot: number, nowNs: number): number {
  return Math.max(0, nowNs - slots.lastNs[slot]! - lanes.excusedNs(slot));
}
