// What the parts of the daemon get of the rules of a configuration.
import { describe, expect, test } from "bun:test";
import { AGENT_NEW, AGENT_OTHER } from "../../src/agents/agent_table.ts";
import type { MemberFacts } from "../../src/agents/naming.ts";
import { NO_PLAN, RULE_NONE } from "../../src/agents/rules.ts";
import type { AgentRule } from "../../src/config/config.ts";
import { Tracker } from "../../src/tracker/tracker.ts";
import { ScriptedProcesses } from "../support/scripted_processes.ts";
import { policyOf, reservedNames, ruleFinder } from "../../src/daemon/member_rules.ts";

function rule(fields: Pick<AgentRule, "match"> & Partial<AgentRule>): AgentRule {
  return {
    name: undefined,
    announce: false,
    thresholdNs: 5e9,
    thresholdMinNs: undefined,
    thresholdMaxNs: undefined,
    lateNs: undefined,
    graceNs: 0,
    onExit: "silence",
    cleanExit: [],
    expect: undefined,
    recovery: undefined,
    ...fields,
  };
}

const NOBODY: MemberFacts = {
  pid: 10,
  uid: 998,
  user: "app",
  identity: undefined,
  listener: "unix-0",
  address: "",
};

describe("ruleFinder()", () => {
  const find = ruleFinder([
    rule({ match: { user: ["root"] } }),
    rule({ match: { listener: ["unix-0"] }, name: "local", thresholdNs: 2e9 }),
  ]);

  test("gives the name, the place and the threshold of the rule that takes a member", () => {
    const local = { name: "local", bindsOwner: false, index: 1, thresholdNs: 2e9 };
    const bounds = { thresholdMinNs: 2e9, thresholdMaxNs: 2e9 };
    const terms = { ...bounds, announce: false, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 };
    expect(find(NOBODY)).toEqual({ ...local, ...terms });
    expect(find({ ...NOBODY, user: "root" })).toMatchObject({ index: 0, name: undefined });
    expect(find({ ...NOBODY, listener: "udp-0" })).toBeUndefined();
  });

  test("says how far its members are heard that ask for a threshold", () => {
    const match = { listener: ["*"] };
    const bounded = ruleFinder([rule({ match, thresholdMinNs: 1e9, thresholdMaxNs: 60e9 })]);
    expect(bounded(NOBODY)).toMatchObject({ thresholdMinNs: 1e9, thresholdMaxNs: 60e9 });
  });

  test("says whose members are one agent, whatever their uid is", () => {
    const binds = (match: AgentRule["match"]) => ruleFinder([rule({ match })])(NOBODY)!.bindsOwner;
    expect([binds({ user: ["app"] }), binds({ uid: ["998"] })]).toEqual([true, true]);
    expect(binds({ listener: ["*"] })).toBe(false);
    expect(binds({ listener: ["*"], user: ["*"] })).toBe(true);
  });
});

test("reservedNames() has each name that is known beforehand once, and who may have it", () => {
  const names = reservedNames([
    rule({ match: { comm: ["a"] }, name: "worker" }),
    rule({ match: { comm: ["b"] }, name: "{unit}" }),
    rule({ match: { comm: ["c"] } }),
    rule({ match: { unit: ["d.service"] }, name: "worker" }),
    rule({ match: { comm: ["e"] }, name: "api" }),
  ]);
  expect(names).toEqual([
    { name: "worker", bindsOwner: true },
    { name: "api", bindsOwner: false },
  ]);
});

describe("policyOf()", () => {
  const agents = [
    rule({ match: { comm: ["a"] }, recovery: "restart" }),
    rule({ match: { comm: ["b"] }, recovery: "page" }),
  ];
  const tracker = new Tracker({ thresholdNs: 1e9, processes: new ScriptedProcesses() });
  const api = tracker.table.agents.numberFor({ text: "api", owner: 9, user: "app", isFree: false });
  const stall = { agent: api, rule: 0, observerNs: 5, key: 4711, generation: 1 };

  test("is the plan of the rule of a stall and the name of its agent", () => {
    const live = { current: { agents }, sinceNs: 4 };
    expect(policyOf(stall, live, tracker)).toEqual({ name: "api", recovery: "restart" });
    expect(policyOf({ ...stall, rule: RULE_NONE }, live, tracker).recovery).toBeUndefined();
  });

  test("has no name for members that share none", () => {
    const live = { current: { agents }, sinceNs: Number.NEGATIVE_INFINITY };
    for (const agent of [AGENT_NEW, AGENT_OTHER])
      expect(policyOf({ ...stall, agent }, live, tracker).name).toBe("");
  });

  test("has no plan for a member that is gone and was judged by rules of before", () => {
    const live = { current: { agents }, sinceNs: 5 };
    expect(policyOf(stall, live, tracker)).toEqual({ name: "api", recovery: NO_PLAN });
  });
});
