// What the plans of a configuration do, and for which agents.
import type { Config, PlanConfig } from "../config/config.ts";
import type { SeenAgent, SeenDaemon } from "./place.ts";

type Plan = Config["recovery"] | PlanConfig;
type Step = Plan["steps"][number];

/** All of them, [recovery] itself first; its name is "". */
export function plansOf({ recovery, plans }: Config): readonly (readonly [string, Plan])[] {
  return [["", recovery], ...plans.map((plan) => [plan.name, plan] as const)];
}

export function recovers(config: Config): boolean {
  return plansOf(config).some(([, plan]) => doesSomething(plan));
}

export function doesSomething({ command, steps }: Plan): boolean {
  return command !== undefined || steps.length > 0;
}

export function stepsOf<Kind extends Step["kind"]>(
  { steps }: Plan,
  kind: Kind,
): readonly (Step & { kind: Kind })[] {
  return steps.filter((step): step is Step & { kind: Kind } => step.kind === kind);
}

/** The agents of which the worst member has the plan. */
export function agentsOf(daemon: SeenDaemon | undefined, plan: string): readonly SeenAgent[] {
  return (daemon?.agents ?? []).filter((agent) => agent.plan === plan);
}

/** "Plan restart", "[recovery]" */
export function planName(name: string): string {
  return name === "" ? "[recovery]" : `Plan ${name}`;
}
