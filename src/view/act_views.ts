// What acts answer, as it is sent: what is true now, and when it ends. Times are RFC 3339
// in UTC; `null` is what does not apply.
import type { AgentState } from "../agents/agent_state.ts";
import type { StepKind } from "../events/step_kind.ts";
import type { MuteView } from "./status_view.ts";

/** One of `mutes`. */
export interface MutedAgent extends MuteView {
  readonly agent: string;
  readonly state: AgentState;
}

export interface MutesView {
  readonly v: 1;
  readonly time: string;
  readonly mutes: readonly MutedAgent[];
}

export interface MuteAnswer {
  readonly v: 1;
  readonly time: string;
  readonly mutes: readonly MutedAgent[];
}

export interface UnmuteAnswer {
  readonly v: 1;
  readonly time: string;
  readonly unmuted: readonly UnmutedAgent[];
}

export interface UnmutedAgent {
  readonly agent: string;
  readonly state: AgentState;
  /** Until its mute would have ended. */
  readonly left_ms: number;
  /** The number of the recovery that has begun for it. */
  readonly recovery: number | null;
  /** The mute that still holds it: its agent, pattern or "*"; null = none does. */
  readonly still: string | null;
  /** It stalled while it was muted: that is reported now. */
  readonly reported: boolean;
  /** Of a process that was muted alone. */
  readonly pid: number | null;
}

export interface ForgetAnswer {
  readonly v: 1;
  /** As it was asked for: an agent, a pid or "ADDRESS/PID". */
  readonly name: string;
  readonly state: AgentState;
  /** Since the stall or the end. */
  readonly for_ms: number;
}

export interface LogLevelAnswer {
  readonly v: 1;
  readonly level: string;
  readonly until: string;
  /** The level after that. */
  readonly then: string;
}

/** What `recover` found: the gates in the order in which they are asked. */
export interface RecoverDryRun {
  readonly v: 1;
  readonly time: string;
  readonly agent: string;
  readonly pid: number;
  /** How many members of the agent are stalled. */
  readonly stalled: number;
  readonly gates: readonly RecoverGate[];
  /** The refusal: the word of the gate that is shut; null = it would run. */
  readonly refused: string | null;
  readonly steps: readonly PlannedStep[];
}

interface RecoverGate {
  /** The word by which it refuses: "muted", "verdict", "in_flight". */
  readonly gate: string;
  readonly open: boolean;
  /** It is shut, and `recover` passes it all the same. */
  readonly passed_over: boolean;
  /** The clause that says what was found. */
  readonly found: string;
}

export interface PlannedStep {
  readonly step: StepKind;
  /** Signal name, duration as in the configuration, program, or unit. */
  readonly detail: string;
}

/** Lines of a recovery by hand, as they come: first the head, then steps, then the end. */
export interface RecoveryBegun {
  readonly v: 1;
  readonly id: number;
  readonly agent: string;
  readonly pid: number;
  readonly by: string;
  readonly plan: string;
  readonly steps: number;
  /** The gates that it passed over. */
  readonly passed_over: readonly string[];
}

/** Why an act was not done. */
export interface ActRefusal {
  readonly error: "no_such_agent" | "refused" | "bad_field";
  readonly text: string;
  readonly hint?: string | undefined;
  /** The gate that is shut, of a recovery. */
  readonly gate?: string;
}
