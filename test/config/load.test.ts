// Where the configuration comes from and what it becomes (spec 07 sections 1, 2 and 7).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { renameSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../src/config/config.ts";
import { loadConfig, systemHost } from "../../src/config/load.ts";
import { STALL_VERDICTS } from "../../src/events/stall_verdict.ts";
import type { LoadResult, LoadSuccess } from "../../src/config/load_result.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { FixtureHost, givenOptions, KEY } from "./fixture_host.ts";

setDefaultTimeout(TEST_MS_MAX);

function success(result: LoadResult): LoadSuccess {
  if (!result.ok) throw new Error(result.text);
  return result;
}

function configOf(result: LoadResult): Config {
  return success(result).config;
}

describe("loadConfig()", () => {
  test('of guard = "off" is what [guard] off = true is', async () => {
    using fixture = new FixtureHost();
    const [word, table] = [
      await fixture.load('guard = "off"\n[log]\nlevel = "warn"\n'),
      await fixture.load('[guard]\noff = true\n[log]\nlevel = "warn"\n'),
    ];
    expect(configOf(word).guard).toEqual({ ...configOf(table).guard, off: true });
    expect(success(word).setBy.get("guard.off")).toEqual(success(table).setBy.get("guard.off")!);
  });

  test("of a file that only one of the two parsers reads has its problems without their place", async () => {
    using fixture = new FixtureHost();
    const result = await fixture.load("d=2026-\u00021-01\n");
    if (result.ok) throw new Error("the file was accepted");
    expect(result.exitCode).toBe(78);
    expect(result.text).toContain(":1:1: d: found an unknown");
  });

  test("of nothing is a bare run with defaults", async () => {
    using fixture = new FixtureHost({ uid: 7, env: { XDG_RUNTIME_DIR: "/run/user/7" } });
    const result = success(await fixture.loadOptions({}));
    expect(result.file).toBeUndefined();
    expect(result.setBy.size).toBe(0);
    expect(result.warnings).toEqual([]);
    expect(result.runtimeDirectory).toEqual({ path: "/run/user/7/varta", mode: 0o700 });
    expect(result.config).toMatchObject({
      bareRun: true,
      optionsAlone: true,
      agents: [],
      plans: [],
      observer: {
        thresholdNs: 5e9,
        clockSource: "monotonic",
        allowCrossNamespace: false,
        strictNamespace: false,
      },
      tracker: { capacity: 4096, evictionPolicy: "strict", evictionScanWindow: 256 },
      limits: { perPidRate: 100, globalRate: 50_000, globalBurst: 100_000 },
      listeners: [
        {
          kind: "unix",
          name: "unix-0",
          rcvbufBytes: 1_048_576,
          path: "/run/user/7/varta/varta.sock",
          mode: 0o600,
          gid: undefined,
          allowUids: undefined,
          allowGids: undefined,
        },
      ],
      recovery: {
        command: undefined,
        commandSource: "inline",
        appendPid: false,
        debounceNs: 1e9,
        env: {},
        inheritEnv: false,
        timeoutNs: undefined,
        killGraceNs: 2e9,
        capture: false,
        captureBytes: 4096,
        shutdownGraceNs: 5e9,
        steps: [],
        restartUnits: [],
        cwd: undefined,
        umask: undefined,
        backoffMaxNs: undefined,
        backoffResetNs: 600e9,
        budget: undefined,
        budgetWindowNs: 3_600e9,
        paceBy: "process",
        stormLimit: 0,
        stormWindowNs: 60e9,
        verifyWithinNs: undefined,
        retry: false,
        dryRun: false,
        when: [...STALL_VERDICTS],
      },
      audit: {
        file: undefined,
        keyFile: undefined,
        key: undefined,
        maxBytes: undefined,
        syncEvery: 1,
        syncIntervalNs: 0,
        fsyncBudgetNs: 50e6,
        rotationBudgetNs: 50e6,
      },
      export: { file: undefined, format: "tsv", maxBytes: undefined, syncEvery: 0 },
      metrics: {
        listen: { kind: "tcp", host: "127.0.0.1", port: 9469 },
        socketMode: 0o600,
        tokenFile: undefined,
        token: undefined,
        hosts: [],
        rateLimitPerSec: 5,
        rateLimitBurst: 10,
        scrapeBudgetNs: 250e6,
        perPid: true,
        agentsMax: 500,
      },
      liveness: {
        heartbeatFile: undefined,
        selfWatchdogNs: undefined,
        hwWatchdog: undefined,
        iterationBudgetNs: 250e6,
        shutdownAfterNs: undefined,
      },
      log: { level: "info", format: "logfmt" },
    });
  });

  test("reads the default file if it exists, and then has no metrics default", async () => {
    using fixture = new FixtureHost();
    fixture.write("default.toml", "[tracker]\ncapacity = 5\n");
    const result = success(await fixture.loadOptions({}));
    expect(result.file).toBe(fixture.host.defaultConfigFile);
    expect(result.config.bareRun).toBe(false);
    expect(result.config.tracker.capacity).toBe(5);
    expect(result.config.metrics.listen).toBeUndefined();
    expect(result.runtimeDirectory).toBeDefined();
    expect(result.setBy.get("tracker.capacity")).toEqual({ from: "file" });
  });

  test("reads no file with --socket alone, even if the default one is bad", async () => {
    using fixture = new FixtureHost();
    fixture.write("default.toml", "nonsense");
    const result = success(await fixture.loadOptions({ socket: "here.sock" }));
    expect(result.file).toBeUndefined();
    expect(result.config.bareRun).toBe(false);
    expect(result.config.metrics.listen).toBeUndefined();
    expect(result.config.listeners).toMatchObject([{ path: join(fixture.directory, "here.sock") }]);
    expect(result.runtimeDirectory).toBeUndefined();
  });

  test("reads --config relative to the working directory, also with --socket", async () => {
    using fixture = new FixtureHost();
    fixture.write(
      "other.toml",
      '[[listener]]\nkind = "unix"\npath = "/file"\n[log]\nlevel = "warn"\n',
    );
    const given = givenOptions({ socket: "/option" });
    const result = await loadConfig({ configFile: "other.toml", given, host: fixture.host });
    expect(configOf(result).listeners).toMatchObject([{ path: "/option", name: "unix-0" }]);
    expect(configOf(result).log.level).toBe("warn");
  });

  test("prefers an option to the file and the file to the default", async () => {
    using fixture = new FixtureHost();
    const text = '[observer]\nthreshold = "9s"\n[tracker]\ncapacity = 7\n';
    const result = success(await fixture.load(text, { "threshold-ms": "1500" }));
    expect(result.config.observer.thresholdNs).toBe(1.5e9);
    expect(result.config.tracker.capacity).toBe(7);
    expect(result.config.tracker.evictionScanWindow).toBe(256);
    expect(Object.fromEntries(result.setBy)).toEqual({
      "observer.threshold": { from: "option", option: "threshold-ms" },
      "tracker.capacity": { from: "file" },
    });
  });

  test("takes durations from either spelling", async () => {
    using fixture = new FixtureHost();
    const text =
      '[recovery]\ndebounce_ms = 30000\ntimeout = "1.5s"\n[liveness]\nshutdown_after = "0s"\n';
    const { recovery, liveness } = configOf(await fixture.load(text));
    expect(recovery.debounceNs).toBe(30e9);
    expect(recovery.timeoutNs).toBe(1.5e9);
    expect(liveness.shutdownAfterNs).toBe(0);
  });

  test("resolves users and groups by name, by number and by digits in a string", async () => {
    using fixture = new FixtureHost();
    const lists = 'allow_uids = ["varta", 5, "6", 0]\nallow_gids = ["staff"]\ngroup = "varta"\n';
    const config = configOf(
      await fixture.load(`[[listener]]\nkind = "unix"\npath = "/a"\n${lists}`),
    );
    expect(config.listeners[0]).toMatchObject({
      gid: 991,
      allowUids: [990, 5, 6, 0],
      allowGids: [50],
    });
  });

  test("counts default names per kind", async () => {
    using fixture = new FixtureHost();
    const named = '[[listener]]\nkind = "unix"\nname = "local"\npath = "/a"\n';
    const text = `${named}[[listener]]\nkind = "unix"\npath = "/b"\n`;
    const names = configOf(await fixture.load(text)).listeners.map(({ name }) => name);
    expect(names).toEqual(["local", "unix-1"]);
  });

  test("reads the token and the command from secret files", async () => {
    using fixture = new FixtureHost();
    fixture.writeSecrets();
    const listen = 'listen = "[::]:9469"\ntoken_file = "/etc/varta/good.key"\n';
    const text = `[metrics]\n${listen}[recovery]\ncommand_file = "/etc/varta/command"\n`;
    const result = success(await fixture.load(text));
    expect(Buffer.from(result.config.metrics.token!).toString("hex")).toBe(KEY.toLowerCase());
    expect(result.config.recovery.command).toEqual(["/usr/bin/systemctl", "restart", "app"]);
    expect(fixture.plain(result.config.recovery.commandSource)).toBe("/etc/varta/command");
    expect(result.warnings).toEqual(["metrics are served on ::, which is not a loopback address"]);
  });

  test("warns of allow_cross_namespace beside a listener for containers, which wins", async () => {
    using fixture = new FixtureHost();
    const listener = (name: string, key: string) =>
      `[[listener]]\nkind = "unix"\nname = "${name}"\npath = "/${name}"\n${key}\n`;
    const listeners = `${listener("pods", "containers = true")}${listener("local", "")}`;
    expect(success(await fixture.load(listeners)).warnings).toEqual([]);
    const both = `[observer]\nallow_cross_namespace = true\n${listeners}`;
    const warnings = success(await fixture.load(both)).warnings.map((line) => fixture.plain(line));
    expect(warnings).toEqual([
      "/etc/varta/varta.toml:7:14: listener pods: containers: found true beside " +
        "observer.allow_cross_namespace, over which it wins on this listener; want one of the two: " +
        "a sender in a container is known by the pid that it has there",
    ]);
  });

  test("reads the key of the audit log from a secret file", async () => {
    using fixture = new FixtureHost();
    fixture.writeSecrets();
    const text = '[audit]\nfile = "/etc/varta/a"\nkey_file = "/etc/varta/good.key"\n';
    const { config } = success(await fixture.load(text));
    expect(Buffer.from(config.audit.key!).toString("hex")).toBe(KEY.toLowerCase());
    expect(fixture.plain(config.audit.keyFile!)).toBe("/etc/varta/good.key");
  });

  test("warns of what is allowed and yet worth a word", async () => {
    using fixture = new FixtureHost();
    const text =
      '[recovery]\ncommand = ["true"]\ninherit_env = true\n[export]\nfile = "/e"\nmax_bytes = 128\n';
    expect(success(await fixture.load(text, { "read-timeout-ms": "100" })).warnings).toEqual([
      "--read-timeout-ms has no effect here",
      "recovery commands inherit the whole environment of the daemon",
      "export.max_bytes is 128: the file is rotated every few events",
    ]);
  });
});

describe("loadConfig() refuses", () => {
  async function failureOf(text: string | Uint8Array): Promise<string> {
    using fixture = new FixtureHost();
    const path = fixture.write("varta.toml", "");
    await Bun.write(path, text);
    const result = await loadConfig({ configFile: path, given: [], host: fixture.host });
    if (result.ok) throw new Error("the file was accepted");
    expect(result.exitCode).toBe(78);
    return fixture.plain(result.text);
  }

  test("a file that is missing, and never takes it for defaults", async () => {
    using fixture = new FixtureHost();
    const result = await loadConfig({ configFile: "none.toml", given: [], host: fixture.host });
    expect(result).toMatchObject({ ok: false, exitCode: 78 });
    if (result.ok) return;
    expect(fixture.plain(result.text)).toBe(
      "/etc/varta/none.toml: found no such file; want a configuration file that the daemon can read\n" +
        "varta-watch: 1 problem in /etc/varta/none.toml\n",
    );
  });

  test("a directory", async () => {
    using fixture = new FixtureHost();
    const configFile = fixture.directory;
    const result = await loadConfig({ configFile, given: [], host: fixture.host });
    expect(result).toMatchObject({
      ok: false,
      problems: [{ text: expect.stringContaining("found a directory") }],
    });
  });

  test("a FIFO, without waiting for a process to write into it", async () => {
    using fixture = new FixtureHost();
    const configFile = join(fixture.directory, "fifo");
    Bun.spawnSync(["mkfifo", configFile]);
    const result = await loadConfig({ configFile, given: [], host: fixture.host });
    expect(result).toMatchObject({
      ok: false,
      problems: [{ text: "found a FIFO; want a regular file" }],
    });
  });

  test("bytes that are not UTF-8", async () => {
    const cases: readonly (readonly [number[], string])[] = [
      [[0x61, 0xff], ':1:2: found the byte 0xff, which is not UTF-8; in Latin-1 it would be "ÿ"'],
      [[0x23, 0x0a, 0xc3, 0xa4, 0x80], ":2:2: found the byte 0x80, which is not UTF-8;"],
      [[0x23, 0xe2, 0x82], ":1:2: found the byte 0xe2, which is not UTF-8;"],
      [[0xff, 0xfe, 0x61, 0x00], ":1:1: found a file in UTF-16; want a TOML file in UTF-8"],
    ];
    for (const [bytes, words] of cases) {
      expect(await failureOf(new Uint8Array(bytes))).toContain(words);
    }
  });

  test("more than 1 MiB", async () => {
    expect(await failureOf(`#${"x".repeat(1_048_576)}`)).toContain(
      "found more than 1 MiB; want at most 1 MiB",
    );
    using fixture = new FixtureHost();
    expect((await fixture.load(`#${"x".repeat(1_048_575)}`)).ok).toBe(true);
  });

  test("more listeners than the daemon has numbers for", async () => {
    using fixture = new FixtureHost();
    const text = Array.from(
      { length: 65 },
      (_, number) => `[[listener]]\nkind = "unix"\npath = "/run/${number}.sock"\n`,
    );
    expect((await fixture.load(text.slice(1).join(""))).ok).toBe(true);
    const result = await fixture.load(text.join(""));
    if (result.ok) throw new Error("the file was accepted");
    expect(result.text).toContain(
      ":194:1: 65th [[listener]]: kind: found 65 listeners; want at most 64\n",
    );
  });

  test("more problems than it shows", async () => {
    const keys = Array.from({ length: 60 }, (_, index) => `unknown_${index} = 1`);
    const text = await failureOf(`[observer]\n${keys.join("\n")}\n`);
    const lines = text.trimEnd().split("\n");
    expect(lines.length).toBe(52);
    expect(lines[49]).toStartWith("/etc/varta/varta.toml:51:1: observer.unknown_49: ");
    expect(lines[50]).toBe("... and 10 more");
    expect(lines[51]).toBe("varta-watch: 60 problems in /etc/varta/varta.toml");
  });

  test("boottime and allow lists on other platforms than Linux", async () => {
    using fixture = new FixtureHost({ platform: "darwin" });
    const listener =
      '[[listener]]\nkind = "unix"\npath = "/a"\nallow_uids = [0]\ncontainers = true\n';
    const result = await fixture.load(`[observer]\nclock_source = "boottime"\n${listener}`);
    if (result.ok) throw new Error("the file was accepted");
    expect(result.problems.map(({ key, text }) => `${key}: ${text}`)).toEqual([
      'observer.clock_source: found "boottime" on darwin; want "monotonic" or "monotonic-raw": only Linux has a clock that counts suspend',
      "listener[0].allow_uids: found an allow list on darwin, where beats carry no credentials; want no such key",
      "listener[0].containers: found true on darwin, where beats carry no credentials; want false",
    ]);
  });

  test("a stream listener on other platforms than Linux", async () => {
    using fixture = new FixtureHost({ platform: "darwin" });
    const result = await fixture.load('[[listener]]\nkind = "unix-stream"\npath = "/a"\n');
    if (result.ok) throw new Error("the file was accepted");
    expect(result.problems.map(({ key, text }) => `${key}: ${text}`)).toEqual([
      'listener[0].kind: found "unix-stream" on darwin, where frames carry no credentials; want a listener of another kind',
    ]);
  });

  test("a secret file of another owner", async () => {
    using fixture = new FixtureHost({ uid: process.getuid!() + 1 });
    fixture.writeSecrets();
    const result = await fixture.load('[recovery]\ncommand_file = "/etc/varta/command"\n');
    expect(result).toMatchObject({
      problems: [{ text: expect.stringContaining(`owned by uid ${process.getuid!()}; want uid`) }],
    });
  });
});

test("a good file never loads the parser that finds positions", async () => {
  const directory = join(import.meta.dir, "../..");
  const script = `
    import { loadConfig, systemHost } from "./src/config/load.ts";
    const result = await loadConfig({ configFile: "varta.toml.example", given: [], host: systemHost() });
    const loaded = Object.keys(require.cache).some((file) => file.includes("toml-eslint-parser"));
    console.log(result.ok, loaded);
  `;
  const child = Bun.spawnSync([process.execPath, "-e", script], { cwd: directory });
  expect(child.stdout.toString()).toBe("true false\n");
});

test("systemHost() is this process and the usual files", () => {
  const host = systemHost();
  expect(host.uid).toBe(process.geteuid!());
  expect(host.defaultConfigFile).toBe("/etc/varta/varta.toml");
});

test("a file that appears later is read on the next load", async () => {
  using fixture = new FixtureHost();
  fixture.write("later.toml", "[tracker]\ncapacity = 9\n");
  expect(configOf(await fixture.loadOptions({})).bareRun).toBe(true);
  renameSync(join(fixture.directory, "later.toml"), fixture.host.defaultConfigFile);
  expect(configOf(await fixture.loadOptions({})).tracker.capacity).toBe(9);
});
