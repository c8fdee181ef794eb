// What `check --explain PID` prints: the rule of a process and why, byte for byte.
import { expect, test } from "bun:test";
import type { MatchFacts } from "../../src/agents/match.ts";
import { explanationText } from "../../src/cli/explained_rule.ts";
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

function facts(fields: Partial<MatchFacts> = {}, unit = ""): MatchFacts {
  const program = { comm: "python3", exe: "/usr/bin/python3", script: "convert.py" };
  const identity = { ...program, unit, unitUser: "", container: "" };
  return { uid: 998, user: "app", identity, listener: "unix-0", address: "", ...fields };
}

async function explained(asked: MatchFacts): Promise<string[]> {
  const text = explanationText(await configOf(FILE), { pid: 4711, facts: asked }, PLACES);
  return text.split("\n");
}

test("names the rule, its place, its policy and plan, and why each rule before it was not it", async () => {
  expect(await explained(facts())).toEqual([
    'pid 4711 runs ("python3" "convert.py", user app, listener unix-0).',
    "",
    "  would be  agent convert, by the 2nd [[agent]]",
    "            threshold 2s, plan restart",
    '  rule      2nd [[agent]], varta.toml:6: user = ["app", "web"], script = "convert.py"',
    '            1st does not match: it has no unit, and "api@*.service" is wanted',
    "",
  ]);
});

test("says the plan and the name that a rule leaves open", async () => {
  const identity = { ...facts().identity!, script: "", unit: "shop.service" };
  expect((await explained(facts({ identity }))).slice(2)).toEqual([
    '  would be  an agent with the name "{unit}", by the 3rd [[agent]]',
    "            threshold 5s, the plan of [recovery]",
    '  rule      3rd [[agent]], varta.toml:15: user = "app"',
    '            1st does not match: its unit "shop.service" is not "api@*.service"',
    '            2nd does not match: it has no script, and "convert.py" is wanted',
    "",
  ]);
});

test("names the nearest rule where none takes the process, and a match of its own", async () => {
  expect((await explained(facts({ user: "dana" }))).slice(2)).toEqual([
    "  rule      none of 3; nearest is the 2nd (varta.toml:6)",
    '            1st does not match: it has no unit, and "api@*.service" is wanted',
    '            2nd does not match: its user "dana" is not "app" or "web"',
    '            3rd does not match: its user "dana" is not "app"',
    "            so it has the defaults: threshold 5s, the plan of [recovery]",
    '  next      a policy of its own: [[agent]] match = { script = "convert.py", user = "dana" }',
    "",
  ]);
});

test("says so if there is no rule at all", async () => {
  const text = explanationText(
    await configOf("[observer]\n"),
    { pid: 1, facts: facts({}, "a.service") },
    [],
  );
  expect(text.split("\n").slice(2)).toEqual([
    "  rule      there is no [[agent]]",
    "            so it has the defaults: threshold 5s, no plan",
    '  next      a policy of its own: [[agent]] match = { unit = "a.service" }',
    "",
  ]);
});

test("repeats nothing of a process that a terminal would obey", async () => {
  const identity = { ...facts().identity!, comm: "\x1b[2J\n", script: "a\u202eb" };
  const text = (await explained(facts({ user: "dana", identity }))).join("\n");
  expect(text).not.toMatch(/\x1b|\u202e/);
  expect(text).toContain('("\\u001b[2J\\n" "a\\u202eb", user dana');
});
