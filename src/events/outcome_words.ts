// The words for what recovery does, each written once: labels of metrics, reasons of the audit log
// and of log lines (spec 08 section 3.4, spec 10 section 8, spec 11 section 1). The order of a list
// of labels is that of the metrics page.

/** Label values of `varta_recovery_outcomes_total{outcome}`. */
export const OUTCOME_LABELS = [
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
  /** A recovery began with a step that starts no process. */
  "started",
  "step_failed",
  "backed_off",
  "gave_up",
  "refused_storm_limit",
  /** Decided as always, and nothing was done. */
  "dry_run",
  /**
   * It could not begin for want of something that the system will have again, and is tried again.
   */
  "deferred",
  "refused_unproven_sender",
  "refused_pid_gone",
  /** The agent is not silent: its beats come, and are refused. It is checked again. */
  "refused_beats_refused",
  "refused_unit_not_owned",
  /** The plan acts on other verdicts. */
  "refused_verdict",
  /** Its agent is muted, or its plan is in doubt: it is decided when that is over. */
  "held",
] as const;
export type OutcomeLabel = (typeof OUTCOME_LABELS)[number];

/** Label values of `varta_recovery_refused_total{reason}`. */
export const REFUSAL_LABELS = [
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
  "verdict",
] as const;
type RefusalLabel = (typeof REFUSAL_LABELS)[number];

/** How a reason is counted. */
interface ReasonRow {
  readonly label: OutcomeLabel;
  /** A structural refusal, which `varta_recovery_refused_total` counts, too. */
  readonly refusal?: RefusalLabel;
  /** A step could not be begun: `varta_recovery_step_failures_total` counts it, too. */
  readonly isStepFailure?: true;
}

const ROWS = {
  cross_namespace_agent: { label: "refused_cross_namespace", refusal: "cross_namespace_agent" },
  unauthenticated_transport: {
    label: "refused_unauthenticated_transport",
    refusal: "unauthenticated_transport",
  },
  socket_mode_only: { label: "refused_socket_mode_only", refusal: "socket_mode_only" },
  unproven_sender: { label: "refused_unproven_sender", refusal: "unproven_sender" },
  /** Its process is in a state that its plan leaves alone: a debugger holds it, or it is frozen. */
  verdict_not_acted_on: { label: "refused_verdict", refusal: "verdict" },
  beats_refused: { label: "refused_beats_refused", refusal: "beats_refused" },
  debounced: { label: "debounced" },
  outstanding_in_flight: { label: "debounced" },
  debounce_capacity: { label: "refused_debounce_capacity", refusal: "debounce_capacity" },
  outstanding_capacity: { label: "refused_outstanding_capacity", refusal: "outstanding_capacity" },
  orphan_reap_capacity: { label: "refused_outstanding_capacity", refusal: "outstanding_capacity" },
  stale_child_kill_failed: {
    label: "refused_stale_child_kill_failed",
    refusal: "stale_child_kill_failed",
  },
  spawn_failed: { label: "spawn_failed", isStepFailure: true },
  skipped_agent_resumed: { label: "skipped_agent_resumed" },
  skipped_pid_recycled: { label: "skipped_pid_recycled" },
  /** A live process has the pid, and /proc does not say which. */
  process_unreadable: { label: "skipped_stall_unverifiable", refusal: "process_unreadable" },
  /** It is not known which process it was, none has its pid any more, and every step needs it. */
  pid_gone: { label: "refused_pid_gone", refusal: "pid_gone" },
  /** The same for one step of several. */
  step_left_out: { label: "step_failed" },
  /** The agent could not be signalled. */
  signal_failed: { label: "step_failed", isStepFailure: true },
  /** There is no unit of the agent that could be restarted. */
  unit_unknown: { label: "step_failed", isStepFailure: true },
  /** Its unit may not be restarted for it: it is not its main process, or another user's. */
  unit_not_owned: {
    label: "refused_unit_not_owned",
    refusal: "unit_not_owned",
    isStepFailure: true,
  },
  /** Another recovery is restarting the same unit. */
  unit_in_flight: { label: "debounced" },
  backing_off: { label: "backed_off" },
  gave_up: { label: "gave_up" },
  /** Until the configuration is right: the file with problems has another plan for it. */
  plan_in_doubt: { label: "held" },
  /** Until its mute is over. */
  muted: { label: "held" },
  storm_limit: { label: "refused_storm_limit", refusal: "storm_limit" },
} as const satisfies Record<string, ReasonRow>;

/** Why a stall, or a step for it, started nothing: the word of the audit log. */
export type DecisionReason = keyof typeof ROWS;

export const REASONS: Readonly<Record<DecisionReason, ReasonRow>> = ROWS;

/** What a recovery that began can come to. */
export const RECOVERY_RESULTS = [
  /** A beat came after it had begun. */
  "helped",
  /** Its last step failed, or no beat came within `verify_within`. */
  "not_helped",
  /** Its steps are done, and nothing says whether they helped. */
  "done",
  /** The process has ended, and no member came within `verify_within`. */
  "unverified",
  /** It could not go on: its pid belongs to another process, or the daemon stops. */
  "ended",
  /** The daemon was killed while it was under way: how its step went is not known. */
  "interrupted",
] as const;
export type RecoveryResult = (typeof RECOVERY_RESULTS)[number];

/** Label values of `varta_recovery_verified_total{result}`. */
export const VERDICTS = ["recovered", "not_recovered", "unknown"] as const;
export type Verdict = (typeof VERDICTS)[number];
