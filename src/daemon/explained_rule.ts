// Which rule a running process would get and why, for `check --explain PID` (spec 15 section 5):
// the rule and the name, or how near one comes, and of each rule before it the first condition
// that fails.
import { END_POLICY_DEFAULT } from "../agents/ends.ts";
import { factOf, type Match, type MatchField } from "../agents/match.ts";
import { fitName, type MemberFacts, nameFor, ruleName } from "../agents/naming.ts";
import { AgentRules, NO_PLAN, RULE_NONE } from "../agents/rules.ts";
import { quoted } from "../config/problems/found.ts";
import { runsSomething } from "../config/checks/doubts.ts";
import type { AgentRule, Config } from "../config/config.ts";
import { ruleFinder } from "./member_rules.ts";

export interface RuleExplanation {
  readonly facts: MemberFacts;
  /** Rules of the file. */
  readonly count: number;
  /** What it would be called, unless an agent of another user has that name. */
  readonly agent: string;
  /** So says its rule, and not what it runs in or runs. */
  readonly isNamedByRule: boolean;
  /** Undefined = no rule takes it. */
  readonly rule: PlacedRule | undefined;
  /** The rule of which the most conditions hold, if none takes it. */
  readonly nearest: PlacedRule | undefined;
  /** The first condition that fails of each rule before the one that takes it, or of all. */
  readonly failed: readonly FailedCondition[];
  readonly policy: ExplainedPolicy;
}

/** A rule of the file, counted from 0, and where it stands: "/etc/varta/varta.toml:31". */
interface PlacedRule {
  readonly index: number;
  readonly place: string;
  readonly agent: AgentRule;
}

interface FailedCondition {
  readonly rule: number;
  readonly field: MatchField;
  /** "" = it is not known, or there is none. */
  readonly found: string;
  readonly globs: readonly string[];
  /** A condition of it that holds: `script "convert.py"`; "" = none does. */
  readonly right: string;
}

interface ExplainedPolicy extends Pick<AgentRule, "lateNs" | "expect" | "cleanExit"> {
  readonly thresholdNs: number;
  readonly graceNs: number;
  readonly onExit: AgentRule["onExit"];
  /** Name of a [[recovery.plan]], "[recovery]", or NO_PLAN. */
  readonly plan: string;
}

export const OWN_PLAN = "[recovery]";

/** `places` has "/etc/varta/varta.toml:31" for each rule. */
export function explainRule(
  config: Config,
  facts: MemberFacts,
  places: readonly string[],
): RuleExplanation {
  const { agents } = config;
  const found = ruleFinder(agents)(facts);
  const rules = new AgentRules(agents.map(({ match }) => match));
  const failed: FailedCondition[] = [];
  let nearest = RULE_NONE;
  let most = 0;
  for (let rule = 0; rule < (found?.index ?? agents.length); rule++) {
    const conditions = rules.conditionsOf(rule, facts);
    const { field } = conditions.find(({ holds }) => !holds)!;
    const globs = agents[rule]!.match[field] ?? [];
    const held = conditions.find(({ holds }) => holds)?.field;
    const right = held === undefined ? "" : `${held} ${quoted(factOf(held, facts))}`;
    failed.push({ rule, field, found: factOf(field, facts), globs, right });
    const count = conditions.filter(({ holds }) => holds).length;
    if (count > most) [most, nearest] = [count, rule];
  }
  const placed = (index: number | undefined): PlacedRule | undefined => {
    const agent = index === undefined ? undefined : agents[index];
    return agent && { index: index!, place: places[index!]!, agent };
  };
  return {
    facts,
    count: agents.length,
    agent: fitName(nameFor(facts, found).text),
    isNamedByRule: ruleName(facts, found?.name) !== undefined,
    rule: placed(found?.index),
    nearest: found === undefined ? placed(nearest) : undefined,
    failed,
    policy: policyOf(config, found && agents[found.index]),
  };
}

export function policyOf(config: Config, agent: AgentRule | undefined): ExplainedPolicy {
  const { observer, recovery, optionsAlone } = config;
  const recovers = runsSomething(recovery);
  return {
    thresholdNs: agent?.thresholdNs ?? observer.thresholdNs,
    lateNs: agent?.lateNs,
    graceNs: agent?.graceNs ?? 0,
    expect: agent?.expect,
    onExit: agent?.onExit ?? (optionsAlone ? "silence" : END_POLICY_DEFAULT.onExit),
    cleanExit: agent?.cleanExit ?? [],
    plan: agent?.recovery ?? (recovers ? OWN_PLAN : NO_PLAN),
  };
}

/** A match as the file has it: `unit = "worker@*.service"`. */
export function matchText(match: Match): string {
  const conditions = Object.entries(match).map(([field, globs = []]) => {
    const [first, ...more] = globs.map(quoted);
    return `${field} = ${more.length === 0 ? first : `[${[first, ...more].join(", ")}]`}`;
  });
  return conditions.join(", ");
}

/** What a member is called after, if its rule says nothing of that; undefined = after its uid. */
export function ownFact(facts: MemberFacts): MatchField | undefined {
  const fields: MatchField[] = ["unit", "container", "script", "comm"];
  return fields.find((one) => factOf(one, facts) !== "");
}

/** The most that can be said for certain of a process, for a rule that takes it. */
export function ownMatch(facts: MemberFacts): string {
  const field = ownFact(facts);
  const user = factOf("user", facts);
  const parts = field === undefined ? [] : [`${field} = ${quoted(factOf(field, facts))}`];
  if (field !== "unit" && user !== "") parts.push(`user = ${quoted(user)}`);
  return parts.join(", ");
}
