// The rules between the keys of [[agent]], the listeners and the plans (spec 07 section 2.11):
// names that exist, times that fit together, and rules that a member can reach.
import { OTHER_NAME } from "../../agents/agent_table.ts";
import { coversMatch, MATCH_FIELDS } from "../../agents/match.ts";
import { NO_PLAN } from "../../agents/rules.ts";
import { askableThresholds } from "../../agents/asked_terms.ts";
import { matchesAnyGlob } from "../../base/glob.ts";
import { THRESHOLDS_MAX } from "../../base/limits.ts";
import { AGENT_NAME_PLACEHOLDERS } from "../../base/placeholders.ts";
import { isFixedName, NAME_PLACEHOLDER } from "../keys/agent_keys.ts";
import { durationTextFromNs } from "../../base/duration_text.ts";
import { type Fault, ordinal } from "../problems/fault.ts";
import { alternatives, quoted } from "../problems/found.ts";
import { nearest } from "../problems/suggestion.ts";
import type { CheckedDocument } from "./check_document.ts";
import { listenerNames } from "./listener_names.ts";

type CheckedAgent = CheckedDocument["agents"][number];

export function checkAgents(document: CheckedDocument, faults: Fault[]): void {
  checkPlanNames(document, faults);
  const listeners = listenerNames(document.listeners);
  const known = listeners.filter((name) => name !== undefined);
  for (const agent of document.agents) {
    checkName(agent, faults);
    checkPlan(agent, document, faults);
    checkLate(agent, document, faults);
    checkAsked(agent, document, faults);
    checkExpect(agent, document, faults);
    checkSides(agent, faults);
    // A listener whose name is wrong may be the one that is meant.
    if (known.length === listeners.length) checkListeners(agent, known, faults);
  }
  checkPlaces(document, faults);
  checkThresholds(document, faults);
  checkShadows(document, known, faults);
}

function checkPlanNames({ plans }: CheckedDocument, faults: Fault[]): void {
  const first = new Map<string, number>();
  for (const [index, { values, path }] of plans.entries()) {
    if (values.name === undefined) continue;
    const other = first.get(values.name);
    if (other === undefined) first.set(values.name, index);
    else {
      const found = `${quoted(values.name)}, the name of the ${ordinal(other + 1)} [[recovery.plan]] too`;
      faults.push({ path: [...path, "name"], anchor: "value", found, want: "a name of its own" });
    }
  }
}

/** Each name that the file has keeps its place on the metrics page. */
function checkPlaces({ agents, tables }: CheckedDocument, faults: Fault[]): void {
  const { agents_max } = tables.metrics.values;
  const fixed = agents.map(({ values }) => values.name).filter((name) => name !== undefined);
  const count = new Set(fixed.filter(isFixedName)).size;
  if (agents_max === undefined || count <= agents_max) return;
  const want = `at least ${count}, because [[agent]] has so many names`;
  faults.push({ path: ["metrics", "agents_max"], anchor: "value", found: `${agents_max}`, want });
}

/** Characters and length are right by then. */
function checkName({ values: { name }, path }: CheckedAgent, faults: Fault[]): void {
  if (name === OTHER_NAME) {
    const found = `${quoted(name)}, the name of agents that find no place among the names`;
    faults.push({ path: [...path, "name"], anchor: "value", found, want: "a name of its own" });
    return;
  }
  for (const [text, word] of (name ?? "").matchAll(NAME_PLACEHOLDER)) {
    const known: readonly string[] = AGENT_NAME_PLACEHOLDERS;
    if (known.includes(word!)) continue;
    const near = nearest(word!.toLowerCase(), known);
    const suggestion = near === undefined ? undefined : `{${near}}`;
    const want = `one of ${alternatives(
      known.map((one) => `{${one}}`),
      "and",
    )}`;
    const found = `the unknown placeholder ${text}`;
    faults.push({ path: [...path, "name"], anchor: "value", found, want, suggestion });
    return;
  }
}

function checkPlan(agent: CheckedAgent, { plans }: CheckedDocument, faults: Fault[]): void {
  const { recovery } = agent.values;
  if (recovery === undefined || recovery === NO_PLAN) return;
  const names = plans.map(({ values }) => values.name);
  // A plan whose name is wrong may be the one that is meant.
  if (names.includes(undefined) || names.includes(recovery)) return;
  const known = names.filter((name) => name !== undefined).map(quoted);
  faults.push({
    path: [...agent.path, "recovery"],
    anchor: "value",
    found: `${quoted(recovery)}, the name of no plan`,
    want:
      known.length === 0
        ? `"${NO_PLAN}", or a [[recovery.plan]] with that name`
        : `${alternatives([...known, `"${NO_PLAN}"`])}`,
    suggestion: nearest(
      recovery,
      names.filter((name) => name !== undefined),
    ),
  });
}

function thresholdOf({ values, wrong }: CheckedAgent, document: CheckedDocument) {
  if (wrong.has("threshold")) return undefined;
  return values.threshold ?? document.tables.observer.values.threshold;
}

function checkLate(agent: CheckedAgent, document: CheckedDocument, faults: Fault[]): void {
  const { late } = agent.values;
  const threshold = thresholdOf(agent, document);
  if (late === undefined || threshold === undefined || late < threshold) return;
  const found = quoted(durationTextFromNs(late));
  const want = `less than the threshold, which is ${quoted(durationTextFromNs(threshold))}`;
  faults.push({ path: [...agent.path, "late"], anchor: "value", found, want });
}

/** Members may ask for what is no surprise: the threshold of their rule is among it. */
function checkAsked(agent: CheckedAgent, document: CheckedDocument, faults: Fault[]): void {
  const { threshold_min: min, threshold_max: max } = agent.values;
  const threshold = thresholdOf(agent, document);
  if (threshold === undefined) return;
  const text = quoted(durationTextFromNs(threshold));
  const wrong = (key: string, found: number, want: string): void => {
    const fault = { path: [...agent.path, key], anchor: "value" } as const;
    const wanted = `${want} the threshold, which is ${text}`;
    faults.push({ ...fault, found: quoted(durationTextFromNs(found)), want: wanted });
  };
  if (min !== undefined && min > threshold) wrong("threshold_min", min, "at most");
  if (max !== undefined && max < threshold) wrong("threshold_max", max, "at least");
}

/** Who is missing must have a name before the first member has come. */
function checkExpect(
  agent: CheckedAgent,
  { agents, tables }: CheckedDocument,
  faults: Fault[],
): void {
  const { values, wrong, path } = agent;
  const { expect, name } = values;
  if (expect === undefined || wrong.has("name")) return;
  const fault = { path: [...path, "expect"], anchor: "value" } as const;
  if (name === undefined || !isFixedName(name)) {
    const found = `${expect} without a name that is known beforehand`;
    faults.push({ ...fault, found, want: 'name = "..." beside it, without placeholders' });
    return;
  }
  const { capacity } = tables.tracker.values;
  if (capacity !== undefined && expect > capacity) {
    const want = `at most tracker.capacity, which is ${capacity}: more are never watched`;
    faults.push({ ...fault, found: String(expect), want });
    return;
  }
  const first = agents.findIndex(
    (one) => one.values.name === name && one.values.expect !== undefined,
  );
  if (agents[first] === agent) return;
  const found = `${expect}, and the ${ordinal(first + 1)} [[agent]] expects members of ${name} too`;
  faults.push({ ...fault, found, want: "one expect for each name" });
}

/** Of a member on another machine only listener and address are known. */
function checkSides({ values: { match }, path }: CheckedAgent, faults: Fault[]): void {
  if (match?.address === undefined) return;
  const local = MATCH_FIELDS.filter(
    (field) => field !== "listener" && field !== "address" && match[field] !== undefined,
  );
  if (local.length === 0) return;
  faults.push({
    path: [...path, "match"],
    anchor: "value",
    found: `address beside ${alternatives(local, "and")}, which no member has both`,
    want: "listener and address for members on other machines, or neither address for those here",
  });
}

function checkListeners(
  { values: { match }, path }: CheckedAgent,
  names: readonly string[],
  faults: Fault[],
): void {
  const globs = match?.listener;
  if (globs === undefined || names.some((name) => matchesAnyGlob(globs, name))) return;
  faults.push({
    path: [...path, "match", "listener"],
    anchor: "value",
    found: `${alternatives(globs.map(quoted))}, the name of no listener`,
    want: alternatives(names.map(quoted)),
    suggestion: globs.length === 1 ? nearest(globs[0]!, names) : undefined,
  });
}

// A threshold without a late is a pair, too.
function checkThresholds(document: CheckedDocument, faults: Fault[]): void {
  const ofObserver = document.tables.observer.values.threshold;
  const different = new Set([`${ofObserver} none`]);
  for (const { values, path } of document.agents) {
    const { threshold = ofObserver, late } = values;
    if (threshold === undefined) continue;
    const { threshold_min = threshold, threshold_max = threshold } = values;
    const bounds = { thresholdMinNs: threshold_min, thresholdMaxNs: threshold_max };
    for (const one of [threshold, ...askableThresholds(bounds)])
      different.add(`${one} ${late !== undefined && late < one ? late : "none"}`);
    if (different.size <= THRESHOLDS_MAX) continue;
    const asks = threshold_min < threshold_max;
    const text = quoted(durationTextFromNs(asks ? threshold_max : threshold));
    const pair =
      late === undefined ? text : `${text} with late ${quoted(durationTextFromNs(late))}`;
    const what = late === undefined ? "thresholds" : "pairs of threshold and late";
    const found = `${pair}, one more than ${THRESHOLDS_MAX} different ${what}`;
    const want = asks
      ? "threshold_min and threshold_max that are nearer, or those and the late of another rule"
      : "one that another rule has: that of the observer counts, too";
    const key = asks ? "threshold_max" : values.threshold === undefined ? "late" : "threshold";
    faults.push({ path: [...path, key], anchor: "value", found, want });
    return;
  }
}

/** Rules that no member can reach, because an earlier one takes all of theirs. */
function checkShadows(
  { agents }: CheckedDocument,
  listeners: readonly string[],
  faults: Fault[],
): void {
  const matches = agents.map(({ values }) => values.match);
  for (const [index, narrow] of matches.entries()) {
    if (narrow === undefined) continue;
    const shadow = matches.findIndex(
      (wide, before) =>
        before < index && wide !== undefined && coversMatch(wide, narrow, listeners),
    );
    if (shadow === -1) continue;
    const { values, path } = agents[shadow]!;
    const name = values.name === undefined ? "" : `, ${values.name},`;
    faults.push({
      path: [...agents[index]!.path, "match"],
      anchor: "value",
      found: `a rule that takes no member: the ${ordinal(Number(path[1]) + 1)} [[agent]]${name} takes all of them before`,
      want: "the narrower rule first",
    });
  }
}
