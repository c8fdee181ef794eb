// Members and the rules of a new configuration (spec 17 section 4). Who each member is by them is
// worked out in slices, from what was known of it when it was last looked at; then all of them are
// moved at once. No file is read.
import { AGENT_NEW } from "../../agents/agent_table.ts";
import { type AgentName, type MemberFacts, nameFor } from "../../agents/naming.ts";
import { type MemberRule, RULE_NONE, type RuleFinder } from "../../agents/rules.ts";
import type { Terms } from "../../tracker/deadline_lanes.ts";
import type { Tracker } from "../../tracker/tracker.ts";

interface Prepared {
  /** As they were when this was worked out: others are other facts. */
  readonly facts: MemberFacts;
  readonly rule: MemberRule | undefined;
  readonly name: AgentName;
}

interface RematchOptions {
  readonly tracker: Tracker;
  readonly findRule: RuleFinder;
  /** The threshold of a member that no rule takes, and of one that nobody has looked at. */
  readonly thresholdNs: number;
  readonly monotonicNs: () => number;
}

/** Members that are matched between two looks at the clock. */
const MEMBERS_PER_LOOK = 16;

export class Rematch {
  readonly #options: RematchOptions;
  readonly #prepared = new Map<number, Prepared>();
  #next = 0;

  constructor(options: RematchOptions) {
    this.#options = options;
  }

  /** Goes on for at most `budgetNs`; true if it has been past every member. */
  advance(budgetNs: number): boolean {
    const { tracker, monotonicNs } = this.#options;
    const endNs = monotonicNs() + budgetNs;
    while (this.#next < tracker.len) {
      for (let i = 0; i < MEMBERS_PER_LOOK && this.#next < tracker.len; i++)
        this.#preparedOf(this.#next++);
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
    const order: number[] = [];
    const untold = { thresholdNs, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 };
    for (let slot = 0; slot < tracker.len; slot++) {
      order.push(slot);
      const member = this.#preparedOf(slot);
      terms.push(member?.rule ?? untold);
      if (member === undefined) continue;
      const { rule, name, facts } = member;
      const agent = table.agents.numberFor(name);
      const isOther = agent !== slots.agent[slot]!;
      table.assign(slot, agent, rule?.index ?? RULE_NONE);
      if (isOther) renamed(agent, facts);
    }
    const { lastNs } = slots;
    order.sort((a, b) => lastNs[a]! - lastNs[b]!);
    table.lanes.changeAll(order, (slot) => terms[slot]!, nowNs);
  }

  /** Undefined = nobody has looked at it: it is matched when somebody does. */
  #preparedOf(slot: number): Prepared | undefined {
    const { tracker, findRule } = this.#options;
    const { table, slots } = tracker;
    const facts = table.facts[slot];
    if (facts === undefined || slots.agent[slot] === AGENT_NEW) return undefined;
    const key = slots.key[slot]!;
    const known = this.#prepared.get(key);
    if (known !== undefined && known.facts === facts) return known;
    const rule = findRule(facts);
    const member = { facts, rule, name: nameFor(facts, rule) };
    this.#prepared.set(key, member);
    return member;
  }
}

/** How many members each rule has, by its index. */
export function memberCounts({ slots, len }: Pick<Tracker, "slots" | "len">): Map<number, number> {
  const counts = new Map<number, number>();
  for (let slot = 0; slot < len; slot++) {
    const rule = slots.rule[slot]!;
    counts.set(rule, (counts.get(rule) ?? 0) + 1);
  }
  return counts;
}
