// Which rules take nobody, and who has none, as doctor asks for it (spec 19 section 3): by the
// rules in force and by all members, which nobody else sees.
import { AGENT_NEW } from "../agents/agent_table.ts";
import { RULE_NONE } from "../agents/rules.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { SlotTable } from "../tracker/slot_table.ts";
import type { RulesView } from "./doctor_view.ts";

/** Names of each kind that are told: a finding shows fewer. */
const NAMES_MAX = 8;

interface Rule {
  readonly name?: string | undefined;
}

export function ruleUse(table: SlotTable, rules: readonly Rule[]): RulesView {
  const { slots, agents, takenRules } = table;
  const taken = new Set(takenRules);
  /** By the number of an agent without a rule, the pid of one of its members. */
  const without = new Map<number, number | null>();
  for (let slot = 0; slot < table.len; slot++) {
    const rule = slots.rule[slot]!;
    const agent = slots.agent[slot]!;
    if (rule !== RULE_NONE) taken.add(rule);
    // Who has ended, or was not looked at yet, is not to get a rule.
    else if (agent !== AGENT_NEW && !slots.hasEnded(slot)) {
      const isLocal = slots.origin[slot] === ORIGIN_KERNEL_ATTESTED;
      without.set(agent, isLocal ? slots.pid[slot]! : (without.get(agent) ?? null));
    }
  }
  const idle = rules.flatMap((rule, index) => (taken.has(index) ? [] : [textOf(rule, index)]));
  const unnamed = [...without].slice(0, NAMES_MAX);
  return {
    count: rules.length,
    idle: idle.slice(0, NAMES_MAX),
    idle_count: idle.length,
    without: unnamed.map(([agent, pid]) => ({ agent: agents.nameOf(agent), pid })),
    without_count: without.size,
  };
}

function textOf({ name }: Rule, index: number): string {
  return name === undefined ? `[[agent]] ${index + 1}` : `${name} ([[agent]] ${index + 1})`;
}
