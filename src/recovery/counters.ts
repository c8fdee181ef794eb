// What recovery counts (spec 08 section 3.4): its decisions and what became of them, and where it met its own bounds.
import { block, type CountersOf, counter, gauge, histogram } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { OUTCOME_LABELS, REASONS, REFUSAL_LABELS, VERDICTS } from "../events/outcome_words.ts";
import { STEP_KINDS } from "../events/step_kind.ts";

/** From a script that only sends a signal to one that restarts a database. */
const BOUNDS = ["0.01", "0.05", "0.1", "0.5", "1", "2.5", "5", "10", "30", "60", "300"];

export const RECOVERY = block({
  outcomes: counter(
    "varta_recovery_outcomes_total",
    "Recovery decisions and completions, by outcome.",
    { label: "outcome", values: OUTCOME_LABELS },
  ),
  duration: histogram(
    "varta_recovery_duration_seconds",
    "Spawn to observed exit of reaped children.",
    { bounds: BOUNDS },
  ),
  refused: counter(
    "varta_recovery_refused_total",
    "Structural refusals to recover; skips and debounces do not count here.",
    { label: "reason", values: REFUSAL_LABELS },
  ),
  lastFiredEvictions: counter(
    "varta_recovery_last_fired_evictions_total",
    "Debounce entries dropped at capacity after their window had passed.",
  ),
  debounceRecycleResets: counter(
    "varta_recovery_debounce_recycle_resets_total",
    "Debounce windows ignored because the pid was used again by another process.",
  ),
  outstandingRecycleResets: counter(
    "varta_recovery_outstanding_recycle_resets_total",
    "Stale children reclaimed because the pid was used again by another process.",
  ),
  spawnBudgetExceeded: counter(
    "varta_recovery_spawn_budget_exceeded_total",
    "Turns in which the spawn cap deferred the remaining stalls.",
  ),
  invariantViolations: counter(
    "varta_recovery_invariant_violations_total",
    "Broken recovery invariants: a bug if not 0.",
  ),
  outstandingProbeExhausted: counter(
    "varta_recovery_outstanding_probe_exhausted_total",
    "Operations on the index of running children that used up their probes.",
  ),
  reapTruncated: counter(
    "varta_recovery_reap_truncated_total",
    "Turns cut off at the completion cap.",
  ),
  steps: counter("varta_recovery_steps_total", "Steps of recoveries that were begun, by kind.", {
    label: "step",
    values: STEP_KINDS,
  }),
  stepFailures: counter(
    "varta_recovery_step_failures_total",
    "Steps of recoveries that could not be begun.",
    { label: "step", values: STEP_KINDS },
  ),
  stepRetries: counter(
    "varta_recovery_step_retries_total",
    "Steps put off because the system was short of something; they are tried again.",
    { label: "step", values: STEP_KINDS },
  ),
  verified: counter(
    "varta_recovery_verified_total",
    "Recoveries by whether a beat came back within recovery.verify_within.",
    { label: "result", values: VERDICTS },
  ),
});

export type RecoveryCounters = CountersOf<typeof RECOVERY>;

// On the page, another family stands between this one and the others.
export const GIVEN_UP = block({
  agents: gauge(
    "varta_recovery_gave_up_agents",
    "Agents that are not recovered any more until their recovery.budget has room again.",
    { ask: (recovery: { readonly givenUpCount: number }) => recovery.givenUpCount },
  ),
});

/** Counts one outcome. */
export function countOutcome(counters: RecoveryCounters, outcome: RecoveryOutcome): void {
  if (outcome.kind === "verdict") {
    counters.add(RECOVERY.verified[outcome.result]);
    return;
  }
  if (outcome.kind === "timeout" || outcome.kind === "end" || outcome.kind === "storm") return;
  if (outcome.label !== undefined) counters.add(RECOVERY.outcomes[outcome.label]);
  if (outcome.kind === "complete") {
    if (outcome.completion === "reaped")
      counters.observe(RECOVERY.duration, outcome.durationNs / NS_PER_S);
  } else if (outcome.kind === "deferred") {
    counters.add(RECOVERY.stepRetries[outcome.step]);
  } else if (outcome.kind !== "refused") {
    if (outcome.kind === "spawn" || !outcome.dryRun) counters.add(RECOVERY.steps[outcome.step]);
  } else {
    const { refusal, isStepFailure } = REASONS[outcome.reason];
    if (refusal !== undefined) counters.add(RECOVERY.refused[refusal]);
    if (isStepFailure) counters.add(RECOVERY.stepFailures[outcome.step]);
  }
}
