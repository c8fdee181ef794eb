// What the configuration says about recoveries, and which plan is an agent's: `planOf()` is the one
// place that knows.
import { NO_PLAN } from "../agents/rules.ts";
import { ORIGIN_OPERATOR_ATTESTED } from "../base/origin.ts";
import type { Config, PlanConfig } from "../config/config.ts";
import type { PlansInDoubt } from "../config/diff/plans_in_doubt.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { HistorySettings, PaceKey } from "./pace.ts";
import { distrustReason } from "./checks.ts";
import { Plan } from "./plan.ts";

export interface RecoverySettings {
  /** What is done for agents whose rule names no plan. */
  readonly config: Config["recovery"];
  /** The plans that rules may name; undefined = there are none. */
  readonly plans?: readonly PlanConfig[];
  /** Undefined = no agent has a name or a plan of its own. */
  readonly policyOf?: (stall: Stall) => AgentPolicy | undefined;
  /** Nothing is done by these until the configuration changes; undefined = by none. */
  readonly inDoubt?: PlansInDoubt | undefined;
  readonly allowCrossNamespace: boolean;
  /** What commands print goes through the daemon, also where nobody asked to keep it. */
  readonly pipesOutput?: boolean;
  /** By listener number, as of now; undefined = what accepted them goes on to. */
  readonly acceptsRecovery?: (listener: number) => boolean;
  /** Indexed by listener number. */
  readonly listenerNames: readonly string[];
}

/** What of the policy of an agent a recovery asks for. */
export interface AgentPolicy {
  /** Its name, which outlives its members; "" = it has none yet. */
  readonly name: string;
  /** The name of a plan, or NO_PLAN; undefined = [recovery] itself. */
  readonly recovery: string | undefined;
}

export class Policies {
  readonly settings: RecoverySettings;
  #plan!: Plan;
  #none!: Plan;
  #byName!: ReadonlyMap<string, Plan>;

  constructor(settings: RecoverySettings) {
    this.settings = settings;
    this.change(settings);
    const { inDoubt } = settings;
    if (inDoubt === undefined) return;
    for (const plan of this.#plans)
      plan.isInDoubt = !plan.isEmpty && (inDoubt.hasAll || inDoubt.names.has(plan.name));
  }

  /** Stalls are decided by these from now on; a recovery that has begun keeps its plan. */
  change({ config, plans = [] }: Pick<RecoverySettings, "config" | "plans">): void {
    this.#plan = new Plan(config);
    this.#none = new Plan({ ...config, command: undefined, steps: [] });
    this.#byName = new Map(plans.map((plan) => [plan.name, new Plan(plan, plan.name)]));
  }

  /** True if nothing is configured: no stall is decided. */
  get isEmpty(): boolean {
    return this.#plans.every(({ isEmpty }) => isEmpty);
  }

  /**
   * What is remembered for each process and agent has to last as long as any plan may ask for it.
   */
  get longestMemory(): HistorySettings {
    const all = this.#plans.map(({ settings }) => settings);
    return {
      debounceNs: Math.max(...all.map(({ debounceNs }) => debounceNs)),
      backoffMaxNs: largest(all.map(({ backoffMaxNs }) => backoffMaxNs)),
      backoffResetNs: Math.max(...all.map(({ backoffResetNs }) => backoffResetNs)),
      budget: largest(all.map(({ budget }) => budget)),
      budgetWindowNs: Math.max(...all.map(({ budgetWindowNs }) => budgetWindowNs)),
    };
  }

  /** What is done for the agent of `stall`; a plan that is empty does nothing. */
  planOf(stall: Stall): Plan {
    const name = this.settings.policyOf?.(stall)?.recovery;
    if (name === undefined) return this.#plan;
    // A plan that is not there any more must not become another one.
    return (name === NO_PLAN ? undefined : this.#byName.get(name)) ?? this.#none;
  }

  /**
   * Checks 1 and 2: why the sender may not be recovered. The operator who vouched for it may have
   * taken that back, or the listener away, since it beat.
   */
  distrustOf(stall: Stall, observerNamespaceInode: number): DecisionReason | undefined {
    const { allowCrossNamespace, acceptsRecovery } = this.settings;
    const { origin, listener } = stall;
    if (origin === ORIGIN_OPERATOR_ATTESTED && acceptsRecovery?.(listener) === false)
      return "unauthenticated_transport";
    return distrustReason(stall, observerNamespaceInode, allowCrossNamespace);
  }

  /**
   * Whose recoveries count together with those of `stall` (spec 10 section 3): those of its agent,
   * of its unit, or only its own.
   */
  paceKeyOf(stall: Stall, { settings }: Plan, unit: string): PaceKey {
    if (settings.paceBy === "unit" && unit !== "") return unit;
    if (settings.paceBy !== "agent") return stall.key;
    const name = this.settings.policyOf?.(stall)?.name ?? "";
    // No unit has a name with a space in it.
    return name === "" ? stall.key : `agent ${name}`;
  }

  get #plans(): readonly Plan[] {
    return [this.#plan, ...this.#byName.values()];
  }
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
