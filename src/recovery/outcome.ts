// What recovery did, as values: the daemon hands each outcome to log, metrics and audit. Codes are numbered in the
// order of the label values of varta_recovery_outcomes_total and varta_recovery_refused_total (spec 08 section 3.4);
// `kind` is the kind of audit row (spec 11 section 1) for "spawn", "complete" and "refused"; the others are only logged
// and counted.
import type { Stall } from "../events/stall.ts";
import type { CapturedOutput } from "./children/child_output.ts";
import type { StepKind } from "./plan.ts";

export const OUTCOME_SPAWNED = 0;
export const OUTCOME_DEBOUNCED = 1;
export const OUTCOME_REAPED_ZERO = 2;
export const OUTCOME_REAPED_NONZERO = 3;
export const OUTCOME_KILLED = 4;
export const OUTCOME_SPAWN_FAILED = 5;
export const OUTCOME_REFUSED_UNAUTHENTICATED_TRANSPORT = 6;
export const OUTCOME_REFUSED_CROSS_NAMESPACE = 7;
export const OUTCOME_REFUSED_DEBOUNCE_CAPACITY = 8;
export const OUTCOME_REFUSED_OUTSTANDING_CAPACITY = 9;
export const OUTCOME_REFUSED_SOCKET_MODE_ONLY = 10;
export const OUTCOME_REFUSED_STALE_CHILD_KILL_FAILED = 11;
export const OUTCOME_SKIPPED_AGENT_RESUMED = 12;
export const OUTCOME_SKIPPED_PID_RECYCLED = 13;
export const OUTCOME_SKIPPED_STALL_UNVERIFIABLE = 14;
/** A recovery began with a step that starts no process. */
export const OUTCOME_STARTED = 15;
export const OUTCOME_STEP_FAILED = 16;
export const OUTCOME_BACKED_OFF = 17;
export const OUTCOME_GAVE_UP = 18;
export const OUTCOME_REFUSED_STORM_LIMIT = 19;
/** Decided as always, and nothing was done. */
export const OUTCOME_DRY_RUN = 20;
/** It could not begin for want of something that the system will have again, and is tried again. */
export const OUTCOME_DEFERRED = 21;
export const OUTCOME_REFUSED_UNPROVEN_SENDER = 22;
export const OUTCOME_REFUSED_PID_GONE = 23;
/** The agent is not silent: its beats come, and are refused. It is looked at again. */
export const OUTCOME_REFUSED_BEATS_REFUSED = 24;
export const OUTCOME_REFUSED_UNIT_NOT_OWNED = 25;

/** Label values of `varta_recovery_outcomes_total{outcome}`, indexed by outcome code. */
export const OUTCOME_TEXTS = [
  "spawned",
  "debounced",
  "reaped_zero",
  "reaped_nonzero",
  "killed",
  "spawn_failed",
  "refused_unauthenticated_transport",
  "refused_cross_namespace",
  "refused_debounce_capacity",
  "refused_outstanding_capacity",
  "refused_socket_mode_only",
  "refused_stale_child_kill_failed",
  "skipped_agent_resumed",
  "skipped_pid_recycled",
  "skipped_stall_unverifiable",
  "started",
  "step_failed",
  "backed_off",
  "gave_up",
  "refused_storm_limit",
  "dry_run",
  "deferred",
  "refused_unproven_sender",
  "refused_pid_gone",
  "refused_beats_refused",
  "refused_unit_not_owned",
] as const;

export type OutcomeCode =
  | 0
  | 1
  | 2
  | 3
  | 4
  | 5
  | 6
  | 7
  | 8
  | 9
  | 10
  | 11
  | 12
  | 13
  | 14
  | 15
  | 16
  | 17
  | 18
  | 19
  | 20
  | 21
  | 22
  | 23
  | 24
  | 25;

export const REFUSED_NONE = -1;
export const REFUSED_UNAUTHENTICATED_TRANSPORT = 0;
export const REFUSED_CROSS_NAMESPACE_AGENT = 1;
export const REFUSED_DEBOUNCE_CAPACITY = 2;
export const REFUSED_OUTSTANDING_CAPACITY = 3;
export const REFUSED_SOCKET_MODE_ONLY = 4;
export const REFUSED_STALE_CHILD_KILL_FAILED = 5;
export const REFUSED_STORM_LIMIT = 6;
export const REFUSED_UNPROVEN_SENDER = 7;
export const REFUSED_PROCESS_UNREADABLE = 8;
export const REFUSED_PID_GONE = 9;
export const REFUSED_BEATS_REFUSED = 10;
export const REFUSED_UNIT_NOT_OWNED = 11;

/** Label values of `varta_recovery_refused_total{reason}`, indexed by refused code. */
export const REFUSED_REASON_TEXTS = [
  "unauthenticated_transport",
  "cross_namespace_agent",
  "debounce_capacity",
  "outstanding_capacity",
  "socket_mode_only",
  "stale_child_kill_failed",
  "storm_limit",
  "unproven_sender",
  "process_unreadable",
  "pid_gone",
  "beats_refused",
  "unit_not_owned",
] as const;

export type RefusedCode = -1 | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11;

/** Why a stall, or a step for it, started nothing: the word of the audit log. */
export type DecisionReason = keyof typeof REASONS;

/** The outcome code and the refused code that each reason is counted under. */
export const REASONS = {
  cross_namespace_agent: {
    code: OUTCOME_REFUSED_CROSS_NAMESPACE,
    refused: REFUSED_CROSS_NAMESPACE_AGENT,
  },
  unauthenticated_transport: {
    code: OUTCOME_REFUSED_UNAUTHENTICATED_TRANSPORT,
    refused: REFUSED_UNAUTHENTICATED_TRANSPORT,
  },
  socket_mode_only: {
    code: OUTCOME_REFUSED_SOCKET_MODE_ONLY,
    refused: REFUSED_SOCKET_MODE_ONLY,
  },
  unproven_sender: {
    code: OUTCOME_REFUSED_UNPROVEN_SENDER,
    refused: REFUSED_UNPROVEN_SENDER,
  },
  beats_refused: { code: OUTCOME_REFUSED_BEATS_REFUSED, refused: REFUSED_BEATS_REFUSED },
  debounced: { code: OUTCOME_DEBOUNCED, refused: REFUSED_NONE },
  outstanding_in_flight: { code: OUTCOME_DEBOUNCED, refused: REFUSED_NONE },
  debounce_capacity: {
    code: OUTCOME_REFUSED_DEBOUNCE_CAPACITY,
    refused: REFUSED_DEBOUNCE_CAPACITY,
  },
  outstanding_capacity: {
    code: OUTCOME_REFUSED_OUTSTANDING_CAPACITY,
    refused: REFUSED_OUTSTANDING_CAPACITY,
  },
  orphan_reap_capacity: {
    code: OUTCOME_REFUSED_OUTSTANDING_CAPACITY,
    refused: REFUSED_OUTSTANDING_CAPACITY,
  },
  stale_child_kill_failed: {
    code: OUTCOME_REFUSED_STALE_CHILD_KILL_FAILED,
    refused: REFUSED_STALE_CHILD_KILL_FAILED,
  },
  spawn_failed: { code: OUTCOME_SPAWN_FAILED, refused: REFUSED_NONE },
  skipped_agent_resumed: { code: OUTCOME_SKIPPED_AGENT_RESUMED, refused: REFUSED_NONE },
  skipped_pid_recycled: { code: OUTCOME_SKIPPED_PID_RECYCLED, refused: REFUSED_NONE },
  /** A live process has the pid, and /proc does not say which. */
  process_unreadable: {
    code: OUTCOME_SKIPPED_STALL_UNVERIFIABLE,
    refused: REFUSED_PROCESS_UNREADABLE,
  },
  /** Nobody knows which process it was, nobody has its pid any more, and every step needs it. */
  pid_gone: { code: OUTCOME_REFUSED_PID_GONE, refused: REFUSED_PID_GONE },
  /** The same for one step of several. */
  step_left_out: { code: OUTCOME_STEP_FAILED, refused: REFUSED_NONE },
  /** The agent could not be signalled. */
  signal_failed: { code: OUTCOME_STEP_FAILED, refused: REFUSED_NONE },
  /** There is no unit of the agent that could be restarted. */
  unit_unknown: { code: OUTCOME_STEP_FAILED, refused: REFUSED_NONE },
  /** It runs in a unit that it may not have restarted: it is not its main process, or another user's. */
  unit_not_owned: { code: OUTCOME_REFUSED_UNIT_NOT_OWNED, refused: REFUSED_UNIT_NOT_OWNED },
  /** Another recovery is restarting the same unit. */
  unit_in_flight: { code: OUTCOME_DEBOUNCED, refused: REFUSED_NONE },
  backing_off: { code: OUTCOME_BACKED_OFF, refused: REFUSED_NONE },
  gave_up: { code: OUTCOME_GAVE_UP, refused: REFUSED_NONE },
  storm_limit: { code: OUTCOME_REFUSED_STORM_LIMIT, refused: REFUSED_STORM_LIMIT },
} as const satisfies Record<string, { code: OutcomeCode; refused: RefusedCode }>;

export type RecoveryOutcome =
  | SpawnOutcome
  | RefusedOutcome
  | DeferredOutcome
  | TimeoutOutcome
  | CompleteOutcome
  | StepOutcome
  | EndOutcome
  | VerdictOutcome
  | StormOutcome;

/** Where in the steps of a recovery something happened. */
export interface StepPlace {
  readonly step: StepKind;
  /** From 1. */
  readonly stepNumber: number;
  readonly stepCount: number;
}

/** The command was started for `pid`. */
export interface SpawnOutcome extends StepPlace {
  readonly kind: "spawn";
  readonly code: typeof OUTCOME_SPAWNED;
  readonly observerNs: number;
  readonly pid: number;
  readonly childPid: number;
  readonly stall: Stall;
  /** argv[0]; arguments are never told, they may hold secrets. */
  readonly program: string;
  /** "inline", or the path of the command file. */
  readonly source: string;
  readonly templateSizeBytes: number;
}

/** The command was not started for `pid`: refused, debounced, skipped, or it could not be started. */
export interface RefusedOutcome extends StepPlace {
  readonly kind: "refused";
  readonly code: OutcomeCode;
  readonly refused: RefusedCode;
  readonly reason: DecisionReason;
  readonly observerNs: number;
  readonly pid: number;
  readonly stall: Stall;
  readonly program: string;
  /** What kept a step from being done, or a stale child from being killed, else empty. */
  readonly error: string;
  /** True if this is not news: the agent was given up before, and still is. */
  readonly isRepeated: boolean;
  readonly dryRun: boolean;
}

/** A step could not be done for want of something that the system will have again: it is tried again. */
export interface DeferredOutcome extends StepPlace {
  readonly kind: "deferred";
  /** How it is counted, if it is the first try of its recovery; else -1. */
  readonly code: typeof OUTCOME_DEFERRED | -1;
  readonly observerNs: number;
  readonly pid: number;
  readonly program: string;
  readonly error: string;
  /** Until the next try. */
  readonly pauseNs: number;
}

/** A child ran longer than the timeout, its group got SIGTERM. Logged; its exit is an outcome of its own. */
export interface TimeoutOutcome {
  readonly kind: "timeout";
  readonly observerNs: number;
  readonly pid: number;
  readonly childPid: number;
  readonly durationNs: number;
}

/** A child is over. Exactly one for each SpawnOutcome. */
export interface CompleteOutcome {
  readonly kind: "complete";
  readonly code: typeof OUTCOME_REAPED_ZERO | typeof OUTCOME_REAPED_NONZERO | typeof OUTCOME_KILLED;
  readonly completion: "reaped" | "killed" | "reap_failed";
  readonly observerNs: number;
  readonly pid: number;
  readonly childPid: number;
  /** NaN if the child did not exit by itself, or if nobody knows. */
  readonly exitCode: number;
  /** Number of the signal that ended the child, NaN if none did. */
  readonly signal: number;
  /** From the spawn to the observed exit; to the moment of giving up for `reap_failed`. */
  readonly durationNs: number;
  /** Why nothing more is known, for `reap_failed`, else empty. */
  readonly error: string;
  /** Undefined while output is not captured. */
  readonly captured: CapturedOutput | undefined;
}

/** A step that started no process is done, or would have been: then `dryRun` is true and nothing was. */
export interface StepOutcome extends StepPlace {
  readonly kind: "step";
  /** How it is counted, if it is the first of its recovery; else -1. */
  readonly code: typeof OUTCOME_STARTED | typeof OUTCOME_DRY_RUN | -1;
  readonly observerNs: number;
  readonly pid: number;
  /** "SIGTERM", "2s", the program, or the unit. */
  readonly detail: string;
  readonly dryRun: boolean;
}

/** A recovery of several steps is over; what its steps did was told before. */
export interface EndOutcome {
  readonly kind: "end";
  /** A step succeeded; a beat came back; nothing is left to try; or why it may not go on. */
  readonly end: SequenceEnd;
  readonly observerNs: number;
  readonly pid: number;
  readonly stepNumber: number;
  readonly stepCount: number;
  readonly durationNs: number;
  readonly dryRun: boolean;
}

export type SequenceEnd =
  | "succeeded"
  | "agent_resumed"
  | "exhausted"
  | "pid_recycled"
  | "unit_in_flight"
  | "stopped";

/** Label values of `varta_recovery_verified_total{result}`. */
export const VERDICTS = ["recovered", "not_recovered", "unknown"] as const;

/** Whether a beat came back within `verify_within` of the end of a recovery. */
export interface VerdictOutcome {
  readonly kind: "verdict";
  /** "unknown": the process is gone, and nothing names its successor. */
  readonly result: (typeof VERDICTS)[number];
  readonly observerNs: number;
  readonly pid: number;
  /** The unit whose new process beats; "" if the agent itself does. */
  readonly unit: string;
  /** From the start of the recovery. */
  readonly durationNs: number;
  readonly dryRun: boolean;
}

/** More agents stall than may be recovered: told when it begins, and when it is over. */
export interface StormOutcome {
  readonly kind: "storm";
  readonly begins: boolean;
  readonly observerNs: number;
  /** Recoveries refused in it, when it is over. */
  readonly refusedCount: number;
}
