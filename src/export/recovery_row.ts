// What recovery decided and what came of it, as the export has it (spec 09 section 1.2): a row for
// each row of the audit log (spec 11 section 1), in words that need no table beside them.
import type {
  RecoveryOutcome,
  RefusedOutcome,
  SpawnOutcome,
  StepOutcome,
} from "../events/outcome.ts";

export interface RecoveryRow {
  readonly observerNs: number;
  /** Number of its agent. */
  readonly agent: number;
  readonly pid: number;
  /** Which step of how many; "" and NaN = that is not said. */
  readonly step: string;
  readonly stepNumber: number;
  readonly stepCount: number;
  readonly outcome: string;
  /** Why nothing was done; "" = something was. */
  readonly reason: string;
  readonly childPid: number;
  /** The program or the signal; never its arguments, which may hold secrets. */
  readonly detail: string;
  readonly exitCode: number;
  readonly signal: number;
  readonly durationNs: number;
  readonly dryRun: boolean;
}

const NOTHING = {
  step: "",
  stepNumber: Number.NaN,
  stepCount: Number.NaN,
  reason: "",
  childPid: Number.NaN,
  detail: "",
  exitCode: Number.NaN,
  signal: Number.NaN,
  durationNs: Number.NaN,
  dryRun: false,
};

/** Undefined for an outcome that is only logged or counted. */
export function recoveryRow(outcome: RecoveryOutcome): RecoveryRow | undefined {
  switch (outcome.kind) {
    case "spawn": {
      const { childPid, program: detail } = outcome;
      return { ...begun(outcome), childPid, detail, outcome: "spawned" };
    }
    case "refused": {
      const { reason, dryRun } = outcome;
      return { ...begun(outcome), outcome: "refused", reason, dryRun };
    }
    case "step": {
      const { step, detail, dryRun } = outcome;
      if (!dryRun && step !== "signal") return undefined;
      return { ...begun(outcome), detail, outcome: dryRun ? "dry_run" : "signalled", dryRun };
    }
    case "complete": {
      const { observerNs, agent, pid } = outcome;
      const { completion, childPid, exitCode, signal, durationNs } = outcome;
      const end = { childPid, exitCode, signal, durationNs, outcome: completion };
      return { ...NOTHING, observerNs, agent, pid, ...end };
    }
    case "timeout":
    case "deferred":
    case "end":
    case "verdict":
    case "storm":
      return undefined;
  }
}

type OfStep = SpawnOutcome | RefusedOutcome | StepOutcome;

function begun({ observerNs, agent, pid, step, stepNumber, stepCount }: OfStep) {
  return { ...NOTHING, observerNs, agent, pid, step, stepNumber, stepCount };
}
