// The state of a member (spec 15 section 6), as its slot shows it: the worst that holds.
import type { MemberState } from "../agents/agent_state.ts";
import { STATUS_CRITICAL, STATUS_OK } from "../wire/frame.ts";
import type { SlotTable } from "./slot_table.ts";

export function memberState({ slots, lanes }: SlotTable, slot: number, nowNs: number): MemberState {
  if (slots.isLatched(slot)) return "stalled";
  const status = slots.status[slot]!;
  if (status === STATUS_CRITICAL) return "critical";
  if (lanes.isLate(slot)) return "late";
  if (status !== STATUS_OK) return "degraded";
  if (lanes.isInGrace(slot, nowNs)) return "new";
  return "ok";
}
