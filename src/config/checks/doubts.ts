// What a file says that is allowed and yet hardly meant, with its place (spec 07 section 2.11):
// warnings, in the words of problems.
import { NO_PLAN } from "../../agents/rules.ts";
import type { Config } from "../config.ts";
import type { Fault } from "../problems/fault.ts";
import { alternatives } from "../problems/found.ts";
import type { CheckedDocument } from "./check_document.ts";

/** About a configuration that is good otherwise. */
export function doubtsAbout(document: CheckedDocument, config: Config): Fault[] {
  return [...forgeableRules(document, config), ...idleNamespaceKeys(document)];
}

export function runsSomething({ command, steps }: Config["recovery"]): boolean {
  return command !== undefined || steps.length > 0;
}

/** What only the kernel and systemd say of a process. */
const FACTS_OF_OTHERS = ["unit", "user", "uid"] as const;
/** What it says of itself. */
const OWN_FACTS = ["comm", "script"] as const;

function forgeableRules({ agents }: CheckedDocument, config: Config): Fault[] {
  return agents.flatMap(({ path }, index): Fault[] => {
    const { match, recovery: name } = config.agents[index]!;
    const plan = name === undefined ? config.recovery : config.plans.find((p) => p.name === name);
    if (plan === undefined || !runsSomething(plan)) return [];
    if (FACTS_OF_OTHERS.some((field) => match[field] !== undefined)) return [];
    const own = OWN_FACTS.filter((field) => match[field] !== undefined);
    if (own.length === 0) return [];
    const found = `${alternatives(own, "and")} without user or unit: every process may call itself so, and be recovered`;
    const want = `user or unit beside it, or recovery = "${NO_PLAN}"`;
    return [{ path: [...path, "match"], anchor: "value", found, want }];
  });
}

function idleNamespaceKeys({ listeners, tables }: CheckedDocument): Fault[] {
  if (tables.observer.values.allow_cross_namespace !== true) return [];
  return listeners.flatMap(({ path, values }): Fault[] => {
    if (values.containers !== true) return [];
    const found = "true beside observer.allow_cross_namespace, over which it wins on this listener";
    const want = "one of the two: a sender in a container is known by the pid that it has there";
    return [{ path: [...path, "containers"], anchor: "value", found, want }];
  });
}
