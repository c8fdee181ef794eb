import { expect, test } from "bun:test";
import { RULE_NONE } from "../../src/agents/rules.ts";
import { ruleUse } from "../../src/view/rule_use.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { beatOf } from "../support/scripted_listener.ts";

const RULES = [{ name: "app" }, { name: "db" }, {}];

/** Members 101, 102 ..., each by one of `rules`; undefined = nobody has looked at it yet. */
function tableWith(rules: readonly (number | undefined)[]) {
  const bench = new ObserverHarness();
  for (const [at, rule] of rules.entries()) {
    bench.processes.set(101 + at, 1);
    bench.listener.queue([beatOf(101 + at)]);
    bench.pump();
    if (rule !== undefined) {
      const { table } = bench.observer.tracker;
      const agent = table.agents.numberFor({ text: `a${at}`, user: "u", owner: 0, isFree: true });
      table.assign(table.slotOf(101 + at), agent, rule);
    }
  }
  return bench.observer.tracker.table;
}

test("rules that took nobody, and agents of which a member has none", () => {
  const use = ruleUse(tableWith([0, RULE_NONE, undefined]), RULES);
  expect(use).toEqual({
    count: 3,
    idle: ["db ([[agent]] 2)", "[[agent]] 3"],
    idle_count: 2,
    without: [{ agent: "a1", pid: 102 }],
    without_count: 1,
  });
});

test("a rule whose member is gone has taken one, until the rules are others", () => {
  const table = tableWith([1]);
  table.assign(0, table.slots.agent[0]!, RULE_NONE);
  expect(ruleUse(table, RULES).idle_count).toBe(2);
  table.takenRules.clear();
  expect(ruleUse(table, RULES).idle_count).toBe(3);
});

test("names are told as far as a finding shows them, and all are counted", () => {
  const use = ruleUse(tableWith(Array.from({ length: 20 }, () => RULE_NONE)), RULES);
  expect([use.without.length, use.without_count]).toEqual([8, 20]);
});
