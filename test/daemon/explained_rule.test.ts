// What `check --explain PID` prints: the rule of a process, its name and why, byte for byte.
import { expect, test } from "bun:test";
import type { MemberFacts } from "../../src/agents/naming.ts";
import { explainRule } from "../../src/daemon/explained_rule.ts";
import { explanationJson, explanationText } from "../../src/cli/explanation_text.ts";
import type { Config } from "../../src/config/config.ts";
import { FixtureHost } from "../config/fixture_host.ts";

const FILE = `
[[agent]]
match = { unit = "api@*.service" }
recovery = "none"

[[agent]]
match = { user = ["app", "web"], script = "convert.py" }
name = "convert"
threshold = "2s"
on_exit = "report"
clean_exit = [143]
recovery = "restart"

[[agent]]
match = { user = "app" }
name = "{unit}"

[recovery]
command = ["/bin/page"]

[[recovery.plan]]
name = "restart"
command = ["/bin/restart"]
`;

const PLACES = ["varta.toml:2", "varta.toml:6", "varta.toml:15"];

async function configOf(text: string): Promise<Config> {
  using fixture = new FixtureHost();
  const result = await fixture.load(text);
  if (!result.ok) throw new Error(result.text);
  return result.config;
}

function facts(fields: Partial<MemberFacts> = {}, unit = "", script = "convert.py"): MemberFacts {
  const program = { comm: "python3", exe: "/usr/bin/python3", script, mark: 1 };
  const place = { uid: 998, gid: 998, user: "app", unit, unitUser: "", container: "" };
  const identity = { ...program, ...place };
  const where = { listener: "unix-0", address: "" };
  return { pid: 4711, uid: 998, user: "app", identity, ...where, ...fields };
}

async function explained(asked: MemberFacts, file = FILE): Promise<string[]> {
  return explanationText(explainRule(await configOf(file), asked, PLACES)).split("\n");
}

const WHO = [
  "  who       user app, uid 998, taken to beat at listener unix-0",
  "            comm python3, script convert.py, exe /usr/bin/python3",
];

test("names the rule, its place, its policy and plan, and why each rule before it was not it", async () => {
  expect(await explained(facts())).toEqual([
    "pid 4711 runs (python3 convert.py, user app).",
    "",
    "  would be  agent convert, by the 2nd [[agent]] (varta.toml:6)",
    "            threshold 2s, on_exit report, clean_exit 143, plan restart",
    ...WHO,
    '  rule      2nd [[agent]], varta.toml:6: user = ["app", "web"], script = "convert.py"',
    '            1st does not match: it has no unit, and "api@*.service" is wanted',
    "",
  ]);
});

test("fills in the name of a rule with what is known of the process", async () => {
  expect((await explained(facts({}, "shop@2.service", ""))).slice(2, 5)).toEqual([
    "  would be  agent shop@2, by the 3rd [[agent]] (varta.toml:15)",
    '            name = "{unit}"',
    "            threshold 5s, on_exit judge, the plan of [recovery]",
  ]);
});

test("says that a placeholder is empty, and the name that it gets instead", async () => {
  expect((await explained(facts({}, "", ""))).slice(2)).toEqual([
    "  would be  agent python3, by the 3rd [[agent]] (varta.toml:15)",
    '            name = "{unit}" has a placeholder that is empty for it',
    "            threshold 5s, on_exit judge, the plan of [recovery]",
    WHO[0]!,
    "            comm python3, exe /usr/bin/python3",
    '  rule      3rd [[agent]], varta.toml:15: user = "app"',
    '            1st does not match: it has no unit, and "api@*.service" is wanted',
    '            2nd does not match: it has no script, and "convert.py" is wanted',
    "",
  ]);
});

test("says that a rule gives no name, and no plan", async () => {
  expect((await explained(facts({}, "api@1.service"))).slice(2, 5)).toEqual([
    "  would be  agent api@1, by the 1st [[agent]] (varta.toml:2)",
    "            the rule has no name: it is called after what it is",
    "            threshold 5s, on_exit judge, no plan",
  ]);
});

test("names the nearest rule where none takes the process, and a match of its own", async () => {
  expect((await explained(facts({ user: "dana" }))).slice(2)).toEqual([
    "  would be  agent convert.py, by no rule",
    "            threshold 5s, on_exit judge, the plan of [recovery]",
    WHO[0]!.replace("app", "dana"),
    WHO[1]!,
    "  rule      none of 3; nearest is the 2nd, varta.toml:6",
    '            1st does not match: it has no unit, and "api@*.service" is wanted',
    '            2nd does not match: its user dana is not "app" or "web"',
    '            3rd does not match: its user dana is not "app"',
    '  next      a policy of its own: [[agent]] match = { script = "convert.py", user = "dana" }',
    "",
  ]);
});

test("says so if there is no rule at all", async () => {
  const lines = await explained(facts({}, "a.service"), "[observer]\n");
  expect(lines[0]).toBe("pid 4711 runs (python3 convert.py, user app, a.service).");
  expect(lines.slice(2)).toEqual([
    "  would be  agent a, by no rule",
    "            threshold 5s, on_exit judge, no plan",
    WHO[0]!,
    "            unit a.service, comm python3, script convert.py, exe /usr/bin/python3",
    "  rule      there is no [[agent]]",
    '  next      a policy of its own: [[agent]] match = { unit = "a.service" }',
    "",
  ]);
});

test("repeats nothing of a process that a terminal would obey, or that looks like a word of ours", async () => {
  const identity = { ...facts().identity!, comm: "\x1b[2J\n", script: "a, user root" };
  const text = (await explained(facts({ user: "dana", identity }))).join("\n");
  expect(text).not.toMatch(/\x1b/);
  expect(text).toContain('("\\u001b[2J\\n" "a, user root", user dana');
});

test("says the same as JSON, with null for what there is not", async () => {
  const config = await configOf(FILE);
  expect(explanationJson(explainRule(config, facts(), PLACES))).toEqual({
    pid: 4711,
    process: {
      unit: null,
      user: "app",
      uid: 998,
      comm: "python3",
      script: "convert.py",
      exe: "/usr/bin/python3",
      container: null,
      listener: "unix-0",
    },
    agent: "convert",
    rules: 3,
    rule: {
      number: 2,
      place: "varta.toml:6",
      match: { user: ["app", "web"], script: ["convert.py"] },
    },
    nearest: null,
    not_matching: [{ number: 1, fact: "unit", found: null, wanted: ["api@*.service"] }],
    policy: {
      threshold_ms: 2_000,
      late_ms: null,
      grace_ms: 0,
      expect: null,
      on_exit: "report",
      clean_exit: [143],
      recovery: "restart",
    },
  });
  const none = explanationJson(explainRule(config, facts({ user: "dana" }), PLACES));
  expect(none).toMatchObject({ agent: "convert.py", rule: null, nearest: { number: 2 } });
});
