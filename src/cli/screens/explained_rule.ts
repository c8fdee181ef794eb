// The sections `who` and `rule`: what identifies the member and who vouches for that, which rule
// took it, and why those before it did not. Names of files, users and units, never arguments or
// environment.
import { isNetworkOrigin, ORIGIN_TEXTS } from "../../base/origin.ts";
import { ordinal } from "../../config/problems/fault.ts";
import { alternatives, quoted } from "../../config/problems/found.ts";
import type {
  ExplainedMember,
  ExplainedRuleView,
  ExplainView,
  FailedRule,
  WhoView,
} from "../../view/explain_view.ts";
import { setDuration } from "./figures.ts";
import type { Times } from "./times.ts";

/** Of many rules only the first lines would be read. */
const FAILED_ROWS = 5;

export function wantedCount(number: number): string {
  return `${ordinal(number)} [[agent]]`;
}

export function whoLines({ member }: ExplainView, times: Times): string[] {
  if (member === null) return [];
  const { who, proof } = member;
  const parts = [placeText(who), userText(who), programText(who)].filter((text) => text !== "");
  if (who.since !== null) parts.push(`since ${times.at(who.since)}`);
  const space = proof.namespace === null ? "namespace of the observer" : "another namespace";
  const isRemote =
    isNetworkOrigin(ORIGIN_TEXTS.indexOf(proof.origin as never)) || member.source !== "";
  const vouched = `${ORIGIN_WORDS[proof.origin] ?? proof.origin} (listener ${proof.listener})`;
  return [
    ...(parts.length === 0 ? [] : [parts.join(", ")]),
    ...announcedLines(member),
    isRemote ? vouched : `${vouched}, ${space}`,
  ];
}

function announcedLines({ announced }: ExplainedMember): string[] {
  if (announced === undefined) return [];
  const { name, refused } = announced;
  return [`announces ${name}${refused === "" ? "" : `: refused (${refused})`}`];
}

const ORIGIN_WORDS: Readonly<Record<string, string>> = {
  kernel_attested: "attested by the kernel",
  operator_attested: "attested by the operator",
  socket_mode_only: "let in by the mode of the socket",
  network_unverified: "not attested",
  key_attested: "attested by its key",
};

function placeText({ unit, container }: WhoView): string {
  if (unit !== "") return unit;
  return container === "" ? "" : `container ${container}`;
}

function userText({ user, uid }: WhoView): string {
  if (user === "") return uid === null ? "" : `uid ${uid}`;
  return uid === null ? `user ${user}` : `user ${user} (${uid})`;
}

export function programText({ comm, script }: WhoView): string {
  return [comm, script].filter((text) => text !== "").join(" ");
}

export function ruleLines(rule: ExplainedRuleView): string[] {
  const failed = rule.failed.slice(0, FAILED_ROWS);
  const more = rule.failed.length - failed.length;
  if (rule.count === 0) return ["there is no [[agent]]", policyText(rule)];
  if (rule.number === null) {
    const [nearest] = failed;
    const near =
      nearest === undefined
        ? ""
        : `; nearest is the ${ordinal(nearest.number)} (${nearest.place}): ${nearText(nearest)}`;
    const plan = rule.plan === "none" ? "no plan" : "the plan of [recovery]";
    return [
      `none of ${rule.count}${near}`,
      `so it has the defaults: threshold ${setDuration(rule.threshold_ms)}, ${plan}, and its name ` +
        `is that of ${rule.named_by ? `its ${rule.named_by}` : "what it is"}`,
    ];
  }
  return [
    `${wantedCount(rule.number)}, ${rule.place}: ${rule.match}`,
    ...failed.map((each) => `${ordinal(each.number)} does not match: ${failedText(each)}`),
    ...(more > 0 ? [`and ${more} more before it do not match`] : []),
    policyText(rule),
  ];
}

function failedText({ field, found, wanted }: FailedRule): string {
  return found === ""
    ? `it has no ${field}`
    : `its ${field} is not ${alternatives(wanted.map(quoted))}`;
}

/** What holds, and then what does not. */
function nearText({ right, field, found, wanted }: FailedRule): string {
  const held = right === undefined || right === "" ? "" : `${right} is right, `;
  if (found === "") return `${held}it has no ${field}`;
  return `${held}its ${field} is ${found} and not ${wanted.join(" or ")}`;
}

function policyText(rule: ExplainedRuleView) {
  const { threshold_ms, rule_threshold_ms, late_ms, grace_ms, expect, on_exit } = rule;
  const own =
    rule_threshold_ms === undefined ? "" : ` (the rule: ${setDuration(rule_threshold_ms)})`;
  const parts = [`threshold ${setDuration(threshold_ms)}${own}`];
  if (late_ms !== null) parts.push(`late ${setDuration(late_ms)}`);
  if (grace_ms > 0) parts.push(`grace ${setDuration(grace_ms)}`);
  if (expect !== null) parts.push(`expect ${expect}`);
  parts.push(`on_exit ${on_exit}`);
  return parts.join(", ");
}
