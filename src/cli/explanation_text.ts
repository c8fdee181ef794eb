// What `check --explain PID` says to a person, and the same as JSON (spec 15 section 5). It shows
// names, never arguments or environment; what a process has made up itself is quoted.
import { factOf, type MatchField } from "../agents/match.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { durationTextFromNs } from "../base/duration_text.ts";
import { msFromNs } from "../base/time.ts";
import { isFixedName } from "../config/keys/agent_keys.ts";
import { ordinal } from "../config/problems/fault.ts";
import { alternatives, quoted } from "../config/problems/found.ts";
import { matchText, OWN_PLAN, ownMatch, type RuleExplanation } from "../daemon/explained_rule.ts";
import { planText } from "./screens/members.ts";

/** Of many rules only the first lines would be read. */
const FAILED_LINES_MAX = 20;

export function explanationText(explanation: RuleExplanation): string {
  const { facts, agent, rule } = explanation;
  const by =
    rule === undefined
      ? "by no rule"
      : `by the ${ordinal(rule.index + 1)} [[agent]] (${rule.place})`;
  const lines = [
    `pid ${facts.pid} runs (${whoText(facts)}).`,
    "",
    ...section("would be", [
      `agent ${agent}, ${by}`,
      ...templateLines(explanation),
      policyText(explanation),
    ]),
    ...section("who", whoLines(facts)),
    ...section("rule", ruleLines(explanation)),
  ];
  if (rule === undefined) {
    const own = `a policy of its own: [[agent]] match = { ${ownMatch(facts)} }`;
    lines.push(...section("next", [own]));
  }
  return `${lines.join("\n")}\n`;
}

function section(word: string, texts: readonly string[]): string[] {
  return texts.map((text, index) => `  ${(index === 0 ? word : "").padEnd(10)}${text}`);
}

/** "python3 convert.py, user app, worker@3.service" */
function whoText(facts: MemberFacts): string {
  const unit = factOf("unit", facts);
  const place = unit === "" ? factOf("container", facts) : unit;
  const user = `user ${plain(facts.user)}`;
  const who = [programText(facts), user, plain(place)];
  return who.filter((text) => text !== "").join(", ");
}

function programText({ identity }: MemberFacts): string {
  const names = [identity?.comm ?? "", identity?.script ?? ""];
  return names
    .filter((text) => text !== "")
    .map(plain)
    .join(" ");
}

/** All facts that a rule may look at. */
function whoLines(facts: MemberFacts): string[] {
  const fields: MatchField[] = ["unit", "container", "comm", "script", "exe"];
  const known = fields.flatMap((field) => {
    const fact = factOf(field, facts);
    return fact === "" ? [] : [`${field} ${plain(fact)}`];
  });
  const user = `user ${plain(facts.user)}, uid ${facts.uid}`;
  return [`${user}, taken to beat at listener ${facts.listener}`, known.join(", ")];
}

/** As it is, if nothing in it could be mistaken for something of ours. */
function plain(text: string): string {
  return text === "" || /^[A-Za-z0-9_.@:\\/+-]+$/.test(text) ? text : quoted(text);
}

function templateLines({ rule, isNamedByRule }: RuleExplanation): string[] {
  if (rule === undefined) return [];
  const { name } = rule.agent;
  if (name === undefined) return ["the rule has no name: it is called after what it is"];
  if (isFixedName(name)) return [];
  const filled = `name = ${quoted(name)}`;
  return [isNamedByRule ? filled : `${filled} has a placeholder that is empty for it`];
}

function policyText({ policy }: RuleExplanation): string {
  const { thresholdNs, lateNs, graceNs, expect, onExit, cleanExit, plan } = policy;
  const parts = [`threshold ${durationTextFromNs(thresholdNs)}`];
  if (lateNs !== undefined) parts.push(`late ${durationTextFromNs(lateNs)}`);
  if (graceNs > 0) parts.push(`grace ${durationTextFromNs(graceNs)}`);
  if (expect !== undefined) parts.push(`expect ${expect}`);
  parts.push(`on_exit ${onExit}`);
  if (cleanExit.length > 0) parts.push(`clean_exit ${cleanExit.join(" ")}`);
  parts.push(planText(plan === OWN_PLAN ? "" : plan));
  return parts.join(", ");
}

function ruleLines(explanation: RuleExplanation): string[] {
  const { rule, nearest, failed, count } = explanation;
  if (count === 0) return ["there is no [[agent]]"];
  if (rule !== undefined) {
    const { index, place, agent } = rule;
    const own = `${ordinal(index + 1)} [[agent]], ${place}: ${matchText(agent.match)}`;
    return [own, ...failedLines(failed)];
  }
  const near =
    nearest === undefined ? "" : `; nearest is the ${ordinal(nearest.index + 1)}, ${nearest.place}`;
  return [`none of ${count}${near}`, ...failedLines(failed)];
}

function failedLines(failed: RuleExplanation["failed"]): string[] {
  const lines = failed.slice(0, FAILED_LINES_MAX).map(({ rule, field, found, globs }) => {
    const wanted = alternatives(globs.map(quoted));
    const why =
      found === ""
        ? `it has no ${field}, and ${wanted} is wanted`
        : `its ${field} ${plain(found)} is not ${wanted}`;
    return `${ordinal(rule + 1)} does not match: ${why}`;
  });
  const rest = failed.length - lines.length;
  return rest > 0 ? [...lines, `and ${rest} more that do not match`] : lines;
}

/** Durations are in milliseconds, rules are counted from 1, and null is what there is not. */
export function explanationJson(explanation: RuleExplanation): object {
  const { facts, agent, rule, nearest, failed, count, policy } = explanation;
  const fields: MatchField[] = ["unit", "user", "uid", "comm", "script", "exe", "container"];
  const process = Object.fromEntries(fields.map((field) => [field, factOf(field, facts) || null]));
  const placed = (one: RuleExplanation["rule"]) =>
    one === undefined ? null : { number: one.index + 1, place: one.place, match: one.agent.match };
  return {
    pid: facts.pid,
    process: { ...process, uid: facts.uid, listener: facts.listener },
    agent,
    rules: count,
    rule: placed(rule),
    nearest: placed(nearest),
    not_matching: failed.map(({ rule: index, field, found, globs }) => ({
      number: index + 1,
      fact: field,
      found: found || null,
      wanted: globs,
    })),
    policy: {
      threshold_ms: msFromNs(policy.thresholdNs),
      late_ms: policy.lateNs === undefined ? null : msFromNs(policy.lateNs),
      grace_ms: msFromNs(policy.graceNs),
      expect: policy.expect ?? null,
      on_exit: policy.onExit,
      clean_exit: policy.cleanExit,
      recovery: policy.plan,
    },
  };
}
