// Members and the rules of a new configuration (spec 17 section 4). Who each member is by them is
// worked out in slices, from what was known of it when it was last looked at; then all of them are
// moved at once. No file is read.
import { AGENT_NEW, AGENT_OTHER } from "../../agents/agent_table.ts";
import { memberTerms } from "../../agents/asked_terms.ts";
import { type AgentName, type MemberFacts, nameFor } from "../../agents/naming.ts";
import { announcedName, MemberNames, type TakenNames } from "../../agents/announcing.ts";
import { type MemberRule, RULE_NONE, type RuleFinder } from "../../agents/rules.ts";
import { isFixedName } from "../../config/keys/agent_keys.ts";
import { byLastBeat } from "../../tracker/beat_order.ts";
import type { Terms } from "../../tracker/terms.ts";
import type { Tracker } from "../../tracker/tracker.ts";

/** The name that a rule gave last, and what it was made of. */
interface FixedName {
  readonly uid: number;
  readonly user: string;
  readonly name: AgentName;
}

interface RematchOptions {
  readonly tracker: Tracker;
  readonly findRule: RuleFinder;
  readonly taken: TakenNames;
  /** The threshold of a member that no rule takes, and of one that nobody has looked at. */
  readonly thresholdNs: number;
  readonly monotonicNs: () => number;
}

/** Members that are matched between two looks at the clock. */
const MEMBERS_PER_LOOK = 16;

export class Rematch {
  readonly #options: RematchOptions;
  // What is worked out, by slot. It is in columns, and names are shared: an object for each member
  // would be a heap that is full sooner, and a collection of it is a pause.
  /** As they were when this was worked out: others are other facts, or of another member. */
  readonly #facts: (MemberFacts | undefined)[] = [];
  readonly #rules: (MemberRule | undefined)[] = [];
  readonly #names: (AgentName | undefined)[] = [];
  readonly #fixedNames = new Map<MemberRule, FixedName>();
  readonly #memberNames: MemberNames;
  #next = 0;

  constructor(options: RematchOptions) {
    this.#options = options;
    this.#memberNames = new MemberNames(options.tracker.table.agents, options.taken);
  }

  /** Goes on for at most `budgetNs`; true if it has been past every member. */
  advance(budgetNs: number): boolean {
    const { tracker, monotonicNs } = this.#options;
    const endNs = monotonicNs() + budgetNs;
    while (this.#next < tracker.len) {
      for (let i = 0; i < MEMBERS_PER_LOOK && this.#next < tracker.len; i++)
        this.#prepare(this.#next++);
      if (monotonicNs() >= endNs) return this.#next >= tracker.len;
    }
    return true;
  }

  /**
   * Gives each member its agent, rule and terms at `nowNs`. `renamed` hears of each that has got
   * another agent.
   */
  swap(nowNs: number, renamed: (agent: number, facts: MemberFacts) => void): void {
    const { tracker, thresholdNs } = this.#options;
    const { table, slots } = tracker;
    table.thresholdNs = thresholdNs;
    const terms: Terms[] = [];
    const untold = { thresholdNs, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 };
    let last: AgentName | undefined;
    let number = AGENT_NEW;
    for (let slot = 0; slot < tracker.len; slot++) {
      if (!this.#prepare(slot)) {
        terms.push(untold);
        continue;
      }
      const rule = this.#rules[slot];
      const name = this.#names[slot]!;
      terms.push(memberTerms(rule, thresholdNs, slots.askedNs[slot]!));
      // Each member for whose name there is no place is counted.
      if (name !== last || number === AGENT_OTHER) number = table.agents.numberFor(name);
      last = name;
      const index = rule?.index ?? RULE_NONE;
      const isOther = number !== slots.agent[slot]!;
      if (isOther || index !== slots.rule[slot]!) table.assign(slot, number, index);
      if (isOther) renamed(number, this.#facts[slot]!);
    }
    table.lanes.changeAll(byLastBeat(tracker), (slot) => terms[slot]!, nowNs);
  }

  /** False: nobody has looked at it, so it is matched when somebody does. */
  #prepare(slot: number): boolean {
    const { tracker, findRule } = this.#options;
    const { table, slots } = tracker;
    const facts = table.facts[slot];
    if (facts === undefined || slots.agent[slot] === AGENT_NEW) return false;
    if (this.#facts[slot] === facts) return true;
    const rule = findRule(facts);
    this.#facts[slot] = facts;
    this.#rules[slot] = rule;
    this.#names[slot] = this.#nameFor(facts, rule);
    return true;
  }

  /** Members of a rule whose name has no placeholders share one. */
  #nameFor(facts: MemberFacts, rule: MemberRule | undefined): AgentName {
    const isAnnounced =
      (facts.announced ?? "") !== "" && this.#memberNames.refusalOf(facts, rule) === undefined;
    if (isAnnounced) return announcedName(facts, rule);
    if (rule?.name === undefined || !isFixedName(rule.name)) return nameFor(facts, rule);
    const { uid, user } = facts;
    const known = this.#fixedNames.get(rule);
    if (known !== undefined && Object.is(known.uid, uid) && known.user === user) return known.name;
    const name = nameFor(facts, rule);
    this.#fixedNames.set(rule, { uid, user, name });
    return name;
  }
}

/** How many members each rule has, by its index. */
export function memberCounts({ slots, len }: Pick<Tracker, "slots" | "len">): Map<number, number> {
  const counts = new Map<number, number>();
  // Those of a rule are often side by side.
  for (let slot = 0, end = 0; slot < len; slot = end) {
    const rule = slots.rule[slot]!;
    while (end < len && slots.rule[end] === rule) end += 1;
    counts.set(rule, (counts.get(rule) ?? 0) + end - slot);
  }
  return counts;
}
