// Does one step of a recovery: sends the signal, starts the process, or only waits (spec 10 section 1). What was done, or
// why it was not, is told as one outcome; what comes after it is decided by sequences.ts. In a dry run everything is
// looked up and told, and nothing is started or signalled.
import { RECOVERY_SPAWN_NS_PER_TURN_MAX } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { type DecisionReason, type OutcomeLabel, REASONS } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { AgentHost } from "./agent_host.ts";
import { placeholderValues } from "./argv_template.ts";
import { Child } from "./children/child.ts";
import type { ChildSetting } from "./children/child_runner.ts";
import { ChildEnvironment } from "./environment.ts";
import type { Outstanding } from "./children/outstanding.ts";
import { needsPid, type Plan, programOf, restartArgv, type Step, UNIT_AUTO } from "./plan.ts";
import type { Sequence } from "./sequence.ts";
import { lastingFailure, type StepFailure } from "./step_failure.ts";
import { unitFault } from "./unit_facts.ts";
import { matchesUnit } from "./unit_glob.ts";
import type { UnitLookups } from "./unit_lookups.ts";

/** What a reload of the configuration may change. */
export interface RecoverySettings {
  readonly config: Config["recovery"];
  readonly thresholdNs: number;
  readonly allowCrossNamespace: boolean;
  /** Indexed by listener number. */
  readonly listenerNames: readonly string[];
}

export interface StepActionsOptions {
  readonly outstanding: Outstanding;
  readonly lookups: UnitLookups;
  readonly host: AgentHost;
  readonly outcomes: (outcome: RecoveryOutcome) => void;
  readonly unixMsAtStart: () => number;
  readonly daemonEnv: Readonly<Record<string, string | undefined>>;
  /** For durations. */
  readonly monotonicNs: () => number;
}

/** It is done, or was told in a dry run: the next one may follow at once. */
export const STEP_DONE = 0;
/** It could not be done, which was told. */
export const STEP_FAILED = 1;
/** A child runs. */
export const STEP_RUNNING = 2;
/** Time must pass. */
export const STEP_WAITING = 3;
/** Another recovery is restarting the same unit. */
export const STEP_IN_FLIGHT = 4;

/** It could not be done, which was told; it is still the next one, and tried again at `nextTryNs`. */
export const STEP_DEFERRED = 5;

/** It waits for an answer of the service manager, at most until `nextTryNs`, and is still the next one. */
export const STEP_ASKING = 6;

/** How a refusal is placed: in a recovery that has begun, or before it. */
export interface RefusalPlace {
  readonly stall: Stall;
  readonly plan: Plan;
  readonly stepNumber: number;
  readonly isDryRun: boolean;
}

export class StepActions {
  /** Processes that were started, or could not be: what the budget of a turn counts. It only grows. */
  spawnAttempts = 0;
  /** What they took in this turn. */
  spawnNs = 0;
  /** That of the last outcome. */
  lastLabel: OutcomeLabel = "started";
  readonly #options: StepActionsOptions;
  #settings: RecoverySettings;
  #environment = new ChildEnvironment({}, undefined);
  /** Unit to the child that restarts it. */
  readonly #restarting = new Map<string, Child>();

  /** `configure()` gives the children their environment. */
  constructor(options: StepActionsOptions, settings: RecoverySettings) {
    this.#options = options;
    this.#settings = settings;
  }

  configure(settings: RecoverySettings): void {
    const { config } = settings;
    this.#settings = settings;
    const inherited = config.inheritEnv ? this.#options.daemonEnv : undefined;
    this.#environment = new ChildEnvironment(config.env, inherited);
  }

  /** A reload that asks for a dry run holds for recoveries in progress, too. */
  look(sequence: Sequence): void {
    if (this.#settings.config.dryRun) sequence.isDryRun = true;
  }

  /** Does the next step of `sequence`: a STEP_* code. */
  run(sequence: Sequence, nowNs: number): number {
    const step = sequence.nextStep!;
    const hasRoom = sequence.reserved !== undefined || this.reserve(sequence, nowNs);
    sequence.stepNumber += 1;
    if (!hasRoom) {
      this.refuse(sequence, nowNs, "outstanding_capacity");
      return STEP_FAILED;
    }
    const result = this.#do(sequence, step, nowNs);
    this.release(sequence);
    const isNext = result === STEP_DEFERRED || result === STEP_ASKING;
    if (isNext) sequence.stepNumber -= 1;
    else sequence.tries.reset();
    return result;
  }

  #do(sequence: Sequence, step: Step, nowNs: number): number {
    if (sequence.isPidGone && needsPid(step)) {
      this.refuse(sequence, nowNs, "step_left_out", LEFT_OUT[step.kind]);
      return STEP_FAILED;
    }
    // Before anything is done to the process: the answer is about the one that is seen now.
    if (step.kind !== "wait") this.#askUnit(sequence, nowNs);
    switch (step.kind) {
      case "wait":
        this.#tellStep(sequence, `${step.waitNs / NS_PER_MS}ms`, nowNs);
        return STEP_WAITING;
      case "signal":
        return this.#signal(sequence, step, nowNs);
      case "exec":
        return this.#exec(sequence, step, nowNs);
      case "restart_unit":
        return this.#restart(sequence, step, nowNs);
    }
  }

  /** True if the spawns of this turn have taken all the time they may. */
  get hasSpentTurn(): boolean {
    return this.spawnNs >= RECOVERY_SPAWN_NS_PER_TURN_MAX;
  }

  /** True if the next step of `sequence` takes one of the spawns of a turn. */
  spawnsNext({ nextStep, isDryRun }: Sequence): boolean {
    return !isDryRun && (nextStep?.kind === "exec" || nextStep?.kind === "restart_unit");
  }

  /** Takes the place of the child that the next step starts, if it starts one. False if there is no room. */
  reserve(sequence: Sequence, nowNs: number): boolean {
    if (!this.spawnsNext(sequence)) return true;
    const { stall, nextStep } = sequence;
    const child = new Child(stall, nowNs, nextStep!.kind);
    if (!this.#options.outstanding.reserve(child)) return false;
    sequence.reserved = child;
    return true;
  }

  /** Gives a place back that was not used. */
  release(sequence: Sequence): void {
    if (sequence.reserved !== undefined) this.#options.outstanding.release(sequence.reserved);
    sequence.reserved = undefined;
  }

  /** A child is over: its unit may be restarted by others. */
  ended(child: Child): void {
    for (const [unit, restarter] of this.#restarting) {
      if (restarter === child) this.#restarting.delete(unit);
    }
  }

  /** Tells why nothing was done. */
  refuse(
    place: RefusalPlace,
    nowNs: number,
    reason: DecisionReason,
    error = "",
    isRepeated = false,
  ): OutcomeLabel {
    const { stall, plan, stepNumber, isDryRun } = place;
    const { label } = REASONS[reason];
    const step = plan.steps[Math.max(0, stepNumber - 1)]!;
    this.#options.outcomes({
      kind: "refused",
      label,
      reason,
      observerNs: nowNs,
      pid: stall.pid,
      stall,
      program: stepNumber === 0 ? plan.program : programOf(step),
      error,
      isRepeated,
      dryRun: isDryRun,
      step: step.kind,
      stepNumber: Math.max(1, stepNumber),
      stepCount: plan.steps.length,
    });
    this.lastLabel = label;
    return label;
  }

  #signal(sequence: Sequence, step: Step & { kind: "signal" }, nowNs: number): number {
    const { stall, isDryRun } = sequence;
    const failure = this.#notLocal(stall) ?? this.#sendSignal(stall, step.signal, isDryRun);
    if (failure !== undefined) {
      const text = `${step.name}: ${failure.text}`;
      return this.#failed(sequence, "signal_failed", { ...failure, text }, nowNs);
    }
    this.#tellStep(sequence, step.name, nowNs);
    return STEP_DONE;
  }

  #sendSignal(stall: Stall, signal: number, isDryRun: boolean): StepFailure | undefined {
    if (isDryRun) return undefined;
    return this.#options.host.signal(stall.pid, stall.generation, signal);
  }

  #exec(sequence: Sequence, { template }: Step & { kind: "exec" }, nowNs: number): number {
    const values = this.#values(sequence, nowNs);
    return this.#start(sequence, {
      argv: template.expand(values),
      values,
      program: template.program,
      templateSizeBytes: template.sizeBytes,
      nowNs,
    });
  }

  #restart(sequence: Sequence, step: Step & { kind: "restart_unit" }, nowNs: number): number {
    if (step.unit === UNIT_AUTO) {
      const result = this.#mayRestartOwn(sequence, nowNs);
      if (result !== STEP_DONE) return result;
    }
    const unit = step.unit === UNIT_AUTO ? sequence.unit!.name : step.unit;
    if (this.#restarting.has(unit)) {
      this.refuse(sequence, nowNs, "unit_in_flight", unit);
      return STEP_IN_FLIGHT;
    }
    const argv = restartArgv(unit);
    const result = this.#start(sequence, {
      argv,
      values: this.#values(sequence, nowNs),
      program: argv[0]!,
      templateSizeBytes: Buffer.byteLength(argv.join(" ")),
      nowNs,
    });
    if (sequence.child !== undefined) this.#restarting.set(unit, sequence.child);
    return result;
  }

  /** Asks, once for a recovery, whether the agent may have its unit restarted. */
  #askUnit(sequence: Sequence, nowNs: number): void {
    const { unit, plan, unitLookup } = sequence;
    if (!plan.needsUnit || unit === undefined || unitLookup !== undefined) return;
    if (matchesUnit(this.#settings.config.restartUnits, unit.name)) return;
    sequence.unitLookup = this.#options.lookups.ask(unit.name, nowNs);
  }

  /** STEP_DONE if the agent may have its unit restarted; else it was told why not, or is not known yet. */
  #mayRestartOwn(sequence: Sequence, nowNs: number): number {
    const { unit, unitLookup: lookup, stall, unitSeenUs } = sequence;
    if (unit === undefined) {
      this.refuse(sequence, nowNs, "unit_unknown", sequence.unitFault);
      return STEP_FAILED;
    }
    if (lookup === undefined) return STEP_DONE;
    if (!lookup.isAnswered) {
      sequence.nextTryNs = Number.POSITIVE_INFINITY;
      this.lastLabel = "deferred";
      return STEP_ASKING;
    }
    if (lookup.failure !== undefined) {
      // The next try asks anew.
      if (lookup.failure.isTransient) sequence.unitLookup = undefined;
      return this.#failed(sequence, "unit_not_owned", lookup.failure, nowNs);
    }
    const fault = unitFault(unit.name, lookup.facts!, stall, unitSeenUs);
    if (fault === "") return STEP_DONE;
    this.refuse(sequence, nowNs, "unit_not_owned", fault);
    return STEP_FAILED;
  }

  #start(sequence: Sequence, command: Command): number {
    const { argv, values, nowNs } = command;
    sequence.child = undefined;
    if (sequence.isDryRun) {
      this.#tellStep(sequence, argv.length > 1 ? `${argv[0]} ...` : argv[0]!, nowNs);
      return STEP_DONE;
    }
    this.spawnAttempts += 1;
    const child = sequence.reserved!;
    const environment = this.#environment.expand(values, sequence.isPidGone, sequence.stall.source);
    sequence.child = child;
    const beginNs = this.#options.monotonicNs();
    const failure = this.#options.outstanding.start(child, argv, environment, this.#setting());
    this.spawnNs += this.#options.monotonicNs() - beginNs;
    if (failure !== undefined) {
      sequence.child = undefined;
      return this.#failed(sequence, "spawn_failed", failure, nowNs);
    }
    sequence.reserved = undefined;
    this.#tellSpawn(sequence, child, command);
    return STEP_RUNNING;
  }

  #setting(): ChildSetting {
    const { cwd, umask, capture, captureBytes } = this.#settings.config;
    return { cwd, umask, keptBytesMax: capture ? captureBytes : 0 };
  }

  /** Only the kernel's word says that a pid is one of this machine, and which process it was. */
  #notLocal(stall: Stall): StepFailure | undefined {
    if (stall.origin === ORIGIN_KERNEL_ATTESTED) return undefined;
    return lastingFailure("the kernel does not vouch for its pid");
  }

  /** Tells that a step could not be done, for good or for now. */
  #failed(
    sequence: Sequence,
    reason: DecisionReason,
    failure: StepFailure,
    nowNs: number,
  ): typeof STEP_FAILED | typeof STEP_DEFERRED {
    const pauseNs = failure.isTransient ? sequence.tries.failed(nowNs) : undefined;
    if (pauseNs === undefined) {
      this.refuse(sequence, nowNs, reason, failure.text);
      return STEP_FAILED;
    }
    sequence.nextTryNs = nowNs + pauseNs;
    this.#tellDeferred(sequence, failure.text, pauseNs, nowNs);
    return STEP_DEFERRED;
  }

  #values({ stall, isPidGone }: Sequence, nowNs: number): readonly string[] {
    const { thresholdNs, listenerNames } = this.#settings;
    const unixMsAtStart = this.#options.unixMsAtStart();
    return placeholderValues(stall, {
      nowNs,
      thresholdNs,
      listenerNames,
      isPidGone,
      unixMsAtStart,
    });
  }

  #tellSpawn(sequence: Sequence, child: Child, command: Command): void {
    const { plan, stall, currentStep, stepNumber } = sequence;
    this.#options.outcomes({
      kind: "spawn",
      label: "spawned",
      observerNs: command.nowNs,
      pid: stall.pid,
      childPid: child.childPid,
      stall,
      program: command.program,
      source: plan.source,
      templateSizeBytes: command.templateSizeBytes,
      step: currentStep.kind,
      stepNumber,
      stepCount: plan.steps.length,
    });
    this.lastLabel = "spawned";
  }

  #tellDeferred(sequence: Sequence, error: string, pauseNs: number, nowNs: number): void {
    const { plan, currentStep, stepNumber, hasActed, tries } = sequence;
    this.#options.outcomes({
      kind: "deferred",
      label: hasActed || tries.count > 1 ? undefined : "deferred",
      observerNs: nowNs,
      pid: sequence.pid,
      program: programOf(currentStep),
      error,
      pauseNs,
      step: currentStep.kind,
      stepNumber,
      stepCount: plan.steps.length,
    });
    this.lastLabel = "deferred";
  }

  #tellStep(sequence: Sequence, detail: string, nowNs: number): void {
    const { plan, isDryRun, currentStep, stepNumber } = sequence;
    const began = isDryRun ? "dry_run" : "started";
    const isFirst = !sequence.hasActed;
    this.#options.outcomes({
      kind: "step",
      label: isFirst ? began : undefined,
      observerNs: nowNs,
      pid: sequence.pid,
      detail,
      dryRun: isDryRun,
      step: currentStep.kind,
      stepNumber,
      stepCount: plan.steps.length,
    });
    if (isFirst) this.lastLabel = began;
  }
}

/** Why a step is left out where no process has the pid any more. */
const LEFT_OUT: Readonly<Record<Step["kind"], string>> = {
  signal: "there is no process to signal",
  exec: "its arguments name a pid that may have a new owner when they are used",
  restart_unit: "the unit of the process cannot be told any more",
  wait: "",
};

interface Command {
  readonly argv: string[];
  readonly values: readonly string[];
  readonly program: string;
  readonly templateSizeBytes: number;
  readonly nowNs: number;
}
