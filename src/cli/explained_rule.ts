// Which rule a running process would get and why, for `check --explain PID` (spec 15 section 5):
// the rule, or how near one comes, and of each rule before it the first condition that fails.
import { factOf, type Match, type MatchField, type MatchFacts } from "../agents/match.ts";
import { AgentRules, RULE_NONE } from "../agents/rules.ts";
import type { AgentRule, Config } from "../config/config.ts";
import { isFixedName } from "../config/keys/agent_keys.ts";
import { durationTextFromNs } from "../base/duration_text.ts";
import { ordinal } from "../config/problems/fault.ts";
import { alternatives, quoted } from "../config/problems/found.ts";

export interface ExplainedProcess {
  readonly pid: number;
  readonly facts: MatchFacts;
}

interface RuleExplanation {
  /** Index of the rule; RULE_NONE = none takes it. */
  readonly rule: number;
  /** The first condition of each rule before it that fails. */
  readonly failed: readonly { readonly rule: number; readonly field: MatchField }[];
  /** The rule of which the most conditions hold, if none takes it; RULE_NONE = not one of any. */
  readonly nearest: number;
}

function explainRule({ agents }: Config, { facts }: ExplainedProcess): RuleExplanation {
  const rules = new AgentRules(agents.map(({ match }) => match));
  const rule = rules.ruleOf(facts);
  const tried = rule === RULE_NONE ? agents.length : rule;
  const failed: { rule: number; field: MatchField }[] = [];
  let nearest = RULE_NONE;
  let most = 0;
  for (let index = 0; index < tried; index++) {
    const conditions = rules.conditionsOf(index, facts);
    failed.push({ rule: index, field: conditions.find(({ holds }) => !holds)!.field });
    const count = conditions.filter(({ holds }) => holds).length;
    if (count > most) [most, nearest] = [count, index];
  }
  return { rule, failed, nearest: rule === RULE_NONE ? nearest : RULE_NONE };
}

/** `places` has "/etc/varta/varta.toml:31" for each rule. */
export function explanationText(
  config: Config,
  asked: ExplainedProcess,
  places: readonly string[],
): string {
  const explanation = explainRule(config, asked);
  const { rule } = explanation;
  const lines = [`pid ${asked.pid} runs (${whoText(asked.facts)}).`, ""];
  if (rule === RULE_NONE) lines.push(...noRule(config, asked.facts, explanation, places));
  else {
    const agent = config.agents[rule]!;
    lines.push(`  would be  ${agentText(agent)}, by the ${ordinal(rule + 1)} [[agent]]`);
    lines.push(`            ${policyText(agent)}`);
    lines.push(
      `  rule      ${ordinal(rule + 1)} [[agent]], ${places[rule]}: ${matchText(agent.match)}`,
    );
    lines.push(...failedLines(config, asked.facts, explanation));
  }
  return `${lines.join("\n")}\n`;
}

function noRule(
  config: Config,
  facts: MatchFacts,
  explanation: RuleExplanation,
  places: readonly string[],
): string[] {
  const { nearest, failed } = explanation;
  const count = config.agents.length;
  const first =
    count === 0
      ? "  rule      there is no [[agent]]"
      : nearest === RULE_NONE
        ? `  rule      none of ${count}`
        : `  rule      none of ${count}; nearest is the ${ordinal(nearest + 1)} (${places[nearest]})`;
  const plan = config.recovery.command === undefined && config.recovery.steps.length === 0;
  return [
    first,
    ...failedLines(config, facts, { ...explanation, failed }),
    `            so it has the defaults: threshold ${durationTextFromNs(config.observer.thresholdNs)}, ${
      plan ? "no plan" : "the plan of [recovery]"
    }`,
    `  next      a policy of its own: [[agent]] match = { ${ownMatch(facts)} }`,
  ];
}

/** Of many rules only the last few lines would be read: the nearest and the first say most. */
const FAILED_LINES_MAX = 20;

function failedLines({ agents }: Config, facts: MatchFacts, { failed }: RuleExplanation): string[] {
  const lines = failed.slice(0, FAILED_LINES_MAX).map(({ rule, field }) => {
    const globs = (agents[rule]!.match[field] ?? []).map(quoted);
    const fact = factOf(field, facts);
    const found = fact === "" ? `it has no ${field}` : `its ${field} ${quoted(fact)} is not`;
    const words =
      fact === "" ? `, and ${alternatives(globs)} is wanted` : ` ${alternatives(globs)}`;
    return `            ${ordinal(rule + 1)} does not match: ${found}${words}`;
  });
  const rest = failed.length - lines.length;
  return rest > 0 ? [...lines, `            and ${rest} more that do not match`] : lines;
}

/** What may be shown of a process: its names, never its arguments. */
function whoText({ user, uid, identity, listener }: MatchFacts): string {
  const program = [identity?.comm, identity?.script]
    .filter((text) => text)
    .map((text) => quoted(text!));
  const who = user === "" ? `uid ${uid}` : `user ${user}`;
  const unit = identity?.unit ? [quotedUnit(identity)] : [];
  return [program.join(" "), who, ...unit, `listener ${listener}`]
    .filter((text) => text)
    .join(", ");
}

function quotedUnit({
  unit,
  unitUser,
}: {
  readonly unit: string;
  readonly unitUser: string;
}): string {
  return `unit ${quoted(unitUser === "" ? unit : `${unitUser}:${unit}`)}`;
}

function agentText({ name }: AgentRule): string {
  if (name === undefined) return "an agent with the name of its unit or program";
  return isFixedName(name) ? `agent ${name}` : `an agent with the name ${quoted(name)}`;
}

function policyText(agent: AgentRule): string {
  const { thresholdNs, recovery } = agent;
  const plan = recovery === undefined ? "the plan of [recovery]" : `plan ${recovery}`;
  return `threshold ${durationTextFromNs(thresholdNs)}, ${plan}`;
}

function matchText(match: Match): string {
  return Object.entries(match)
    .map(
      ([field, globs]) =>
        `${field} = ${globs!.length === 1 ? quoted(globs![0]!) : `[${globs!.map(quoted).join(", ")}]`}`,
    )
    .join(", ");
}

/** The most that can be said for certain of a process, for a rule that takes it. */
function ownMatch(facts: MatchFacts): string {
  const fields: MatchField[] = ["unit", "container", "script", "comm"];
  const field = fields.find((one) => factOf(one, facts) !== "");
  const user = factOf("user", facts);
  const parts = field === undefined ? [] : [`${field} = ${quoted(factOf(field, facts))}`];
  if (field !== "unit" && user !== "") parts.push(`user = ${quoted(user)}`);
  return parts.join(", ");
}
