// Makes the outcomes: what was decided, done and seen of a recovery, each as one value for the
// sinks (src/events/outcome.ts). It decides nothing.
import { saturatingSub } from "../base/saturating.ts";
import type { EndOutcome, OfMember, RecoveryOutcome, UsedBudget } from "../events/outcome.ts";
import {
  type DecisionReason,
  REASONS,
  type RecoveryResult,
  type Verdict,
} from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { StepPlace } from "../events/step_kind.ts";
import type { Child } from "./children/child.ts";
import { countOutcome, type RecoveryCounters } from "./counters.ts";
import type { NotedRecovery } from "./fired_notes.ts";
import { type Plan, programOf, subjectOf } from "./plan.ts";
import type { Sequence } from "./sequence.ts";
import type { StormLimit } from "./storm_limit.ts";

/** How a refusal is placed: in a recovery that has begun, or before it, at step 0. */
interface RefusalPlace {
  readonly stall: Stall;
  readonly plan: Plan;
  readonly stepNumber: number;
  readonly isDryRun: boolean;
  readonly recoveryId: number;
}

/** Who beats in the place of a member. */
export interface Successor {
  /** NaN = that is not known. */
  readonly pid: number;
  /** "" = that is not known. */
  readonly unit: string;
}

export const NO_SUCCESSOR: Successor = { pid: Number.NaN, unit: "" };

export interface Refusal {
  readonly reason: DecisionReason;
  readonly error?: string;
  readonly isRepeated?: boolean;
  readonly used?: UsedBudget;
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
  #lastRecoveryId = 0;

  /** `outcomes` receives every outcome, in order. */
  constructor(counters: RecoveryCounters, outcomes: (outcome: RecoveryOutcome) => void) {
    this.#counters = counters;
    this.#outcomes = outcomes;
  }

  /** The number of the recovery that begins next. */
  get nextRecoveryId(): number {
    return this.#lastRecoveryId + 1;
  }

  /** The daemon before this one has begun a recovery of that number. */
  goesOnAfter(recoveryId: number): void {
    this.#lastRecoveryId = Math.max(this.#lastRecoveryId, recoveryId);
  }

  /** Counts an outcome and hands it on. */
  report(outcome: RecoveryOutcome): void {
    countOutcome(this.#counters, outcome);
    this.#outcomes(outcome);
  }

  /** Nothing was done, and why. */
  refused(place: RefusalPlace, { reason, error, isRepeated, used }: Refusal, nowNs: number): void {
    const { stall, plan, stepNumber, isDryRun } = place;
    this.report({
      kind: "refused",
      label: REASONS[reason].label,
      reason,
      ...memberOf(place, nowNs),
      stall,
      program: stepNumber === 0 ? plan.program : programOf(plan.steps[stepNumber - 1]!),
      error: error ?? "",
      isRepeated: isRepeated ?? false,
      used,
      dryRun: isDryRun,
      ...placeOf(plan, stepNumber),
    });
  }

  /** The current step could not be done, for good. */
  stepRefused(sequence: Sequence, refusal: Refusal, nowNs: number): void {
    const { currentStep, unit, notes } = sequence;
    const { reason, error = "" } = refusal;
    // The recovery that restarts the unit is that of another agent: nothing of this one has begun.
    if (reason !== "unit_in_flight") this.#began(sequence, nowNs);
    notes.notDone(subjectOf(currentStep, unit?.name), reason, error);
    this.refused(sequence, refusal, nowNs);
  }

  /** The child of the current step was started. */
  spawned(sequence: Sequence, child: Child, command: Command, nowNs: number): void {
    const { plan, stall, stepNumber, currentStep, unit, notes } = sequence;
    this.#began(sequence, nowNs, child.childPid);
    child.recoveryId = sequence.recoveryId;
    notes.begun(subjectOf(currentStep, unit?.name), "runs");
    this.report({
      kind: "spawn",
      label: "spawned",
      ...memberOf(sequence, nowNs),
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
      ...memberOf(sequence, nowNs),
      program: programOf(currentStep),
      error,
      pauseNs,
      ...placeOf(plan, stepNumber),
    });
  }

  /** The current step is done without a child, or would have been. */
  stepDone(sequence: Sequence, detail: string, nowNs: number): void {
    const { plan, isDryRun, stepNumber, hasActed, currentStep, unit, notes } = sequence;
    const began = isDryRun ? "dry_run" : "started";
    const subject = subjectOf(currentStep, unit?.name);
    this.#began(sequence, nowNs);
    if (currentStep.kind === "wait") notes.waits(subject);
    else if (!isDryRun) notes.begun(subject, "sent");
    else notes.begun(subject, currentStep.kind === "signal" ? "would be sent" : "would run");
    this.report({
      kind: "step",
      label: hasActed ? undefined : began,
      ...memberOf(sequence, nowNs),
      detail,
      dryRun: isDryRun,
      ...placeOf(plan, stepNumber),
    });
  }

  /** The steps of several are over. */
  ended(sequence: Sequence, end: EndOutcome["end"], nowNs: number): void {
    const stepCount = sequence.plan.steps.length;
    if (stepCount === 1) return;
    this.report({
      kind: "end",
      end,
      ...memberOf(sequence, nowNs),
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
      ...memberOf(sequence, nowNs),
      unit,
      durationNs: saturatingSub(nowNs, sequence.startNs),
      dryRun: sequence.isDryRun,
    });
  }

  /** What a recovery has come to, if it has begun: the first word of this is the last. */
  result(
    sequence: Sequence,
    result: RecoveryResult,
    reason: string,
    nowNs: number,
    successor = NO_SUCCESSOR,
  ): void {
    const { recoveryId, hasResult, isDryRun, notes, plan, stepNumber } = sequence;
    if (recoveryId === 0 || hasResult) return;
    sequence.hasResult = true;
    sequence.fired?.isOver(sequence);
    const { exitCode, signal, captured, fault } = notes;
    this.report({
      kind: "result",
      // Nothing was done that could have helped, or not.
      result: isDryRun ? "done" : result,
      reason: isDryRun ? "" : reason,
      ...memberOf(sequence, nowNs),
      steps: notes.text,
      stepNumber,
      stepCount: plan.steps.length,
      exitCode,
      signal,
      captured,
      fault,
      byPid: successor.pid,
      unit: successor.unit,
      durationNs: saturatingSub(nowNs, sequence.startNs),
      dryRun: isDryRun,
    });
  }

  /** The daemon before this one was killed while the recovery was under way. */
  interrupted(noted: NotedRecovery, agent: number, nowNs: number): void {
    const { pid, firedNs, progress } = noted;
    const { recoveryId, plan, stepNumber, stepCount } = progress!;
    const place = stepCount > 1 ? ` ${stepNumber} of ${stepCount}` : "";
    this.report({
      kind: "result",
      result: "interrupted",
      reason: `the daemon was killed: whether step${place} was done is not known`,
      ...{ observerNs: nowNs, pid, agent, recoveryId, plan, verdict: "" },
      steps: "",
      ...{ stepNumber, stepCount },
      ...{ exitCode: Number.NaN, signal: Number.NaN, captured: undefined, fault: undefined },
      ...{ byPid: Number.NaN, unit: "" },
      durationNs: saturatingSub(nowNs, firedNs),
      dryRun: false,
    });
  }

  stormBegins(storm: StormLimit, nowNs: number): void {
    this.#storm(storm, true, 0, nowNs);
  }

  stormEnds(storm: StormLimit, refusedCount: number, nowNs: number): void {
    this.#storm(storm, false, refusedCount, nowNs);
  }

  #began(sequence: Sequence, nowNs: number, childPid = Number.NaN): void {
    if (sequence.recoveryId !== 0) return;
    this.#lastRecoveryId += 1;
    sequence.recoveryId = this.#lastRecoveryId;
    const { stall, plan, isDryRun } = sequence;
    this.report({
      kind: "began",
      ...memberOf(sequence, nowNs),
      stall,
      childPid,
      stepCount: plan.steps.length,
      dryRun: isDryRun,
    });
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

/** Which recovery of which member. */
function memberOf({ stall, plan, recoveryId }: RefusalPlace, observerNs: number): OfMember {
  const { pid, agent, verdict } = stall;
  return { observerNs, pid, agent, recoveryId, plan: plan.name, verdict: verdict?.verdict ?? "" };
}

/** Which step of how many; before the first it is that one. */
export function placeOf(plan: Plan, stepNumber: number): StepPlace {
  const number = Math.max(1, stepNumber);
  const { kind } = plan.steps[number - 1]!;
  return { step: kind, stepNumber: number, stepCount: plan.steps.length };
}
