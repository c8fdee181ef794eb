// Steps of a recovery: the two ways to write them, and what becomes of them.
import { describe, expect, test } from "bun:test";
import { effectiveText } from "../../src/config/effective.ts";
import { FixtureHost } from "./fixture_host.ts";

const STEPS = [
  { kind: "signal", signal: "SIGTERM" },
  { kind: "wait", waitNs: 2e9 },
  { kind: "exec", command: ["/bin/recover", "{pid}"] },
  { kind: "restart_unit", unit: "app@1.service" },
];

const TABLES = `[recovery]
backoff_max = "1m"
[[recovery.step]]
signal = "SIGTERM"
[[recovery.step]]
wait = "2s"
[[recovery.step]]
exec = ["/bin/recover", "{pid}"]
[[recovery.step]]
restart_unit = "app@1.service"
`;

describe("recovery.step", () => {
  test("is the same as tables of its own and as an inline array", async () => {
    using fixture = new FixtureHost();
    const inline =
      '[recovery]\nstep = [{ signal = "SIGTERM" }, { wait = "2s" }, ' +
      '{ exec = ["/bin/recover", "{pid}"] }, { restart_unit = "app@1.service" }]\n';
    for (const text of [TABLES, inline]) {
      const result = await fixture.load(text);
      if (!result.ok) throw new Error(result.text);
      expect(result.config.recovery.steps).toEqual(STEPS as never);
      expect(result.config.recovery.command).toBeUndefined();
    }
  });

  test("is printed so that it loads again", async () => {
    using fixture = new FixtureHost();
    const first = await fixture.load(TABLES);
    if (!first.ok) throw new Error(first.text);
    const printed = effectiveText(first);
    expect(printed).toContain('step = [{ "signal" = "SIGTERM" }, { "wait" = "2s" }, ');
    const second = await fixture.load(printed);
    if (!second.ok) throw new Error(second.text);
    expect(second.config).toEqual({ ...first.config, bareRun: second.config.bareRun });
  });

  test("takes every unit name that systemd can restart, and nothing that is an option or a path", async () => {
    using fixture = new FixtureHost();
    const load = async (unit: string) =>
      (await fixture.load(`[recovery]\nstep = [{ restart_unit = '${unit}' }]\n`)).ok;
    for (const unit of ["auto", "a.service", "a@b-1.service", "dev-a\\x2db.service", "_x.service"])
      expect([unit, await load(unit)]).toEqual([unit, true]);
    for (const unit of [
      "",
      "app",
      "-a.service",
      "a/b.service",
      "a b.service",
      "a.scope",
      "a.slice",
    ])
      expect([unit, await load(unit)]).toEqual([unit, false]);
  });

  test("is of Linux, as far as it needs process descriptors or units", async () => {
    using fixture = new FixtureHost({ platform: "darwin" });
    const result = await fixture.load('[recovery]\nstep = [{ signal = "SIGTERM" }]\n');
    if (result.ok) throw new Error("a signal step was accepted on darwin");
    expect(result.text).toContain("recovery.step: found a signal step on darwin; want exec steps");
    expect((await fixture.load('[recovery]\nstep = [{ exec = ["true"] }]\n')).ok).toBe(true);
  });
});

test("a step that may hang before another one is reported at the start, if there is no timeout", async () => {
  using fixture = new FixtureHost();
  const warningsOf = async (text: string) => {
    const result = await fixture.load(`[recovery]\n${text}\n`);
    if (!result.ok) throw new Error(result.text);
    return result.warnings;
  };
  const twoSteps = 'step = [{ exec = ["a"] }, { restart_unit = "app.service" }]';
  expect(await warningsOf(twoSteps)).toEqual([
    "recovery.timeout is not set: a step that hangs keeps the next ones from being done",
  ]);
  expect(await warningsOf(`${twoSteps}\ntimeout = "20s"`)).toEqual([]);
  expect(await warningsOf('step = [{ signal = "SIGTERM" }, { exec = ["a"] }]')).toEqual([]);
});

describe("recovery.restart_units", () => {
  const AUTO = 'step = [{ restart_unit = "auto" }]';

  async function warningsOf(uid: number, text: string): Promise<readonly string[]> {
    using fixture = new FixtureHost({ uid });
    const result = await fixture.load(`[recovery]\n${text}\n`);
    if (!result.ok) throw new Error(result.text);
    return result.warnings;
  }

  test("is missed where root restarts the units of others", async () => {
    const listed = `${AUTO}\nrestart_units = ["worker@*.service"]`;
    expect(await warningsOf(0, AUTO)).toEqual([
      'restart_unit = "auto" as root: any process of a service might have it restarted, so only ' +
        "its main process may, if it beats as the user of the service; list more in recovery.restart_units",
    ]);
    expect(await warningsOf(0, listed)).toEqual([]);
    expect(await warningsOf(1_000, AUTO)).toEqual([]);
    expect(await warningsOf(0, 'step = [{ restart_unit = "app.service" }]')).toEqual([]);
  });

  test("has no effect without a step that needs it, and says so", async () => {
    const text = 'step = [{ signal = "SIGTERM" }]\nrestart_units = ["app.service"]';
    expect(await warningsOf(1_000, text)).toEqual([
      'recovery.restart_units has no effect: there is no step restart_unit = "auto"',
    ]);
  });
});

test("dry_run is reported at the start", async () => {
  using fixture = new FixtureHost();
  const result = await fixture.load('[recovery]\ncommand = ["true"]\ndry_run = true\n');
  if (!result.ok) throw new Error(result.text);
  expect(result.warnings).toEqual([
    "dry run: recoveries are decided and logged; nothing is started or signalled",
  ]);
});
