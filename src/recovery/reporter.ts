// Makes the outcomes: what was decided, done and seen of a recovery, each as one value for the
// sinks (src/events/outcome.ts). It decides nothing.
import { saturatingSub } from "../base/saturating.ts";
import type { EndOutcome, RecoveryOutcome } from "../events/outcome.ts";
import { type DecisionReason, REASONS, type Verdict } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { StepPlace } from "../events/step_kind.ts";
import type { Child } from "./children/child.ts";
import { countOutcome, type RecoveryCounters } from "./counters.ts";
import { type Plan, programOf } from "./plan.ts";
import type { Sequence } from "./sequence.ts";
import type { StormLimit } from "./storm_limit.ts";

/** How a refusal is placed: in a recovery that has begun, or before it, at step 0. */
interface RefusalPlace {
  readonly stall: Stall;
  readonly plan: Plan;
  readonly stepNumber: number;
  readonly isDryRun: boolean;
}

export interface Refusal {
  readonly reason: DecisionReason;
  readonly error?: string;
  readonly isRepeated?: boolean;
}

/** What a step starts. */
export interface Command {
  readonly argv: string[];
  readonly values: readonly string[];
  readonly program: string;
  readonly templateSizeBytes: number;
}

export class Reporter {
  readonly #counters: RecoveryCounters;
  readonly #outcomes: (outcome: RecoveryOutcome) => void;

  /** `outcomes` receives every outcome, in order. */
  constructor(counters: RecoveryCounters, outcomes: (outcome: RecoveryOutcome) => void) {
    this.#counters = counters;
    this.#outcomes = outcomes;
  }

  /** Counts an outcome and hands it on. */
  report(outcome: RecoveryOutcome): void {
    countOutcome(this.#counters, outcome);
    this.#outcomes(outcome);
  }

  /** Nothing was done, and why. */
  refused(place: RefusalPlace, { reason, error, isRepeated }: Refusal, nowNs: number): void {
    const { stall, plan, stepNumber, isDryRun } = place;
    this.report({
      kind: "refused",
      label: REASONS[reason].label,
      reason,
      observerNs: nowNs,
      pid: stall.pid,
      agent: stall.agent,
      stall,
      program: stepNumber === 0 ? plan.program : programOf(plan.steps[stepNumber - 1]!),
      error: error ?? "",
      isRepeated: isRepeated ?? false,
      dryRun: isDryRun,
      ...placeOf(plan, stepNumber),
    });
  }

  /** The child of the current step was started. */
  spawned(sequence: Sequence, child: Child, command: Command, nowNs: number): void {
    const { plan, stall, stepNumber } = sequence;
    this.report({
      kind: "spawn",
      label: "spawned",
      observerNs: nowNs,
      pid: stall.pid,
      agent: stall.agent,
      childPid: child.childPid,
      stall,
      program: command.program,
      source: plan.source,
      templateSizeBytes: command.templateSizeBytes,
      ...placeOf(plan, stepNumber),
    });
  }

  /** The current step could not be done, and is tried again. */
  deferred(sequence: Sequence, error: string, pauseNs: number, nowNs: number): void {
    const { plan, currentStep, stepNumber, hasActed, tries } = sequence;
    this.report({
      kind: "deferred",
      label: hasActed || tries.count > 1 ? undefined : "deferred",
      observerNs: nowNs,
      pid: sequence.pid,
      agent: sequence.stall.agent,
      program: programOf(currentStep),
      error,
      pauseNs,
      ...placeOf(plan, stepNumber),
    });
  }

  /** The current step is done without a child, or would have been. */
  stepDone(sequence: Sequence, detail: string, nowNs: number): void {
    const { plan, isDryRun, stepNumber, hasActed } = sequence;
    const began = isDryRun ? "dry_run" : "started";
    this.report({
      kind: "step",
      label: hasActed ? undefined : began,
      observerNs: nowNs,
      pid: sequence.pid,
      agent: sequence.stall.agent,
      detail,
      dryRun: isDryRun,
      ...placeOf(plan, stepNumber),
    });
  }

  /** The steps are over. One command says all there is to say by its own end. */
  ended(sequence: Sequence, end: EndOutcome["end"], nowNs: number): void {
    const stepCount = sequence.plan.steps.length;
    if (stepCount === 1) return;
    this.report({
      kind: "end",
      end,
      observerNs: nowNs,
      pid: sequence.pid,
      agent: sequence.stall.agent,
      stepNumber: sequence.stepNumber,
      stepCount,
      durationNs: saturatingSub(nowNs, sequence.startNs),
      dryRun: sequence.isDryRun,
    });
  }

  /** Whether a beat came back; `unit` is "" unless one of its new process did. */
  verified(sequence: Sequence, result: Verdict, unit: string, nowNs: number): void {
    this.report({
      kind: "verdict",
      result,
      observerNs: nowNs,
      pid: sequence.pid,
      agent: sequence.stall.agent,
      unit,
      durationNs: saturatingSub(nowNs, sequence.startNs),
      dryRun: sequence.isDryRun,
    });
  }

  stormBegins(storm: StormLimit, nowNs: number): void {
    this.#storm(storm, true, 0, nowNs);
  }

  stormEnds(storm: StormLimit, refusedCount: number, nowNs: number): void {
    this.#storm(storm, false, refusedCount, nowNs);
  }

  #storm(storm: StormLimit, begins: boolean, refusedCount: number, nowNs: number): void {
    const { limit, windowNs, beganNs } = storm;
    const durationNs = saturatingSub(nowNs, beganNs);
    this.report({
      kind: "storm",
      begins,
      observerNs: nowNs,
      limit,
      windowNs,
      refusedCount,
      durationNs,
    });
  }
}

function placeOf(plan: Plan, stepNumber: number): StepPlace {
  const number = Math.max(1, stepNumber);
  const { kind } = plan.steps[number - 1]!;
  return { step: kind, stepNumber: number, stepCount: plan.steps.length };
}
