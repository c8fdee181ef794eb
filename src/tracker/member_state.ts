// The state of a member (spec 15 section 6), as its slot shows it: the worst that holds.
import { AGENT_STATES, type MemberState } from "../agents/agent_state.ts";
import { STATUS_CRITICAL, STATUS_OK } from "../wire/frame.ts";
import type { SlotTable } from "./slot_table.ts";
import { SLOT_GOODBYE, SLOT_STALL_EMITTED } from "./slots.ts";

export function memberState({ slots, lanes }: SlotTable, slot: number, nowNs: number): MemberState {
  if (slots.isLatched(slot)) return "stalled";
  const status = slots.status[slot]!;
  if (status === STATUS_CRITICAL) return "critical";
  if (lanes.isLate(slot)) return "late";
  if (status !== STATUS_OK) return "degraded";
  // The grace of one that is about to end is no sign that it is new.
  if (lanes.isInGrace(slot, nowNs) && !slots.saidGoodbye(slot)) return "new";
  return "ok";
}

const STALLED = AGENT_STATES.indexOf("stalled");
const CRITICAL = AGENT_STATES.indexOf("critical");
const LATE = AGENT_STATES.indexOf("late");
const DEGRADED = AGENT_STATES.indexOf("degraded");
const NEW = AGENT_STATES.indexOf("new");
const OK = AGENT_STATES.indexOf("ok");
const GONE = AGENT_STATES.indexOf("gone");

/**
 * By the rows of agents, the place of the worst state that a member of each has; that of "gone"
 * where there is none. One loop without a call, since all members are passed between two beats, and
 * often by code that never ran before: 1 ms of 100,000, and 5 ms then.
 */
export function worstStates({ slots, lanes, agents, len }: SlotTable, nowNs: number): Uint8Array {
  const { rowCount } = agents;
  const { flags, status, lane, graceEndNs, agent } = slots;
  const lateFrom = lanes.lateRowOf(0);
  const awakeNs = lanes.pauses.awakeNs(nowNs);
  const worst = new Uint8Array(rowCount).fill(GONE);
  let row = 0;
  let agentBefore = 0;
  for (let slot = 0; slot < len; slot++) {
    let rank = OK;
    if ((flags[slot]! & SLOT_STALL_EMITTED) !== 0) rank = STALLED;
    else if (status[slot]! === STATUS_CRITICAL) rank = CRITICAL;
    else if (lane[slot]! >= lateFrom) rank = LATE;
    else if (status[slot]! !== STATUS_OK) rank = DEGRADED;
    else if (graceEndNs[slot]! > awakeNs && (flags[slot]! & SLOT_GOODBYE) === 0) rank = NEW;
    // A division costs more than all the rest, and neighbours are often of one agent.
    if (agent[slot]! !== agentBefore) {
      agentBefore = agent[slot]!;
      row = agentBefore % rowCount;
    }
    if (rank < worst[row]!) worst[row] = rank;
  }
  return worst;
}
