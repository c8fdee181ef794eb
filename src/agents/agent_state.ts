// The states of an agent (spec 15 section 6): what the observer concludes of it and of each of its
// members. An agent has the worst of those that it and its members have.

/** The worst first. */
export const AGENT_STATES = [
  "stalled",
  "missing",
  "critical",
  "late",
  "degraded",
  "new",
  "ok",
  "gone",
] as const;

export type AgentState = (typeof AGENT_STATES)[number];

/** Those that one member can have: only an agent is missing, or gone. */
export type MemberState = Exclude<AgentState, "missing" | "gone">;

/** Somebody has to look, now. */
export const ALARM_STATES: readonly AgentState[] = ["stalled", "missing", "critical"];
export const WARNING_STATES: readonly AgentState[] = ["late", "degraded"];
/** Not well: the others are quiet. */
export const BAD_STATES: readonly AgentState[] = [...ALARM_STATES, ...WARNING_STATES];

export function worseState(one: AgentState, other: AgentState): AgentState {
  return AGENT_STATES.indexOf(other) < AGENT_STATES.indexOf(one) ? other : one;
}
