// Does one step of a recovery: sends the signal, starts the process, or only waits (spec 10 section
// 1). What was done, or why it was not, is reported as one outcome; what comes after it is decided
// by sequences.ts. In a dry run everything is looked up and reported, and nothing is started or
// signalled.
import { RECOVERY_SPAWN_NS_PER_TURN_MAX } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import { type Failure, lastingFailure } from "../processes/failure.ts";
import type { AgentHost } from "./agent_host.ts";
import { placeholderValues } from "./argv_template.ts";
import { unattestedText } from "./checks.ts";
import { Child } from "./children/child.ts";
import type { CaptureSetting } from "./children/child_output.ts";
import type { Outstanding } from "./children/outstanding.ts";
import { ChildEnvironment } from "./environment.ts";
import { needsPid, type Plan, restartArgv, type Step, UNIT_AUTO } from "./plan.ts";
import type { Policies } from "./policies.ts";
import { type Command, placeOf, type Reporter } from "./reporter.ts";
import type { Sequence } from "./sequence.ts";
import { RESTART_ASKING, type UnitRestarts } from "./unit_restarts.ts";

interface StepActionsOptions {
  readonly policies: Policies;
  readonly outstanding: Outstanding;
  readonly restarts: UnitRestarts;
  readonly host: AgentHost;
  readonly reporter: Reporter;
  readonly unixMsAtStart: () => number;
  readonly daemonEnv: Readonly<Record<string, string | undefined>>;
  /** For durations. */
  readonly monotonicNs: () => number;
}

/** It is done, or would have been in a dry run: the next one may follow at once. */
export const STEP_DONE = 0;
/** It could not be done, which was reported. */
export const STEP_FAILED = 1;
/** A child runs. */
export const STEP_RUNNING = 2;
/** Time must pass. */
export const STEP_WAITING = 3;
/** Another recovery is restarting the same unit. */
export const STEP_IN_FLIGHT = 4;
/**
 * It could not be done, which was reported; it is the next one still, tried again at `nextTryNs`.
 */
export const STEP_DEFERRED = 5;
/** It waits for an answer of the service manager, and is the next one still. */
export const STEP_ASKING = 6;

export class StepActions {
  /** Processes that were started in this turn, or could not be: what its budget counts. */
  spawnAttempts = 0;
  /** What they took. */
  #spawnNs = 0;
  readonly #options: StepActionsOptions;
  /** The environment that the children of a plan have. */
  readonly #environments = new Map<Plan, ChildEnvironment>();

  constructor(options: StepActionsOptions) {
    this.#options = options;
  }

  /** A turn has its full budget. */
  beginTurn(): void {
    this.spawnAttempts = 0;
    this.#spawnNs = 0;
  }

  /** True if the spawns of this turn have taken all the time they may. */
  get hasSpentTurn(): boolean {
    return this.#spawnNs >= RECOVERY_SPAWN_NS_PER_TURN_MAX;
  }

  /** Does the next step of `sequence`: a STEP_* code. */
  run(sequence: Sequence, nowNs: number): number {
    const step = sequence.nextStep!;
    const hasRoom = sequence.reserved !== undefined || this.reserve(sequence, nowNs);
    sequence.stepNumber += 1;
    // Of the first one that was noted before it began.
    if (sequence.stepNumber > 1) sequence.fired?.goesOn(sequence);
    if (!hasRoom) return this.#refused(sequence, "outstanding_capacity", "", nowNs);
    const result = this.#do(sequence, step, nowNs);
    this.release(sequence);
    const isNext = result === STEP_DEFERRED || result === STEP_ASKING;
    if (isNext) sequence.stepNumber -= 1;
    else sequence.tries.reset();
    return result;
  }

  /** True if the next step of `sequence` takes one of the spawns of a turn. */
  spawnsNext({ nextStep, isDryRun }: Sequence): boolean {
    return !isDryRun && (nextStep?.kind === "exec" || nextStep?.kind === "restart_unit");
  }

  /**
   * Takes the place of the child that the next step starts, if it starts one. False if it cannot.
   */
  reserve(sequence: Sequence, nowNs: number): boolean {
    if (!this.spawnsNext(sequence)) return true;
    const { stall, plan, stepNumber } = sequence;
    const child = new Child(stall, nowNs, placeOf(plan, stepNumber + 1), plan.name);
    if (!this.#options.outstanding.reserve(child)) return false;
    sequence.reserved = child;
    return true;
  }

  /** Gives a place back that was not used. */
  release(sequence: Sequence): void {
    if (sequence.reserved !== undefined) this.#options.outstanding.release(sequence.reserved);
    sequence.reserved = undefined;
  }

  #do(sequence: Sequence, step: Step, nowNs: number): number {
    const { reporter, restarts } = this.#options;
    if (sequence.isPidGone && needsPid(step))
      return this.#refused(sequence, "step_left_out", LEFT_OUT[step.kind], nowNs);
    // Before anything is done to the process: the answer is about the one that is seen now.
    if (step.kind !== "wait") restarts.ask(sequence, nowNs);
    switch (step.kind) {
      case "wait":
        reporter.stepDone(sequence, `${step.waitNs / NS_PER_MS}ms`, nowNs);
        return STEP_WAITING;
      case "signal":
        return this.#signal(sequence, step, nowNs);
      case "exec":
        return this.#exec(sequence, step, nowNs);
      case "restart_unit":
        return this.#restart(sequence, step, nowNs);
    }
  }

  #signal(sequence: Sequence, step: Step & { kind: "signal" }, nowNs: number): number {
    const failure = this.#sendSignal(sequence, step.signal);
    if (failure !== undefined) {
      const text = `${step.name}: ${failure.text}`;
      return this.#failed(sequence, "signal_failed", { ...failure, text }, nowNs);
    }
    this.#options.reporter.stepDone(sequence, step.name, nowNs);
    return STEP_DONE;
  }

  #sendSignal({ stall, isDryRun }: Sequence, signal: number): Failure | undefined {
    // Only the kernel's word says that a pid is one of this machine, and which process it was.
    if (stall.origin !== ORIGIN_KERNEL_ATTESTED)
      return lastingFailure(unattestedText(stall, this.#options.policies.settings.listenerNames));
    if (isDryRun) return undefined;
    return this.#options.host.signal(stall.pid, stall.generation, signal);
  }

  #exec(sequence: Sequence, { template }: Step & { kind: "exec" }, nowNs: number): number {
    const values = this.#values(sequence, nowNs);
    const { program, sizeBytes: templateSizeBytes } = template;
    const argv = template.expand(values);
    return this.#start(sequence, { argv, values, program, templateSizeBytes }, nowNs);
  }

  #restart(sequence: Sequence, step: Step & { kind: "restart_unit" }, nowNs: number): number {
    const { restarts } = this.#options;
    if (step.unit === UNIT_AUTO) {
      const fault = restarts.faultOf(sequence);
      if (fault === RESTART_ASKING) {
        sequence.nextTryNs = Number.POSITIVE_INFINITY;
        return STEP_ASKING;
      }
      if (fault !== undefined) return this.#failed(sequence, fault.reason, fault.failure, nowNs);
    }
    const unit = step.unit === UNIT_AUTO ? sequence.unit!.name : step.unit;
    if (restarts.isUnderway(unit)) {
      this.#refused(sequence, "unit_in_flight", unit, nowNs);
      return STEP_IN_FLIGHT;
    }
    const argv = restartArgv(unit);
    const templateSizeBytes = Buffer.byteLength(argv.join(" "));
    const values = this.#values(sequence, nowNs);
    const command = { argv, values, program: argv[0]!, templateSizeBytes };
    const result = this.#start(sequence, command, nowNs);
    if (sequence.child !== undefined) restarts.began(unit, sequence.child);
    return result;
  }

  #start(sequence: Sequence, command: Command, nowNs: number): number {
    const { outstanding, reporter, monotonicNs } = this.#options;
    const { argv, values } = command;
    sequence.child = undefined;
    if (sequence.isDryRun) {
      reporter.stepDone(sequence, argv.length > 1 ? `${argv[0]} ...` : argv[0]!, nowNs);
      return STEP_DONE;
    }
    this.spawnAttempts += 1;
    const child = sequence.reserved!;
    const { plan, stall, isPidGone } = sequence;
    const environment = this.#environmentOf(plan).expand(values, isPidGone, stall.source);
    const { cwd, umask } = plan.settings;
    const setting = { cwd, umask, capture: this.#captureOf(plan) };
    const beginNs = monotonicNs();
    const failure = outstanding.start(child, argv, environment, setting);
    this.#spawnNs += monotonicNs() - beginNs;
    if (failure !== undefined) return this.#failed(sequence, "spawn_failed", failure, nowNs);
    sequence.child = child;
    sequence.reserved = undefined;
    reporter.spawned(sequence, child, command, nowNs);
    return STEP_RUNNING;
  }

  /** A step could not be done, for good or for now. */
  #failed(sequence: Sequence, reason: DecisionReason, failure: Failure, nowNs: number): number {
    const pauseNs = failure.isTransient ? sequence.tries.failed(nowNs) : undefined;
    if (pauseNs === undefined) return this.#refused(sequence, reason, failure.text, nowNs);
    sequence.nextTryNs = nowNs + pauseNs;
    this.#options.reporter.deferred(sequence, failure.text, pauseNs, nowNs);
    return STEP_DEFERRED;
  }

  #captureOf({ settings }: Plan): CaptureSetting | undefined {
    const { capture: isAudited, captureBytes: keptBytesMax } = settings;
    const { pipesOutput = false } = this.#options.policies.settings;
    return isAudited || pipesOutput ? { keptBytesMax, isAudited } : undefined;
  }

  #environmentOf(plan: Plan): ChildEnvironment {
    const known = this.#environments.get(plan);
    if (known !== undefined) return known;
    const { env, inheritEnv } = plan.settings;
    const made = new ChildEnvironment(env, inheritEnv ? this.#options.daemonEnv : undefined);
    this.#environments.set(plan, made);
    return made;
  }

  #refused(sequence: Sequence, reason: DecisionReason, error: string, nowNs: number): number {
    this.#options.reporter.stepRefused(sequence, { reason, error }, nowNs);
    return STEP_FAILED;
  }

  #values({ stall, isPidGone }: Sequence, nowNs: number): readonly string[] {
    const { policies, unixMsAtStart } = this.#options;
    const { listenerNames, policyOf } = policies.settings;
    return placeholderValues(stall, {
      nowNs,
      listenerNames,
      agentName: policyOf?.(stall)?.name ?? "",
      isPidGone,
      unixMsAtStart: unixMsAtStart(),
    });
  }
}

/** Why a step is left out where no process has the pid any more. */
const LEFT_OUT: Readonly<Record<Step["kind"], string>> = {
  signal: "there is no process to signal",
  exec: "its arguments name a pid that may have a new owner when they are used",
  restart_unit: "the unit of the process is not known any more",
  wait: "",
};
