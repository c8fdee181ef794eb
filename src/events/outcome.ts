// What recovery did, as values in the one language of all sinks: log, metrics and audit read each
// outcome, and know neither recovery nor each other. `label` is how it is counted in
// varta_recovery_outcomes_total (spec 08 section 3.4); `kind` is the kind of audit row (spec 11
// section 1) for "spawn", "complete" and "refused"; the others are only logged and counted. Every
// recovery has a number, one "began" before all that it does, and one "result".
import type { CapturedOutput } from "./captured_output.ts";
import type { DecisionReason, OutcomeLabel, RecoveryResult, Verdict } from "./outcome_words.ts";
import type { Stall } from "./stall.ts";
import type { StallVerdictWord } from "./stall_verdict.ts";
import type { StepPlace } from "./step_kind.ts";

export type RecoveryOutcome =
  | BeganOutcome
  | SpawnOutcome
  | RefusedOutcome
  | DeferredOutcome
  | TimeoutOutcome
  | CompleteOutcome
  | StepOutcome
  | EndOutcome
  | VerdictOutcome
  | ResultOutcome
  | StormOutcome;

/** What all outcomes but that of a storm say: of which member, and when. */
export interface OfMember {
  readonly observerNs: number;
  readonly pid: number;
  /** Number of its agent. */
  readonly agent: number;
  /** From 1 in the life of a daemon; 0 = no recovery has begun. */
  readonly recoveryId: number;
  /** The name of its plan; "" = that of [recovery] itself. */
  readonly plan: string;
  /** What the process was doing when it stalled; "" = that was not looked at. */
  readonly verdict: StallVerdictWord | "";
}

/** A recovery has passed all checks, and its first step is done or has failed for good. */
export interface BeganOutcome extends OfMember {
  readonly kind: "began";
  readonly stall: Stall;
  /** That of its first step; NaN = that starts none. */
  readonly childPid: number;
  readonly stepCount: number;
  readonly dryRun: boolean;
}

/** The command was started for `pid`. */
export interface SpawnOutcome extends OfMember, StepPlace {
  readonly kind: "spawn";
  readonly label: "spawned";
  readonly childPid: number;
  readonly stall: Stall;
  /** argv[0]; arguments are never reported, they may hold secrets. */
  readonly program: string;
  /** "inline", or the path of the command file. */
  readonly source: string;
  readonly templateSizeBytes: number;
}

/** The recoveries of an agent are used up. */
export interface UsedBudget {
  readonly recoveries: number;
  readonly windowNs: number;
  /** Observer time from which on it may be recovered again. */
  readonly nextNs: number;
}

/**
 * The command was not started for `pid`: refused, debounced, skipped, or it could not be started.
 */
export interface RefusedOutcome extends OfMember, StepPlace {
  readonly kind: "refused";
  /** That of its reason. */
  readonly label: OutcomeLabel;
  readonly reason: DecisionReason;
  readonly stall: Stall;
  readonly program: string;
  /** What kept a step from being done, or a stale child from being killed, else empty. */
  readonly error: string;
  /** True if this is not news: the agent was given up before, and still is. */
  readonly isRepeated: boolean;
  /** Of an agent that is given up; undefined = there is another reason. */
  readonly used: UsedBudget | undefined;
  readonly dryRun: boolean;
}

/**
 * A step could not be done for want of something that the system will have again: it is tried
 * again.
 */
export interface DeferredOutcome extends OfMember, StepPlace {
  readonly kind: "deferred";
  /** Undefined if it is not the first try of its recovery. */
  readonly label: "deferred" | undefined;
  readonly program: string;
  readonly error: string;
  /** Until the next try. */
  readonly pauseNs: number;
}

/**
 * A child ran longer than the timeout, its group got SIGTERM. Logged; its exit is an outcome of its
 * own.
 */
export interface TimeoutOutcome extends OfMember, StepPlace {
  readonly kind: "timeout";
  readonly childPid: number;
  readonly timeoutNs: number;
  /** Since the spawn. */
  readonly durationNs: number;
}

/** A child is over. Exactly one for each SpawnOutcome. */
export interface CompleteOutcome extends OfMember, StepPlace {
  readonly kind: "complete";
  readonly label: "reaped_zero" | "reaped_nonzero" | "killed";
  readonly completion: "reaped" | "killed" | "reap_failed";
  readonly childPid: number;
  /** NaN if the child did not exit by itself, or if that is not known. */
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

/**
 * A step that started no process is done, or would have been: then `dryRun` is true and nothing
 * was.
 */
export interface StepOutcome extends OfMember, StepPlace {
  readonly kind: "step";
  /** Undefined if it is not the first of its recovery. */
  readonly label: "started" | "dry_run" | undefined;
  /** "SIGTERM", "2s", the program, or the unit. */
  readonly detail: string;
  readonly dryRun: boolean;
}

/** A recovery of several steps is over; what its steps did was reported before. */
export interface EndOutcome extends OfMember {
  readonly kind: "end";
  /** A step succeeded; a beat came back; nothing is left to try; or why it may not go on. */
  readonly end: SequenceEnd;
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

/** Whether a beat came back within `verify_within` of the end of a recovery. */
interface VerdictOutcome extends OfMember {
  readonly kind: "verdict";
  /** "unknown": the process is gone, and nothing names its successor. */
  readonly result: Verdict;
  /** The unit whose new process beats; "" if the agent itself does. */
  readonly unit: string;
  /** From the start of the recovery. */
  readonly durationNs: number;
  readonly dryRun: boolean;
}

/** What a recovery that began has come to. Exactly one for each BeganOutcome, and the last word. */
export interface ResultOutcome extends OfMember {
  readonly kind: "result";
  readonly result: RecoveryResult;
  /** Why, in words; "" = its steps say it. */
  readonly reason: string;
  /** What became of each step: "SIGQUIT sent; wait 5s no beat; restart app.service exit 1". */
  readonly steps: string;
  readonly stepNumber: number;
  readonly stepCount: number;
  /** Of the child that ended last; NaN = none did, or not so. */
  readonly exitCode: number;
  readonly signal: number;
  /** What that child printed, if it failed and its output is kept. */
  readonly captured: CapturedOutput | undefined;
  /** Why the first of the steps that could not be done was not; undefined = all could be done. */
  readonly fault: DecisionReason | undefined;
  /** The member that beats in the place of this one; NaN = it beats itself, or none does. */
  readonly byPid: number;
  /** The unit of that member; "" = that is not known. */
  readonly unit: string;
  /** From the start of the recovery. */
  readonly durationNs: number;
  readonly dryRun: boolean;
}

/** More agents stall than may be recovered: reported when it begins, and when it is over. */
export interface StormOutcome {
  readonly kind: "storm";
  readonly begins: boolean;
  readonly observerNs: number;
  /** Recoveries that may begin within `windowNs`. */
  readonly limit: number;
  readonly windowNs: number;
  /** Recoveries refused in it, when it is over. */
  readonly refusedCount: number;
  /** Since the first refusal. */
  readonly durationNs: number;
}
