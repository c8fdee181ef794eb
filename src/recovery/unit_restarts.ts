// Which units are being restarted, and whether an agent may have its own restarted (spec 10 section
// 1.1). The service manager is asked once for a recovery, before anything is done to the process.
import { type Failure, lastingFailure } from "../processes/failure.ts";
import type { Child } from "./children/child.ts";
import type { Sequence } from "./sequence.ts";
import { unitFault } from "./unit_facts.ts";
import { matchesAnyGlob } from "../base/glob.ts";
import type { UnitLookups } from "./unit_lookups.ts";

/** Why an agent may not have its unit restarted. */
interface RestartFault {
  readonly reason: "unit_unknown" | "unit_not_owned";
  readonly failure: Failure;
}

/** The service manager has not answered yet. */
export const RESTART_ASKING = "asking";

export class UnitRestarts {
  readonly #lookups: UnitLookups;
  /** Unit to the child that restarts it. */
  readonly #underway = new Map<string, Child>();

  constructor(lookups: UnitLookups) {
    this.#lookups = lookups;
  }

  /** Another recovery is restarting `unit`. */
  isUnderway(unit: string): boolean {
    return this.#underway.has(unit);
  }

  began(unit: string, child: Child): void {
    this.#underway.set(unit, child);
  }

  /** A child is over: its unit may be restarted by others. */
  ended(child: Child): void {
    for (const [unit, restarter] of this.#underway) {
      if (restarter === child) this.#underway.delete(unit);
    }
  }

  /** Asks about the unit of the agent, unless it needs no answer, or was asked already. */
  ask(sequence: Sequence, nowNs: number): void {
    const { unit, plan, unitLookup } = sequence;
    if (!plan.needsUnit || unit === undefined || unitLookup !== undefined) return;
    if (matchesAnyGlob(plan.settings.restartUnits, unit.name)) return;
    sequence.unitLookup = this.#lookups.ask(unit.name, nowNs);
  }

  /** Why the agent may not have its unit restarted; undefined if it may. */
  faultOf(sequence: Sequence): RestartFault | typeof RESTART_ASKING | undefined {
    const { unit, unitLookup: lookup, stall, unitSeenUs } = sequence;
    if (unit === undefined)
      return { reason: "unit_unknown", failure: lastingFailure(sequence.unitFault) };
    if (lookup === undefined) return undefined;
    if (!lookup.isAnswered) return RESTART_ASKING;
    if (lookup.failure !== undefined) {
      // The next try asks again.
      if (lookup.failure.isTransient) sequence.unitLookup = undefined;
      return { reason: "unit_not_owned", failure: lookup.failure };
    }
    const fault = unitFault(unit.name, lookup.facts!, stall, unitSeenUs);
    if (fault === "") return undefined;
    return { reason: "unit_not_owned", failure: lastingFailure(fault) };
  }
}
