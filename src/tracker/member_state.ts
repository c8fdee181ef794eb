// The state of a member (spec 15 section 6), as its slot shows it: the worst that holds.
import type { MemberState } from "../agents/agent_state.ts";
import { STATUS_CRITICAL, STATUS_OK } from "../wire/frame.ts";
import type { SlotTable } from "./slot_table.ts";

export function memberState({ slots }: SlotTable, slot: number): MemberState {
  if (slots.isLatched(slot)) return "stalled";
  const status = slots.status[slot]!;
  if (status === STATUS_CRITICAL) return "critical";
  if (status !== STATUS_OK) return "degraded";
  return "ok";
}
