// What the configuration says about recoveries, and which plan is an agent's: `planOf()` is the one
// place that knows.
import type { Config } from "../config/config.ts";
import type { Stall } from "../events/stall.ts";
import { Plan } from "./plan.ts";

export interface RecoverySettings {
  readonly config: Config["recovery"];
  readonly allowCrossNamespace: boolean;
  /** Indexed by listener number. */
  readonly listenerNames: readonly string[];
}

export class Policies {
  readonly settings: RecoverySettings;
  readonly #plan: Plan;

  constructor(settings: RecoverySettings) {
    this.settings = settings;
    this.#plan = new Plan(settings.config);
  }

  get config(): Config["recovery"] {
    return this.settings.config;
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
