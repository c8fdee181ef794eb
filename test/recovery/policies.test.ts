// Which plan is an agent's, and whose recoveries count together: with the real recovery, whose
// children obey the test.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import type { Stall } from "../../src/events/stall.ts";
import { NOTHING_FOUND, type StallVerdict } from "../../src/events/stall_verdict.ts";
import type { AgentPolicy } from "../../src/recovery/policies.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { recoveryConfig, recoveryHarness, ScriptedRunner, stallOf } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const T0 = 100 * NS_PER_S;

const PLANS = [
  { ...recoveryConfig({ command: ["/bin/restart", "{pid}"], debounceNs: 0 }), name: "restart" },
  { ...recoveryConfig({ command: ["/bin/page"], env: { TEAM: "db" } }), name: "page" },
];

/** A policy for each agent by its number. */
function withPolicies(
  policies: Readonly<Record<number, AgentPolicy>>,
  options: Partial<Parameters<typeof recoveryHarness>[0]> = {},
) {
  const runner = new ScriptedRunner();
  const policyOf = ({ agent }: Stall) => policies[agent];
  const made = recoveryHarness({ plans: PLANS, policyOf, ...options, runner });
  return { runner, ...made };
}

function programs({ children }: ScriptedRunner): string[] {
  return children.map(({ argv }) => argv.join(" "));
}

describe("the plan of a stall", () => {
  test("is the one that the rule of its agent names, else [recovery] itself", () => {
    const { recovery, runner } = withPolicies({
      1: { name: "worker", recovery: "restart" },
      2: { name: "db", recovery: "page" },
      3: { name: "other", recovery: undefined },
    });
    for (const agent of [1, 2, 3, 4]) recovery.decideOne(stallOf({ pid: 40 + agent, agent }), T0);
    const [first, second, third, fourth] = programs(runner);
    expect([first, second]).toEqual(["/bin/restart 41", "/bin/page"]);
    expect([third, fourth]).toEqual(["/bin/recover 43", "/bin/recover 44"]);
    expect(runner.children[1]!.env).toMatchObject({ TEAM: "db" });
    expect(runner.children[0]!.env).not.toHaveProperty("TEAM");
  });

  test.each(["none", "a plan that has left the file"])(
    "of %p is nothing, without an outcome",
    (name) => {
      const { recovery, runner, outcomes } = withPolicies({
        1: { name: "worker", recovery: name },
      });
      recovery.decideOne(stallOf({ agent: 1 }), T0);
      expect(runner.spawnCount).toBe(0);
      expect(outcomes).toEqual([]);
    },
  );

  test("is decided although [recovery] has nothing to do", () => {
    const made = withPolicies(
      { 1: { name: "worker", recovery: "page" } },
      { config: { command: undefined } },
    );
    expect(made.recovery.isEnabled).toBe(true);
    made.recovery.decideOne(stallOf({ agent: 1 }), T0);
    made.recovery.decideOne(stallOf({ pid: 9, agent: 2 }), T0);
    expect(programs(made.runner)).toEqual(["/bin/page"]);
  });

  test("has its own debounce", () => {
    const policies = {
      1: { name: "", recovery: "restart" },
      2: { name: "", recovery: "page" },
    };
    const { recovery, runner, tell } = withPolicies(policies);
    runner.exitCodeAtOnce = 0;
    for (const agent of [1, 2]) recovery.decideOne(stallOf({ pid: 40 + agent, agent }), T0);
    recovery.reap(T0);
    tell();
    for (const agent of [1, 2]) recovery.decideOne(stallOf({ pid: 40 + agent, agent }), T0 + 1);
    expect(tell()).toEqual(["spawn 41 child 1002", "refused 42 debounced"]);
  });
});

describe('pace_by = "agent"', () => {
  const budget = { budget: 3, budgetWindowNs: 3_600 * NS_PER_S, debounceNs: 0 };

  test("counts the recoveries of one name together, under whatever pid its members hang", () => {
    const policies = { 1: { name: "worker", recovery: undefined } };
    const { recovery, runner, tell } = withPolicies(policies, {
      config: { ...budget, paceBy: "agent" },
    });
    for (let round = 0; round < 21; round++)
      recovery.decideOne(stallOf({ pid: 100 + round, agent: 1 }), T0 + round * NS_PER_S);
    expect(runner.spawnCount).toBe(3);
    expect(tell().slice(3, 5)).toEqual(["refused 103 gave_up", "refused 104 gave_up"]);
    expect(recovery.givenUpCount).toBe(1);
  });

  test("counts two names apart, and what has no name as a process", () => {
    const policies = {
      1: { name: "worker", recovery: undefined },
      2: { name: "api", recovery: undefined },
    };
    const { recovery, runner } = withPolicies(policies, { config: { ...budget, paceBy: "agent" } });
    for (let round = 0; round < 5; round++)
      for (const agent of [1, 2, 3])
        recovery.decideOne(stallOf({ pid: 100 * agent + round, agent }), T0 + round);
    expect(runner.spawnCount).toBe(3 + 3 + 5);
  });

  test('is not asked for a name with pace_by = "process"', () => {
    const policies = { 1: { name: "worker", recovery: undefined } };
    const { recovery, runner } = withPolicies(policies, { config: budget });
    for (let round = 0; round < 5; round++)
      recovery.decideOne(stallOf({ pid: 100 + round, agent: 1 }), T0 + round);
    expect(runner.spawnCount).toBe(5);
  });

  test("gives each plan its own budget", () => {
    const plans = [1, 2].map((budget) => ({
      ...recoveryConfig({ debounceNs: 0, paceBy: "agent", budget }),
      name: `plan-${budget}`,
    }));
    const policies = {
      1: { name: "one", recovery: "plan-1" },
      2: { name: "two", recovery: "plan-2" },
    };
    const { recovery, runner } = withPolicies(policies, { plans });
    for (let round = 0; round < 4; round++)
      for (const agent of [1, 2])
        recovery.decideOne(stallOf({ pid: 100 * agent + round, agent }), T0 + round);
    expect(runner.spawnCount).toBe(1 + 2);
  });
});

describe("when", () => {
  function stalled(word: StallVerdict["verdict"]): Stall {
    return stallOf({ verdict: { ...NOTHING_FOUND, verdict: word } });
  }

  test("refuses a verdict that the plan does not list", () => {
    const { recovery, runner, tell } = withPolicies({}, { config: { when: ["hung", "exited"] } });
    recovery.decideOne(stalled("traced"), T0);
    recovery.decideOne(stalled("hung"), T0);
    expect(tell()).toEqual(["refused 4242 verdict_not_acted_on", "spawn 4242 child 1000"]);
    expect(runner.spawnCount).toBe(1);
  });

  test("lets a stall without a verdict pass", () => {
    const { recovery, runner } = withPolicies({}, { config: { when: ["exited"] } });
    recovery.decideOne(stallOf(), T0);
    expect(runner.spawnCount).toBe(1);
  });
});
