// The rules of the configuration as the parts of the daemon ask for them (spec 15): which one is a
// member's, the names that are known before a member comes, and what a stall owes to its rule.
import type { TakenNames } from "../agents/announcing.ts";
import type { ReservedName } from "../agents/agent_table.ts";
import type { ExpectedAgent } from "../agents/expected_agents.ts";
import type { Match } from "../agents/match.ts";
import {
  AgentRules,
  type MemberRule,
  NO_PLAN,
  RULE_NONE,
  type RuleFinder,
} from "../agents/rules.ts";
import type { AgentRule, Config } from "../config/config.ts";
import { isFixedName } from "../config/keys/agent_keys.ts";
import type { Stall } from "../events/stall.ts";
import type { AgentPolicy, RecoverySettings } from "../recovery/policies.ts";
import type { Tracker } from "../tracker/tracker.ts";
import type { LiveConfig } from "./live_config.ts";

type Rules = readonly AgentRule[];

export function ruleFinder(agents: Rules): RuleFinder {
  const rules = new AgentRules(agents.map(({ match }) => match));
  const members = agents.map(
    ({ name, match, announce, thresholdNs, lateNs, graceNs, ...asked }, index): MemberRule => ({
      name,
      bindsOwner: bindsOwner(match),
      index,
      announce,
      thresholdNs,
      thresholdMinNs: asked.thresholdMinNs ?? thresholdNs,
      thresholdMaxNs: asked.thresholdMaxNs ?? thresholdNs,
      lateNs: lateNs ?? Number.POSITIVE_INFINITY,
      graceNs,
    }),
  );
  return (facts) => {
    const index = rules.ruleOf(facts);
    return index === RULE_NONE ? undefined : members[index];
  };
}

/** One for each name, of all its rules. */
export function reservedNames(agents: Rules): readonly ReservedName[] {
  const names = new Map<string, boolean>();
  for (const { name, match } of agents) {
    if (name === undefined || !isFixedName(name)) continue;
    names.set(name, names.get(name) === true || bindsOwner(match));
  }
  return [...names].map(([name, isBound]) => ({ name, bindsOwner: isBound }));
}

/** What no member may call itself unless its own rule calls it so. */
export function takenNames(agents: Rules): TakenNames {
  return {
    ofRules: new Set(reservedNames(agents).map(({ name }) => name)),
    expected: new Set(expectedAgents(agents).map(({ name }) => name)),
  };
}

/** Those of which members are expected. */
export function expectedAgents(agents: Rules): readonly ExpectedAgent[] {
  return agents.flatMap(({ name, expect, graceNs, thresholdNs }) =>
    name === undefined || expect === undefined
      ? []
      : [{ name, expected: expect, graceNs, thresholdNs }],
  );
}

/**
 * By the rule that the member of `stall` had, and the name of its agent. What was judged by rules
 * of before has those that its member has now, and no plan if that is gone: what was rule 3 may be
 * about others.
 */
export function policyOf(stall: Judged, live: InForce, tracker: Tracked): AgentPolicy {
  const { agents } = live.current;
  const { table, slots } = tracker;
  if (stall.observerNs > live.sinceNs)
    return { name: table.agents.ownNameOf(stall.agent), recovery: agents[stall.rule]?.recovery };
  const slot = tracker.slotOf(stall.key);
  if (slot < 0 || !Object.is(slots.generation[slot], stall.generation))
    return { name: table.agents.ownNameOf(stall.agent), recovery: NO_PLAN };
  const name = table.agents.ownNameOf(slots.agent[slot]!);
  return { name, recovery: agents[slots.rule[slot]!]?.recovery };
}

/** What a recovery asks of the configuration that is in force when it is decided. */
export function inForce(
  live: LiveConfig,
  tracker: Tracked,
  listenerNames: readonly string[],
): Required<Pick<RecoverySettings, "policyOf" | "acceptsRecovery">> {
  return {
    policyOf: (stall) => policyOf(stall, live, tracker),
    acceptsRecovery: (listener) => acceptsRecovery(live.current, listenerNames[listener]),
  };
}

/** Whether recoveries are accepted by the listener that is called so; one that is gone has none. */
function acceptsRecovery({ listeners }: Config, name: string | undefined): boolean {
  const listener = listeners.find((one) => one.name === name);
  return listener !== undefined && "acceptRecovery" in listener && listener.acceptRecovery === true;
}

/** The rules in force, and since when. */
interface InForce {
  readonly current: Pick<Config, "agents">;
  readonly sinceNs: number;
}

type Tracked = Pick<Tracker, "table" | "slots" | "slotOf">;

type Judged = Pick<Stall, "agent" | "rule" | "observerNs" | "key" | "generation">;

/** Only those whom the operator means get in: nobody can make up a user or a unit of the system. */
function bindsOwner({ user, uid, unit }: Match): boolean {
  return user !== undefined || uid !== undefined || unit !== undefined;
}
