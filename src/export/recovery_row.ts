// What recovery decided and what came of it, as the export has it (spec 09 section 1.2): a row for
// each row of the audit log (spec 11 section 1), and one for what a recovery has come to.
import type { RecoveryOutcome } from "../events/outcome.ts";

export interface RecoveryRow {
  readonly observerNs: number;
  /** Number of its agent. */
  readonly agent: number;
  readonly pid: number;
  /** NaN = no recovery has begun. */
  readonly recoveryId: number;
  /** "" = that of [recovery] itself. */
  readonly plan: string;
  /** That of the stall that it is for; "" = it was not looked at. */
  readonly verdict: string;
  /** Which step of how many; "" = it is about all of them. */
  readonly step: string;
  readonly stepNumber: number;
  readonly stepCount: number;
  readonly outcome: string;
  /** Why nothing was done, or why it went so; "" = that is not said. */
  readonly reason: string;
  readonly childPid: number;
  /** The program or the signal; never its arguments, which may hold secrets. */
  readonly detail: string;
  /** The member that beats in its place; NaN = none. */
  readonly byPid: number;
  readonly exitCode: number;
  readonly signal: number;
  readonly durationNs: number;
  readonly dryRun: boolean;
}

/** Undefined for an outcome that is only logged or counted. */
export function recoveryRow(outcome: RecoveryOutcome): RecoveryRow | undefined {
  switch (outcome.kind) {
    case "spawn": {
      const { childPid, program: detail } = outcome;
      return { ...basis(outcome), childPid, detail, outcome: "spawned" };
    }
    case "refused": {
      const { reason, dryRun } = outcome;
      return { ...basis(outcome), outcome: "refused", reason, dryRun };
    }
    case "step": {
      const { step, detail, dryRun } = outcome;
      if (!dryRun && step !== "signal") return undefined;
      return { ...basis(outcome), detail, outcome: dryRun ? "dry_run" : "signalled", dryRun };
    }
    case "complete": {
      const { completion, childPid, exitCode, signal, durationNs } = outcome;
      const child = { childPid, exitCode, signal, durationNs };
      return { ...basis(outcome), ...child, outcome: completion };
    }
    case "result": {
      const {
        result,
        reason,
        steps: detail,
        byPid,
        exitCode,
        signal,
        durationNs,
        dryRun,
      } = outcome;
      const how = { reason, detail, byPid, exitCode, signal, durationNs, dryRun };
      return { ...basis({ ...outcome, step: "" }), ...how, outcome: result };
    }
    case "began":
    case "timeout":
    case "deferred":
    case "end":
    case "verdict":
    case "storm":
      return undefined;
  }
}

type Basis = Pick<
  RecoveryRow,
  | "observerNs"
  | "agent"
  | "pid"
  | "recoveryId"
  | "plan"
  | "verdict"
  | "step"
  | "stepNumber"
  | "stepCount"
>;

function basis({ observerNs, agent, pid, recoveryId, plan, verdict, step, ...place }: Basis) {
  return {
    observerNs,
    agent,
    pid,
    recoveryId: recoveryId === 0 ? Number.NaN : recoveryId,
    plan,
    verdict,
    step,
    stepNumber: place.stepNumber,
    stepCount: place.stepCount,
    reason: "",
    childPid: Number.NaN,
    detail: "",
    byPid: Number.NaN,
    exitCode: Number.NaN,
    signal: Number.NaN,
    durationNs: Number.NaN,
    dryRun: false,
  };
}
