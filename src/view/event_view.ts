// One event as `events` sends it, one JSON object per line. The same for the history of
// `explain`.
import type { StallVerdictWord } from "../events/stall_verdict.ts";
import type { StepKind } from "../events/step_kind.ts";

/** Each has the fields of its kind only. Unknown ones are left out. */
export interface EventView {
  /** RFC 3339 in UTC, milliseconds. */
  readonly time: string;
  readonly kind: EventViewKind;
  /** "" = it is of no agent. */
  readonly agent: string;
  readonly pid?: number;
  readonly silence_ms?: number;
  readonly threshold_ms?: number;
  /** Of a stall: since its goodbye. */
  readonly goodbye_ms?: number;
  readonly muted?: boolean;
  readonly verdict?: StallVerdictWord;
  readonly tracer?: TracerView;
  readonly end?: EndView;
  /** It ended between these, while no daemon ran. */
  readonly unwatched?: UnwatchedView;
  /** The pid that took its place. */
  readonly by_pid?: number;
  readonly recovery?: RecoveryEvent;
  /** Of missing and complete. */
  readonly members?: number;
  readonly expected?: number;
  /** Of lost: how many events this reader did not get. */
  readonly count?: number;
  /** What else there is to say, as a clause: cause of a pause, reason of a mute. */
  readonly detail?: string;
}

export const EVENT_VIEW_KINDS = [
  "stall",
  "resume",
  "late",
  "exit",
  "gone",
  "missing",
  "complete",
  "recovery",
  "observer_paused",
  "guard",
  "mute",
  "act",
  "reload",
  "boot",
  "shutdown",
  "lost",
] as const;
export type EventViewKind = (typeof EVENT_VIEW_KINDS)[number];

export interface TracerView {
  readonly pid: number;
  /** Command name; "" = not known. */
  readonly comm: string;
  readonly user: string;
}

/** How a process ended; both null = not known. */
export interface EndView {
  readonly time: string;
  readonly exit_status: number | null;
  readonly signal: number | null;
}

export interface UnwatchedView {
  readonly after: string;
  readonly before: string;
}

export const RECOVERY_WHATS = [
  "began",
  "step",
  "done",
  "helped",
  "not_helped",
  /** The daemon was killed while it was under way. */
  "interrupted",
  "refused",
  "held",
] as const;
type RecoveryWhat = (typeof RECOVERY_WHATS)[number];

export interface RecoveryEvent {
  readonly id: number;
  readonly what: RecoveryWhat;
  readonly plan?: string;
  readonly step?: number;
  readonly steps?: number;
  readonly kind?: StepKind;
  /** Signal name, duration as in the configuration, program, or unit. */
  readonly target?: string;
  /** What became of the step: "sent", "no beat", "asked systemd". */
  readonly result?: string;
  /** Of a step that is done; of a recovery: since the stall. */
  readonly took_ms?: number;
  /** Why it was refused or is held: a word, and a clause. */
  readonly reason?: string;
  readonly why?: string;
  /** Figures of the gate that refused it, where it has them. */
  readonly used?: number;
  readonly limit?: number;
  readonly window_ms?: number;
}

/** The line after what has happened: all that follows it happens now. */
export interface EventsEnd {
  readonly shown: number;
  /** Of other kinds or agents, in the same time. */
  readonly left_out: number;
}
