// Which rule is a member's: first match wins, all conditions hold, nothing is assumed of what is
// not known; and a slow twin.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { coversMatch, type Match, type MatchFacts } from "../../src/agents/match.ts";
import { AgentRules, RULE_NONE } from "../../src/agents/rules.ts";
import { ruleOfTwin } from "../reference/rules.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const PROCESS = {
  unit: "worker@3.service",
  unitUser: "",
  container: "",
  comm: "python3",
  exe: "/usr/bin/python3",
  script: "worker.py",
};

function local(
  fields: Partial<MatchFacts> = {},
  process: Partial<typeof PROCESS> = {},
): MatchFacts {
  const identity = { ...PROCESS, ...process };
  return { uid: 998, user: "app", identity, listener: "local", address: "", ...fields };
}

const REMOTE: MatchFacts = {
  uid: Number.NaN,
  user: "",
  identity: undefined,
  listener: "edge",
  address: "10.0.4.20",
};

function ruleOf(matches: readonly Match[], facts: MatchFacts): number {
  return new AgentRules(matches).ruleOf(facts);
}

describe("AgentRules.ruleOf()", () => {
  test("is the first rule that takes the member", () => {
    const matches: Match[] = [{ user: ["root"] }, { user: ["app"] }, { unit: ["worker@*"] }];
    expect(ruleOf(matches, local())).toBe(1);
    expect(ruleOf(matches, local({ user: "dana" }))).toBe(2);
    expect(ruleOf(matches, local({ user: "dana" }, { unit: "" }))).toBe(RULE_NONE);
    expect(ruleOf([], local())).toBe(RULE_NONE);
  });

  test("wants all conditions of a rule, and one glob of each", () => {
    const match: Match = { unit: ["api.service", "worker@?.service"], user: ["app"] };
    expect(ruleOf([match], local())).toBe(0);
    expect(ruleOf([match], local({ user: "dana" }))).toBe(RULE_NONE);
    expect(ruleOf([match], local({}, { unit: "worker@10.service" }))).toBe(RULE_NONE);
  });

  test("takes every fact by its own field", () => {
    const container = "0123456789ab";
    const facts = local({}, { container });
    const matches: Match[] = [
      { uid: ["998"] },
      { comm: ["python*"] },
      { script: ["worker.py"] },
      { exe: ["/usr/bin/*"] },
      { container: ["0123*"] },
      { listener: ["local"] },
    ];
    for (const match of matches) expect([match, ruleOf([match], facts)]).toEqual([match, 0]);
  });

  test("never takes a member for what is not known of it", () => {
    const gone = local({ identity: undefined, uid: Number.NaN, user: "" });
    for (const field of ["unit", "uid", "user", "comm", "script", "exe", "container"] as const)
      expect([field, ruleOf([{ [field]: ["*"] }], gone)]).toEqual([field, RULE_NONE]);
    expect(ruleOf([{ container: ["*"] }], local())).toBe(RULE_NONE);
  });

  test("takes a process that is gone by the uid that the kernel attested", () => {
    expect(ruleOf([{ user: ["app"], uid: ["998"] }], local({ identity: undefined }))).toBe(0);
  });

  test("takes a member on another machine by listener and address alone", () => {
    expect(ruleOf([{ listener: ["edge"], address: ["10.0.4.*"] }], REMOTE)).toBe(0);
    expect(ruleOf([{ user: ["*"] }, { uid: ["NaN"] }, { unit: ["*"] }], REMOTE)).toBe(RULE_NONE);
    expect(ruleOf([{ address: ["*"] }], local())).toBe(RULE_NONE);
  });

  test("takes the unit of a user for one of the system never", () => {
    const dana = local({ user: "dana" }, { unitUser: "dana" });
    for (const glob of ["worker@3.service", "*", "worker@*.service", "*.service"])
      expect([glob, ruleOf([{ unit: [glob] }], dana)]).toEqual([glob, RULE_NONE]);
    for (const glob of ["dana:worker@3.service", "*:worker@*.service", "d*:*"])
      expect([glob, ruleOf([{ unit: [glob] }], dana)]).toEqual([glob, 0]);
    expect(ruleOf([{ unit: ["dana:*"] }], local())).toBe(RULE_NONE);
  });

  test("takes the container of a user for one of the system never", () => {
    const place = { unit: "", unitUser: "dana", container: "docker-0123456789ab" };
    const dana = local({ user: "dana" }, place);
    for (const glob of ["docker-0123456789ab", "*", "docker-*"])
      expect([glob, ruleOf([{ container: [glob] }], dana)]).toEqual([glob, RULE_NONE]);
    for (const glob of ["dana:docker-0123456789ab", "*:docker-*"])
      expect([glob, ruleOf([{ container: [glob] }], dana)]).toEqual([glob, 0]);
    expect(ruleOf([{ container: ["dana:*"] }], local({}, { ...place, unitUser: "" }))).toBe(
      RULE_NONE,
    );
  });

  test("asks the same of one member after another", () => {
    const rules = new AgentRules([{ user: ["app"] }, { comm: ["python3"] }]);
    const asked = [local(), local({ user: "dana" }), REMOTE, local()];
    expect(asked.map((facts) => rules.ruleOf(facts))).toEqual([0, 1, RULE_NONE, 0]);
  });
});

test("AgentRules.conditionsOf() says of each condition whether it holds", () => {
  const rules = new AgentRules([{ user: ["app"], unit: ["api@*"], comm: ["python3"] }]);
  expect(rules.conditionsOf(0, local())).toEqual([
    { field: "unit", holds: false },
    { field: "user", holds: true },
    { field: "comm", holds: true },
  ]);
});

const GLOB = fc.constantFrom("a", "b", "ab", "a*", "*", "?", "*b", "a:*", "*:a", "1", "b:a");
const TEXT = fc.constantFrom("", "a", "b", "ab", "1", "b:a");
const MATCH = fc.dictionary(
  fc.constantFrom("unit", "container", "user", "uid", "comm", "listener", "address"),
  fc.array(GLOB, { minLength: 1, maxLength: 2 }),
  { minKeys: 1, maxKeys: 3 },
) as fc.Arbitrary<Match>;
const FACTS: fc.Arbitrary<MatchFacts> = fc.record({
  uid: fc.constantFrom(1, 2, Number.NaN),
  user: TEXT,
  identity: fc.option(
    fc.record({
      unit: TEXT,
      unitUser: fc.constantFrom("", "a", "b"),
      container: TEXT,
      comm: TEXT,
      exe: TEXT,
      script: TEXT,
    }),
    { nil: undefined },
  ),
  listener: fc.constantFrom("a", "b"),
  address: TEXT,
});

test("AgentRules.ruleOf() is what the slow twin says", () => {
  fc.assert(
    fc.property(fc.array(MATCH, { maxLength: 5 }), FACTS, (matches, facts) => {
      expect(ruleOf(matches, facts)).toBe(ruleOfTwin(matches, facts));
    }),
    { numRuns: atLength(200, 4_000) },
  );
});

describe("coversMatch()", () => {
  test.each([
    [{ unit: ["worker@*"] }, { unit: ["worker@1*"], user: ["app"] }, true],
    [{ unit: ["worker@*"], user: ["app"] }, { unit: ["worker@1*"] }, false],
    [{ unit: ["*"] }, { unit: ["dana:a.service"] }, false],
    [{ unit: ["*:*"] }, { unit: ["dana:a.service"] }, true],
    [{ comm: ["a", "b"] }, { comm: ["b", "a"] }, true],
    [{ comm: ["a"] }, { comm: ["a", "b"] }, false],
    [{ listener: ["*"] }, { comm: ["a"] }, true],
    [{ listener: ["l*"] }, { comm: ["a"] }, false],
  ] as [Match, Match, boolean][])("%p takes all of %p: %p", (wide, narrow, expected) => {
    expect(coversMatch(wide, narrow, ["local", "edge"])).toBe(expected);
  });

  test("is never true if a member is only of the narrower one", () => {
    fc.assert(
      fc.property(MATCH, MATCH, FACTS, (wide, narrow, facts) => {
        if (!coversMatch(wide, narrow, ["a", "b"])) return;
        if (ruleOf([narrow], facts) === 0) expect(ruleOf([wide], facts)).toBe(0);
      }),
      { numRuns: atLength(500, 10_000) },
    );
  });
});
