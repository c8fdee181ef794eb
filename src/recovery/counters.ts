// What recovery counts (spec 08 section 3.4): its decisions and what became of them, and where it
// met its own bounds. children/ knows nothing of it: what is counted there is asked for.
import { block, type CountersOf, counter, gauge, histogram } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { OUTCOME_LABELS, REASONS, REFUSAL_LABELS, VERDICTS } from "../events/outcome_words.ts";
import { STEP_KINDS } from "../events/step_kind.ts";

/** From a script that only sends a signal to one that restarts a database. */
const BOUNDS = ["0.01", "0.05", "0.1", "0.5", "1", "2.5", "5", "10", "30", "60", "300"];

/** What the children of recoveries count for themselves. */
interface AskedChildren {
  readonly recycleResets: number;
  readonly invariantViolations: number;
  readonly probeExhausted: number;
  readonly reapTruncated: number;
}

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
    { ask: ({ recycleResets }: AskedChildren) => recycleResets },
  ),
  spawnBudgetExceeded: counter(
    "varta_recovery_spawn_budget_exceeded_total",
    "Turns in which the spawn cap deferred the remaining stalls.",
  ),
  invariantViolations: counter(
    "varta_recovery_invariant_violations_total",
    "Broken recovery invariants: a bug if not 0.",
    { ask: ({ invariantViolations }: AskedChildren) => invariantViolations },
  ),
  outstandingProbeExhausted: counter(
    "varta_recovery_outstanding_probe_exhausted_total",
    "Operations on the index of running children that used up their probes.",
    { ask: ({ probeExhausted }: AskedChildren) => probeExhausted },
  ),
  reapTruncated: counter(
    "varta_recovery_reap_truncated_total",
    "Turns cut off at the completion cap.",
    { ask: ({ reapTruncated }: AskedChildren) => reapTruncated },
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
    { ask: ({ givenUpCount }: { readonly givenUpCount: number }) => givenUpCount },
  ),
});

/** Counts one outcome. */
export function countOutcome(counters: RecoveryCounters, outcome: RecoveryOutcome): void {
  if ("label" in outcome && outcome.label !== undefined)
    counters.add(RECOVERY.outcomes[outcome.label]);
  switch (outcome.kind) {
    case "spawn":
      counters.add(RECOVERY.steps[outcome.step]);
      return;
    case "step":
      if (!outcome.dryRun) counters.add(RECOVERY.steps[outcome.step]);
      return;
    case "deferred":
      counters.add(RECOVERY.stepRetries[outcome.step]);
      return;
    case "refused": {
      const { refusal, isStepFailure } = REASONS[outcome.reason];
      if (refusal !== undefined) counters.add(RECOVERY.refused[refusal]);
      if (isStepFailure) counters.add(RECOVERY.stepFailures[outcome.step]);
      return;
    }
    case "complete":
      if (outcome.completion === "reaped")
        counters.observe(RECOVERY.duration, outcome.durationNs / NS_PER_S);
      return;
    case "verdict":
      counters.add(RECOVERY.verified[outcome.result]);
      return;
    case "began":
    case "timeout":
    case "end":
    case "result":
    case "storm":
      return;
    default:
      outcome satisfies never;
  }
}
