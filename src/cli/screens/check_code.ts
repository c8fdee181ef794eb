// `status --exit-code`: what Nagios and the like make of a state. What is muted counts as ok.
import { ALARM_STATES, WARNING_STATES } from "../../agents/agent_state.ts";
import type { StatusView } from "../../view/status_view.ts";
import { isGuarded, isMuted } from "./agent_table.ts";

const OK = 0;
const WARNING = 1;
const CRITICAL = 2;

export function checkCode(view: StatusView): number {
  const states = view.agents.filter((agent) => !isMuted(agent)).map(({ state }) => state);
  if (states.some((state) => ALARM_STATES.includes(state))) return CRITICAL;
  const isWarning = isGuarded(view) || states.some((state) => WARNING_STATES.includes(state));
  return isWarning ? WARNING : OK;
}
