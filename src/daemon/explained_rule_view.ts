// The rule of a member, or of an agent that has none, as `explain` shows it (spec 16 section 12).
import type { MemberFacts } from "../agents/naming.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import type { ExplainedRuleView, FailedRule } from "../view/explain_view.ts";
import {
  explainRule,
  matchText,
  OWN_PLAN,
  ownFact,
  ownMatch,
  policyOf,
  type RuleExplanation,
} from "./explained_rule.ts";
import type { FilePlaces } from "./live_config.ts";

/** `inForce`: the threshold that the member has, wherever that is from; undefined = no member. */
export function ruleView(
  config: Config,
  facts: MemberFacts,
  places: FilePlaces,
  inForce: { readonly thresholdNs: number } | undefined,
): ExplainedRuleView {
  const explained = explainRule(config, facts, places.rules);
  const { rule, nearest, policy, count } = explained;
  const shown = rule ?? nearest;
  return {
    number: rule === undefined ? null : rule.index + 1,
    place: shown?.place ?? "",
    match: shown === undefined ? "" : matchText(shown.agent.match),
    count,
    failed: failedRules(explained, places),
    ...policyFields(inForce === undefined ? policy : { ...policy, ...inForce }),
    ...(inForce === undefined || inForce.thresholdNs === policy.thresholdNs
      ? {}
      : { rule_threshold_ms: policy.thresholdNs / NS_PER_MS }),
    plan_by_rule: rule?.agent.recovery !== undefined,
    listener_place: placeOfListener(config, facts.listener, places),
    named_by: explained.isNamedByRule ? "" : (ownFact(facts) ?? ""),
    suggestion: ownMatch(facts),
  };
}

/** Of an agent without members: the first rule that has its name. */
export function ruleOfName(config: Config, name: string, places: FilePlaces): ExplainedRuleView {
  const { agents } = config;
  const index = agents.findIndex((one) => one.name === name);
  const rule = agents[index];
  return {
    number: rule === undefined ? null : index + 1,
    place: places.rules[index] ?? "",
    match: rule === undefined ? "" : matchText(rule.match),
    count: agents.length,
    failed: [],
    ...policyFields(policyOf(config, rule)),
    plan_by_rule: rule?.recovery !== undefined,
    listener_place: "",
    named_by: "",
    suggestion: "",
  };
}

function policyFields(policy: RuleExplanation["policy"]) {
  return {
    threshold_ms: policy.thresholdNs / NS_PER_MS,
    late_ms: policy.lateNs === undefined ? null : policy.lateNs / NS_PER_MS,
    grace_ms: policy.graceNs / NS_PER_MS,
    expect: policy.expect ?? null,
    on_exit: policy.onExit,
    plan: policy.plan === OWN_PLAN ? "" : policy.plan,
  };
}

/** Why those before it do not match; if none does, why the nearest one does not. */
function failedRules(
  { failed, rule, nearest }: RuleExplanation,
  places: FilePlaces,
): readonly FailedRule[] {
  const shown = failed.filter(
    (one) => rule !== undefined || nearest === undefined || one.rule === nearest.index,
  );
  return shown.map(({ rule: index, field, found, globs, right }) => ({
    number: index + 1,
    place: places.rules[index] ?? "",
    field,
    found,
    wanted: globs,
    right,
  }));
}

function placeOfListener(config: Config, name: string, places: FilePlaces): string {
  return places.listeners[config.listeners.findIndex((one) => one.name === name)] ?? "";
}
