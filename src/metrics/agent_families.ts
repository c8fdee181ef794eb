// The families of the metrics page by the name of an agent (spec 08 section 3.8): what each is
// called, and the words that its labels have. Which of them a row has on the page is decided in
// agent_page.ts.
import { AGENT_STATES } from "../agents/agent_state.ts";
import { blockPer, counter, gauge } from "../base/counters.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { OUTCOME_LABELS, RECOVERY_RESULTS } from "../events/outcome_words.ts";
import { STALL_VERDICTS } from "../events/stall_verdict.ts";

/** How a member ended: as `varta_member_ends_total{how}`, which is the sum over the agents. */
export const AGENT_ENDS = ["clean", "unclean", "unknown", "replaced", "brief"] as const;
export type AgentEnd = (typeof AGENT_ENDS)[number];

/**
 * As `varta_recovery_outcomes_total{outcome}`, which is the sum over the agents; and what the
 * recoveries came to that began.
 */
export const AGENT_OUTCOMES = [...OUTCOME_LABELS, ...RECOVERY_RESULTS] as const;
export type AgentOutcome = (typeof AGENT_OUTCOMES)[number];

/** The word under which an outcome is counted for its agent; undefined = it is not. */
export function agentOutcome(outcome: RecoveryOutcome): AgentOutcome | undefined {
  if (outcome.kind === "result") return outcome.dryRun ? undefined : outcome.result;
  return "label" in outcome ? outcome.label : undefined;
}

export const AGENT_ROWS = blockPer(["agent"], {
  agents: gauge(
    "varta_agents",
    "Members by state; missing: fewer than expected; gone: 1 if there is none.",
    { label: "state", values: AGENT_STATES },
  ),
  muted: gauge("varta_agent_muted", "Whether nothing is told of it and nothing is done."),
  members: gauge("varta_agent_members", "Members whose process has not ended."),
  beating: gauge(
    "varta_agent_members_beating",
    "Members that beat: they run, owe beats, and are not stalled.",
  ),
  expected: gauge("varta_agent_expected_members", "Members that the configuration expects."),
  lastBeat: gauge(
    "varta_agent_last_beat_timestamp_seconds",
    "Unix time of the last beat of the member that is silent for longest.",
    { decimals: 3 },
  ),
  silenceRatio: gauge(
    "varta_agent_silence_ratio",
    "Silence of the worst member by its threshold: from 1 on it has stalled.",
    { decimals: 3 },
  ),
  threshold: gauge("varta_agent_threshold_seconds", "Silence after which a member has stalled.", {
    decimals: 3,
  }),
  beats: counter("varta_agent_beats_total", "Accepted beats."),
  stalls: counter("varta_agent_stalls_total", "Stalls, by what the process was doing.", {
    label: "verdict",
    values: STALL_VERDICTS,
  }),
  exits: counter("varta_agent_exits_total", "Members whose process ended, by how.", {
    label: "how",
    values: AGENT_ENDS,
  }),
  recoveries: counter("varta_agent_recoveries_total", "What became of recoveries.", {
    label: "outcome",
    values: AGENT_OUTCOMES,
  }),
  info: gauge("varta_agent_info", "Who it is, as of its first member; always 1."),
});
