// What is done for a stalled agent: one command, or steps in order (spec 10 section 1). Made from
// the configuration once and never changed, so a recovery that has begun goes on with the plan it
// began with.
import { constants } from "node:os";
import { UNIT_MANAGER } from "../base/child_path.ts";
import type { Config } from "../config/config.ts";
import { durationTextFromNs } from "../base/duration_text.ts";
import type { RecoveryStep } from "../config/keys/recovery_step.ts";
import { ArgvTemplate } from "./argv_template.ts";

export type Step =
  | { readonly kind: "signal"; readonly name: string; readonly signal: number }
  | { readonly kind: "wait"; readonly waitNs: number }
  | { readonly kind: "exec"; readonly template: ArgvTemplate }
  /** UNIT_AUTO = the unit that the agent runs in. */
  | { readonly kind: "restart_unit"; readonly unit: string };

export const UNIT_AUTO = "auto";

/** A step as it is shown before it is done; never the arguments of a command. */
interface PlannedStep {
  readonly step: Step["kind"];
  readonly detail: string;
}

export function plannedStep(step: Step): PlannedStep {
  const { kind } = step;
  if (kind === "wait") return { step: kind, detail: durationTextFromNs(step.waitNs) };
  if (kind === "restart_unit") return { step: kind, detail: step.unit };
  return { step: kind, detail: kind === "signal" ? step.name : step.template.program };
}

export class Plan {
  /** "" = that of [recovery] itself. */
  readonly name: string;
  /** How it goes about it: its pace, and how its children run. */
  readonly settings: Config["recovery"];
  readonly steps: readonly Step[];
  /** Where it is written: "inline", or the path of the command file. */
  readonly source: string;
  /** True if it has to know the unit of the agent. */
  readonly needsUnit: boolean;
  /** True if a step of it acts without any process of the agent. */
  readonly worksWithoutPid: boolean;
  /** The file that should be in force has another one, and problems: nothing is done by it. */
  isInDoubt = false;

  constructor(config: Config["recovery"], name = "") {
    this.name = name;
    this.settings = config;
    const { command, appendPid, commandSource } = config;
    const written: readonly RecoveryStep[] =
      command === undefined ? config.steps : [{ kind: "exec", command }];
    this.steps = written.map((step) => stepOf(step, appendPid));
    this.source = commandSource;
    this.needsUnit = this.steps.some(
      (step) => step.kind === "restart_unit" && step.unit === UNIT_AUTO,
    );
    this.worksWithoutPid = this.steps.some((step) => step.kind !== "wait" && !needsPid(step));
  }

  /** True if it does nothing. */
  get isEmpty(): boolean {
    return this.steps.length === 0;
  }

  /** What the first step that runs something runs; "" if none does. */
  get program(): string {
    for (const step of this.steps) {
      const program = programOf(step);
      if (program !== "") return program;
    }
    return "";
  }
}

/**
 * True if a step acts on the process that has the pid, or hands the pid on to a program that may.
 */
export function needsPid(step: Step): boolean {
  switch (step.kind) {
    case "wait":
      return false;
    case "signal":
      return true;
    case "exec":
      return step.template.namesPid;
    case "restart_unit":
      return step.unit === UNIT_AUTO;
  }
}

/** argv[0] of a step; "" if it runs nothing. */
export function programOf(step: Step): string {
  if (step.kind === "exec") return step.template.program;
  return step.kind === "restart_unit" ? UNIT_MANAGER : "";
}

/** What a person calls a step; `unit` is the one that "auto" stands for. */
export function subjectOf(step: Step, unit = UNIT_AUTO): string {
  switch (step.kind) {
    case "signal":
      return step.name;
    case "wait":
      return `wait ${durationTextFromNs(step.waitNs)}`;
    case "exec":
      return step.template.program;
    case "restart_unit":
      return `restart ${step.unit === UNIT_AUTO ? unit : step.unit}`;
  }
}

/** No shell, and no one to ask for a password: a right that is missing is an exit code. */
export function restartArgv(unit: string): string[] {
  return [UNIT_MANAGER, "--no-ask-password", "restart", unit];
}

function stepOf(step: RecoveryStep, appendPid: boolean): Step {
  switch (step.kind) {
    case "signal":
      return { kind: "signal", name: step.signal, signal: constants.signals[step.signal] };
    case "wait":
      return { kind: "wait", waitNs: step.waitNs };
    case "exec":
      return { kind: "exec", template: new ArgvTemplate(step.command, appendPid) };
    case "restart_unit":
      return { kind: "restart_unit", unit: step.unit };
  }
}
