// What the configuration says about recoveries, and which plan is an agent's: `planOf()` is the one
// place that knows. A recovery that has begun goes on with its plan; everything else that is read
// here applies from the moment of a reload on.
import type { Config } from "../config/config.ts";
import type { Stall } from "../events/stall.ts";
import { Plan } from "./plan.ts";

/** What a reload of the configuration may change. */
export interface RecoverySettings {
  readonly config: Config["recovery"];
  readonly allowCrossNamespace: boolean;
  /** Indexed by listener number. */
  readonly listenerNames: readonly string[];
}

export class Policies {
  #settings: RecoverySettings;
  #plan: Plan;

  constructor(settings: RecoverySettings) {
    this.#settings = settings;
    this.#plan = new Plan(settings.config);
  }

  configure(settings: RecoverySettings): void {
    this.#settings = settings;
    this.#plan = new Plan(settings.config);
  }

  get settings(): RecoverySettings {
    return this.#settings;
  }

  get config(): Config["recovery"] {
    return this.#settings.config;
  }

  /** True if nothing is configured: no stall is decided. */
  get isEmpty(): boolean {
    return this.#plan.steps.length === 0;
  }

  /** What is done for the agent of `stall`. Today there is one plan for all. */
  planOf(_stall: Stall): Plan {
    return this.#plan;
  }
}
