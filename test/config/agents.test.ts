// [[agent]] and [[recovery.plan]]: what a good file becomes. What is wrong in one is in
// test/fixtures/config/bad.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import type { Config } from "../../src/config/config.ts";
import { effectiveKeys, effectiveText } from "../../src/config/effective.ts";
import type { LoadSuccess } from "../../src/config/load_result.ts";
import { STALL_VERDICTS } from "../../src/events/stall_verdict.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { FixtureHost } from "./fixture_host.ts";

setDefaultTimeout(TEST_MS_MAX);

async function loaded(text: string): Promise<LoadSuccess> {
  using fixture = new FixtureHost();
  fixture.write("plan.command", "/bin/secret --now");
  const result = await fixture.load(text);
  if (!result.ok) throw new Error(result.text);
  return result;
}

async function configOf(text: string): Promise<Config> {
  return (await loaded(text)).config;
}

const RULES = `
[observer]
threshold = "3s"

[[agent]]
match = { unit = ["a@*.service", "b.service"], uid = 998, user = "app" }
name = "worker"
threshold_ms = 2000
grace = "0s"
on_exit = "report"
clean_exit = [143, 0]
recovery = "restart"

[[agent]]
match = { comm = "cron", user = "root" }

[recovery]
command = ["/bin/page"]
debounce = "10s"
env = { TEAM = "ops" }

[[recovery.plan]]
name = "restart"
budget = 3
[[recovery.plan.step]]
signal = "SIGQUIT"
[[recovery.plan.step]]
restart_unit = "auto"

[[recovery.plan]]
name = "secret"
command_file = "/etc/varta/plan.command"
debounce = "1m"
pace_by = "unit"
when = ["exited"]

[[recovery.plan]]
name = "slower"
debounce = "5m"
`;

describe("[[agent]]", () => {
  test("has every key in the units of the program, in the order of the file", async () => {
    const { agents } = await configOf(RULES);
    expect(agents).toEqual([
      {
        match: { unit: ["a@*.service", "b.service"], uid: ["998"], user: ["app"] },
        name: "worker",
        announce: false,
        thresholdNs: 2 * NS_PER_S,
        thresholdMinNs: undefined,
        thresholdMaxNs: undefined,
        lateNs: undefined,
        graceNs: 0,
        onExit: "report",
        cleanExit: [143, 0],
        expect: undefined,
        recovery: "restart",
      },
      {
        match: { comm: ["cron"], user: ["root"] },
        name: undefined,
        announce: false,
        thresholdNs: 3 * NS_PER_S,
        thresholdMinNs: undefined,
        thresholdMaxNs: undefined,
        lateNs: undefined,
        graceNs: 0,
        onExit: "judge",
        cleanExit: [],
        expect: undefined,
        recovery: undefined,
      },
    ]);
  });

  test("may come by a thousand", async () => {
    const rules = Array.from(
      { length: 1_000 },
      (_, i) => `[[agent]]\nmatch = { comm = "a${i}" }\n`,
    );
    expect((await configOf(rules.join(""))).agents).toHaveLength(1_000);
  });

  test("with a recovery is warned about if every process may call itself so", async () => {
    const named = 'match = { script = "worker.py" }\n';
    const warnings = async (text: string) =>
      (await loaded(text)).warnings.map((line) => line.replace(/^[^:]*\//, ""));
    const recovery = '[recovery]\ncommand = ["true"]\n';
    expect(await warnings(`[[agent]]\n${named}${recovery}`)).toEqual([
      "varta.toml:2:9: 1st [[agent]]: match: found script without user or unit: every process may " +
        'call itself so, and be recovered; want user or unit beside it, or recovery = "none"',
    ]);
    const more = 'name = "w"\nmatch = { comm = "w", script = "w.py", listener = "unix-0" }\n';
    expect(await warnings(`[[agent]]\n${more}${recovery}`)).toEqual([
      "varta.toml:3:9: agent w: match: found comm and script without user or unit: every process " +
        'may call itself so, and be recovered; want user or unit beside it, or recovery = "none"',
    ]);
    expect(await warnings(`[[agent]]\n${named}recovery = "none"\n${recovery}`)).toEqual([]);
    expect(await warnings(`[[agent]]\n${named}`)).toEqual([]);
    const bound = 'match = { script = "worker.py", user = "app" }\n';
    expect(await warnings(`[[agent]]\n${bound}${recovery}`)).toEqual([]);
  });
});

describe("[[recovery.plan]]", () => {
  test("has what it does not set from [recovery], and one way to say what is run", async () => {
    const { recovery, plans } = await configOf(RULES);
    const [restart, secret, slower] = plans;
    expect(restart).toMatchObject({
      ...recovery,
      command: undefined,
      budget: 3,
      name: "restart",
      steps: [{}, {}],
    });
    expect(restart!.steps.map(({ kind }) => kind)).toEqual(["signal", "restart_unit"]);
    expect<object | undefined>(secret).toEqual({
      ...recovery,
      name: "secret",
      command: ["/bin/secret", "--now"],
      commandSource: expect.stringContaining("/plan.command"),
      debounceNs: 60 * NS_PER_S,
      paceBy: "unit",
      when: ["exited"],
    });
    expect<object | undefined>(slower).toEqual({
      ...recovery,
      name: "slower",
      debounceNs: 300 * NS_PER_S,
    });
  });

  test("makes UDP listeners say whether they accept recoveries", async () => {
    using fixture = new FixtureHost();
    const plan = '[[recovery.plan]]\nname = "a"\ncommand = ["true"]\n';
    const result = await fixture.load(
      `[[listener]]\nkind = "udp"\nport = 1\naccept_plaintext = true\n${plan}`,
    );
    expect(result.ok ? [] : result.problems.map(({ key }) => key)).toEqual([
      "listener[0].accept_recovery",
    ]);
  });
});

test("check --print shows rules and plans so that they load again", async () => {
  const first = await loaded(RULES);
  const inPlace = (text: string) =>
    text.replaceAll(/[^"]*\/plan\.command/g, "/etc/varta/plan.command");
  const printed = inPlace(effectiveText(first)).replaceAll('"(set)"', '"ops"');
  const second = await loaded(printed);
  expect(inPlace(JSON.stringify(second.config))).toBe(inPlace(JSON.stringify(first.config)));
  const origin = (table: string, key: string) =>
    effectiveKeys(first).find((row) => row.table === table && row.key === key)?.origin;
  expect(origin("agent[0]", "name")).toBe("file");
  expect(origin("agent[1]", "grace")).toBe("default");
  expect(origin("recovery.plan[0]", "budget")).toBe("file");
  expect(origin("recovery.plan[0]", "debounce")).toBe("[recovery]");
});

describe("what has come after the Rust observer", () => {
  test("is on with a configuration file", async () => {
    const { recovery, optionsAlone } = await configOf("[observer]\n");
    expect(optionsAlone).toBe(false);
    expect(recovery).toMatchObject({ paceBy: "agent", stormLimit: 50 });
    expect(recovery.when).toEqual(["hung", "blocked", "stopped", "zombie", "exited", "unknown"]);
  });

  test("is off when it is started by options alone", async () => {
    using fixture = new FixtureHost();
    const result = await fixture.loadOptions({ socket: "/tmp/v.sock", "threshold-ms": "500" });
    if (!result.ok) throw new Error(result.text);
    const { recovery, optionsAlone } = result.config;
    expect(optionsAlone).toBe(true);
    expect(recovery).toMatchObject({ paceBy: "process", stormLimit: 0, when: [...STALL_VERDICTS] });
  });

  test("is what the file says, if it says something", async () => {
    const text = '[recovery]\npace_by = "process"\nstorm_limit = 0\nwhen = ["traced"]\n';
    const { recovery } = await configOf(text);
    expect(recovery).toMatchObject({ paceBy: "process", stormLimit: 0, when: ["traced"] });
  });
});
