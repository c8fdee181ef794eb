// What a reload says of a new configuration (spec 17 sections 3 and 6).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { changeLine, diffConfigs } from "../../../src/config/diff/diff.ts";
import { restartFailure } from "../../../src/config/diff/restart_problems.ts";
import type { LoadSuccess } from "../../../src/config/load_result.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { FixtureHost } from "../fixture_host.ts";

setDefaultTimeout(TEST_MS_MAX);

const LISTENER = '[[listener]]\nkind = "unix"\npath = "/etc/varta/v.sock"\n';

async function loaded(fixture: FixtureHost, text: string): Promise<LoadSuccess> {
  const result = await fixture.load(`${LISTENER}${text}`);
  if (!result.ok) throw new Error(result.text);
  return result;
}

async function diff(before: string, after: string): Promise<string[]> {
  using fixture = new FixtureHost();
  fixture.write("a.cmd", "/bin/one\n");
  fixture.write("b.cmd", "/bin/two\n");
  const [old, now] = [await loaded(fixture, before), await loaded(fixture, after)];
  return diffConfigs(old.config, now.config).map(
    (change) => `${change.reload} ${changeLine(change)}`,
  );
}

const RULE = (name: string, comm: string, more = "") =>
  `[[agent]]\nname = "${name}"\nmatch = { comm = "${comm}" }\n${more}\n`;

describe("diffConfigs()", () => {
  test("of one file is empty, whatever the order of its keys", async () => {
    const text = '[limits]\nglobal_rate = 7\n[log]\nlevel = "warn"\n';
    expect(await diff(text, '[log]\nlevel = "warn"\n[limits]\nglobal_rate = 7\n')).toEqual([]);
  });

  test("sees other keys in the key file of a listener, and shows none", async () => {
    using fixture = new FixtureHost();
    const text =
      '[[listener]]\nname = "edge"\nkind = "secure-udp"\nport = 7\nkey_file = "/etc/varta/k"\n';
    fixture.write("k", "5a".repeat(32));
    const old = await loaded(fixture, text);
    expect(diffConfigs(old.config, (await loaded(fixture, text)).config)).toEqual([]);
    fixture.write("k", "a5".repeat(32));
    const now = await loaded(fixture, text);
    expect(diffConfigs(old.config, now.config)).toMatchObject([
      { what: "key_file of listener edge", how: "(secret)", reload: "live" },
    ]);
  });

  test("has a line for each key, in the order of the file", async () => {
    expect(
      await diff(
        '[log]\nlevel = "warn"\n',
        '[log]\nformat = "json"\n[limits]\nglobal_rate = 7\n[observer]\nclock_source = "boottime"\n',
      ),
    ).toEqual([
      'restart observer.clock_source: "monotonic" -> "boottime"',
      "live limits.global_rate: 50000 -> 7",
      'live log.level: "warn" -> "info"',
      'live log.format: "logfmt" -> "json"',
    ]);
  });

  test("names the agent of a rule, and pairs rules by their names", async () => {
    expect(
      await diff(
        RULE("worker", "w", 'threshold = "5s"') + RULE("api", "a"),
        RULE("cron", "c") + RULE("worker", "w", 'threshold = "2s"\nexpect = 10'),
      ),
    ).toEqual([
      "live rule cron: added",
      "live threshold of agent worker: 5s -> 2s",
      "live expect of agent worker: not set -> 10",
      "live rule api: removed",
    ]);
  });

  test("says that rules have another order: the first that takes a member has it", async () => {
    const [a, b] = [RULE("a", "x*"), RULE("b", "*y")];
    expect(await diff(a + b, b + a)).toEqual(["live order of the rules: changed"]);
  });

  test("says once what rules and plans have from elsewhere", async () => {
    const text = (threshold: string, debounce: string) =>
      `[observer]\nthreshold = "${threshold}"\n${RULE("worker", "w", 'recovery = "r"')}` +
      `[recovery]\ndebounce = "${debounce}"\n[[recovery.plan]]\nname = "r"\ncommand = ["/bin/true"]\n`;
    expect(await diff(text("5s", "1s"), text("4s", "3s"))).toEqual([
      "live observer.threshold: 5s -> 4s",
      "live recovery.debounce: 1s -> 3s",
    ]);
  });

  test("never has what a secret file or an environment variable holds", async () => {
    const recovery = (file: string, value: string) =>
      `[recovery]\ncommand_file = "/etc/varta/${file}"\nenv = { TOKEN = "${value}" }\n`;
    expect(await diff(recovery("a.cmd", "hush-1"), recovery("b.cmd", "hush-2"))).toEqual([
      "live recovery.command_file: (secret)",
      "live recovery.env: (secret)",
    ]);
  });

  test("has listeners by their names, and those of another kind", async () => {
    const second = '[[listener]]\nkind = "udp"\nport = 7878\naccept_plaintext = true\n';
    expect(await diff("", second)).toEqual(["live listener udp-0: added"]);
    expect(await diff(second, "")).toEqual(["live listener udp-0: removed"]);
    expect(await diff(second, second.replace("7878", "7879"))).toEqual([
      "live port of listener udp-0: 7878 -> 7879",
    ]);
  });
});

describe("restartFailure()", () => {
  test("has the place of each key in the new file, and refuses with 78", async () => {
    using fixture = new FixtureHost();
    const old = await loaded(fixture, "");
    const now = await loaded(
      fixture,
      '[log]\nlevel = "warn"\n[observer]\nclock_source = "boottime"\n',
    );
    const failure = await restartFailure(diffConfigs(old.config, now.config), now);
    expect(failure?.exitCode).toBe(78);
    expect(failure?.problems.map(({ line, column, text }) => [line, column, text])).toEqual([
      [7, 16, 'observer.clock_source: "monotonic" -> "boottime" takes a restart'],
    ]);
  });

  test("is nothing where all changes are live", async () => {
    using fixture = new FixtureHost();
    const [old, now] = [
      await loaded(fixture, ""),
      await loaded(fixture, '[log]\nlevel = "warn"\n'),
    ];
    expect(await restartFailure(diffConfigs(old.config, now.config), now)).toBeUndefined();
  });
});
