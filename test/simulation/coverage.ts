// Counts of everything that happened, so that a reader sees that a run exercised what it claims to
// check. A long run in which an important kind never occurred is a failure of the simulation, not a
// success of the daemon.

export class Coverage {
  readonly counts = new Map<string, number>();

  count(kind: string, times = 1): void {
    if (times > 0) this.counts.set(kind, (this.counts.get(kind) ?? 0) + times);
  }

  get(kind: string): number {
    return this.counts.get(kind) ?? 0;
  }

  /** Kinds of `wanted` that never occurred. */
  missing(wanted: readonly string[]): readonly string[] {
    return wanted.filter((kind) => this.get(kind) === 0);
  }
}

/** Size from which on a run must have seen everything: the default parameters. */
export const STEPS_DEFAULT = 20_000;
export const AGENTS_DEFAULT = 64;

export const REJECT_REASONS = [
  "wrong_size",
  "ctrl_truncated",
  "no_credentials",
  "decode",
  "uid",
  "pid",
  "pid_above_max",
  "rate_per_pid",
  "rate_global",
  "cross_namespace",
  "origin_conflict",
  "namespace_conflict",
  "capacity",
  "out_of_order",
] as const;

export const OUTCOMES = [
  "spawned",
  "debounced",
  "reaped_zero",
  "reaped_nonzero",
  "killed",
  "spawn_failed",
  "refused_unauthenticated_transport",
  "refused_cross_namespace",
  "refused_socket_mode_only",
  "refused_stale_child_kill_failed",
  "refused_debounce_capacity",
  "refused_outstanding_capacity",
  "skipped_agent_resumed",
  "skipped_pid_recycled",
  "skipped_stall_unverifiable",
  "deferred",
  "refused_pid_gone",
  "refused_unit_not_owned",
  "refused_unproven_sender",
  "refused_beats_refused",
] as const;

export const REQUIRED: readonly string[] = [
  ...REJECT_REASONS.map((reason) => `rejected.${reason}`),
  ...OUTCOMES.filter((outcome) => !isRare(outcome)).map((outcome) => `outcome.${outcome}`),
  "frozen",
  "thawed",
  "died",
  "panicked",
  "pidReused",
  "replacedAtOnce",
  "replacedBehindItsBeats",
  "restartedInPlace",
  "readabilityChanged",
  "swappedInLookup",
  "statusReads",
  "membersMuted",
  "mutedStalls",
  "nonceNearTop",
  "burst",
  "moved",
  "replayed",
  "duplicated",
  "greetings",
  "delayed",
  "arrivedDuringTurn",
  "clockWentBack",
  "clockWentAhead",
  "longQuiet",
  "observerStopped",
  "selfBeats",
  "selfBeatsLost",
  "guard.active",
  "guard.over",
  "held",
  "pauses",
  "queueFull",
  "queueFullByPause",
  "suspended",
  "receiveFailed",
  "machineFrozen",
  "accepted",
  "stalls",
  "stallsByRule",
  "lates",
  "graced",
  "reloads",
  "resumed",
  "retired",
  "recycled",
  "evictions",
  "uidShares",
  "nonceRestarts",
  "wraps",
  "terminalBypass",
  "worseBypass",
  "contained",
  "spawnBudgetExceeded",
  "judgeDeferred",
  "budgetUsedUp",
  "timeouts",
  "retries",
  "rubbishFlood",
  "filtered",
  "pidGone",
  "unitRestarts",
  "processUnreadable",
  "identitiesRead",
  "identitiesUnreadable",
  "renamed",
];

/** Outcomes that need several unlikely things at once; many seeds together see them. */
function isRare(outcome: string): boolean {
  return (
    outcome === "refused_stale_child_kill_failed" ||
    outcome === "refused_debounce_capacity" ||
    outcome === "refused_outstanding_capacity" ||
    outcome === "refused_cross_namespace"
  );
}
