// Every option that sets a key: what it sets, what it refuses, and how it is blamed (spec 07
// section 3).
import { describe, expect, test } from "bun:test";
import { parseArguments } from "../../src/cli/arguments.ts";
import type { LoadResult } from "../../src/config/load_result.ts";
import { CONFIG_OPTIONS, OPTIONS_OF_CONFIG } from "../../src/config/options.ts";
import { FixtureHost } from "./fixture_host.ts";

/**
 * Option, a good value, the part of the configuration that it changes, and a bad value (undefined:
 * any text is good).
 */
const SET: [string, string, object, string | undefined][] = [
  ["socket", "/s", { listeners: [{ path: "/s" }] }, ""],
  ["socket-mode", "0660", { listeners: [{ mode: 0o660 }] }, "888"],
  ["uds-rcvbuf-bytes", "5", { listeners: [{ rcvbufBytes: 5 }] }, "-1"],
  ["threshold-ms", "10", { observer: { thresholdNs: 10e6 } }, "9"],
  ["clock-source", "boottime", { observer: { clockSource: "boottime" } }, "wall"],
  ["allow-cross-namespace-agents", "true", { observer: { allowCrossNamespace: true } }, "1"],
  ["strict-namespace-check", "true", { observer: { strictNamespace: true } }, "yes"],
  ["tracker-capacity", "9", { tracker: { capacity: 9 } }, "0"],
  ["tracker-eviction-policy", "balanced", { tracker: { evictionPolicy: "balanced" } }, "lru"],
  ["eviction-scan-window", "4096", { tracker: { evictionScanWindow: 4096 } }, "4097"],
  ["max-beat-rate", "0", { limits: { perPidRate: 0 } }, "x"],
  ["global-beat-rate", "7", { limits: { globalRate: 7 } }, "4294967296"],
  ["global-beat-burst", "8", { limits: { globalBurst: 8 } }, "-1"],
  ["recovery-exec", " a  b ", { recovery: { command: ["a", "b"] } }, " "],
  [
    "recovery-exec-file",
    "command",
    { recovery: { command: ["/usr/bin/systemctl", "restart", "app"] } },
    "",
  ],
  ["recovery-debounce-ms", "0", { recovery: { debounceNs: 0 } }, "1s"],
  ["recovery-env", "A=b=c", { recovery: { env: { A: "b=c" } } }, "A"],
  ["recovery-inherit-env", "true", { recovery: { inheritEnv: true } }, ""],
  ["recovery-timeout-ms", "100", { recovery: { timeoutNs: 100e6 } }, "99"],
  ["recovery-capture-stdio", "false", { recovery: { capture: false } }, "no"],
  ["dry-run", "true", { recovery: { dryRun: true } }, "1"],
  ["recovery-capture-bytes", "1", { recovery: { captureBytes: 1 } }, "0"],
  ["shutdown-grace-ms", "60000", { recovery: { shutdownGraceNs: 60e9 } }, "60001"],
  [
    "prom-addr",
    "127.0.0.1:0",
    { metrics: { listen: { kind: "tcp", host: "127.0.0.1", port: 0 } } },
    ":0",
  ],
  ["prom-token-file", "good.key", { metrics: { token: expect.any(Uint8Array) } }, ""],
  ["prom-rate-limit-per-sec", "0", { metrics: { rateLimitPerSec: 0 } }, "-5"],
  ["prom-rate-limit-burst", "3", { metrics: { rateLimitBurst: 3 } }, "3.5"],
  ["scrape-budget-ms", "50", { metrics: { scrapeBudgetNs: 50e6 } }, "49"],
  ["export-file", "/e", { export: { file: "/e" } }, ""],
  ["export-file-max-bytes", "128", { export: { maxBytes: 128 } }, "127"],
  ["export-file-sync-every", "1", { export: { syncEvery: 1 } }, "-1"],
  ["heartbeat-file", "/h", { liveness: { heartbeatFile: "/h" } }, ""],
  ["self-watchdog-secs", "1", { liveness: { selfWatchdogNs: 1e9 } }, "0"],
  ["hw-watchdog", "/dev/watchdog", { liveness: { hwWatchdog: "/dev/watchdog" } }, ""],
  ["iteration-budget-ms", "60000", { liveness: { iterationBudgetNs: 60e9 } }, "60001"],
  ["shutdown-after-secs", "0", { liveness: { shutdownAfterNs: 0 } }, "-1"],
  ["recovery-audit-file", "/a", { audit: { file: "/a" } }, ""],
  ["recovery-audit-max-bytes", "4096", { audit: { maxBytes: 4096 } }, "4095"],
  ["recovery-audit-sync-every", "1", { audit: { syncEvery: 1 } }, "0"],
  ["audit-fsync-budget-ms", "1", { audit: { fsyncBudgetNs: 1e6 } }, "0"],
  ["audit-sync-interval-ms", "0", { audit: { syncIntervalNs: 0 } }, "-1"],
  ["log-level", "error", { log: { level: "error" } }, "fatal"],
  ["log-format", "json", { log: { format: "json" } }, "JSON"],
  ["audit-rotation-budget-ms", "250", { audit: { rotationBudgetNs: 250e6 } }, "251"],
  ["read-timeout-ms", "1000", {}, "1001"],
  ["signal-handler-mode", "libc", {}, "signalfd"],
];

/** Options that make a listener together. */
const LISTENERS: [string[], object][] = [
  [
    ["--udp-port=7878", "--i-accept-plaintext-udp"],
    { kind: "udp", address: "0.0.0.0", port: 7878, acceptPlaintext: true },
  ],
  [
    ["--udp-port=7878", "--udp-bind-addr=127.0.0.1", "--key-file=good.key"],
    { kind: "secure-udp", address: "127.0.0.1", port: 7878, keyFile: expect.any(String) },
  ],
  [
    [
      "--udp-port=7878",
      "--udp-bind-addr=192.0.2.1",
      "--accepted-key-file=good.key",
      "--i-accept-secure-udp-non-loopback",
    ],
    { kind: "secure-udp", address: "192.0.2.1", acceptNonLoopback: true },
  ],
  [
    [
      "--udp-port=7878",
      "--master-key-file=good.key",
      "--recovery-exec=true",
      "--secure-udp-i-accept-recovery-on-unauthenticated-transport",
    ],
    { kind: "secure-udp", masterKeyFile: expect.any(String), acceptRecovery: true },
  ],
  [
    [
      "--udp-port=7878",
      "--i-accept-plaintext-udp",
      "--recovery-exec=true",
      "--plaintext-udp-i-accept-recovery-on-unauthenticated-transport=false",
    ],
    { kind: "udp", acceptRecovery: false },
  ],
];

const FLAGS = new Set(
  CONFIG_OPTIONS.filter(({ value }) => value === undefined).map(({ name }) => name),
);

async function load(argv: readonly string[], text?: string): Promise<LoadResult> {
  using fixture = new FixtureHost();
  fixture.writeSecrets();
  const { invocation, problems } = parseArguments(["run", ...argv], OPTIONS_OF_CONFIG);
  expect(problems).toEqual([]);
  const options: Record<string, string> = {};
  for (const { name, value } of invocation.given) options[name] = value;
  return text === undefined
    ? await fixture.loadOptions(options)
    : await fixture.load(text, options);
}

async function problemTexts(argv: readonly string[], text?: string): Promise<[number, string[]]> {
  const result = await load(argv, text);
  if (result.ok) throw new Error("the options were accepted");
  return [result.exitCode, result.problems.map((problem) => `${problem.key}: ${problem.text}`)];
}

/** Options that mean something only beside this one. */
function companions(name: string): string[] {
  return name === "prom-token-file" ? ["--prom-addr=127.0.0.1:1"] : [];
}

describe("option", () => {
  for (const [name, value, part, bad] of SET) {
    test(`--${name} sets its key in both forms and refuses a bad value`, async () => {
      const joined = await load([`--${name}=${value}`, ...companions(name)]);
      if (!joined.ok) throw new Error(joined.text);
      expect(joined.config).toMatchObject(part);
      const bare = value === "true" ? [`--${name}`] : [`--${name}`, value];
      if (!FLAGS.has(name) || value === "true") {
        const apart = await load([...bare, ...companions(name)]);
        if (!apart.ok) throw new Error(apart.text);
        expect(apart.config).toMatchObject(part);
      }
      if (bad === undefined) return;
      const [exitCode, texts] = await problemTexts([`--${name}=${bad}`]);
      expect(exitCode).toBe(64);
      expect(texts).toEqual([expect.stringMatching(new RegExp(`^--${name}: found .+; want .+`))]);
    });
  }

  for (const [argv, listener] of LISTENERS) {
    test(`${argv.join(" ")} makes a listener`, async () => {
      const result = await load(argv);
      if (!result.ok) throw new Error(result.text);
      expect(result.config.listeners).toEqual([expect.objectContaining(listener)]);
    });
  }

  test("is covered by one of the lists above", () => {
    const covered = new Set(SET.map(([name]) => name));
    covered.add("i-accept-recovery-on-unauthenticated-transport");
    for (const [argv] of LISTENERS)
      for (const word of argv) covered.add(word.slice(2).split("=")[0]!);
    expect(CONFIG_OPTIONS.map(({ name }) => name).filter((name) => !covered.has(name))).toEqual([]);
  });
});

describe("options", () => {
  test("show the default of their key in help", () => {
    const helps = new Map(CONFIG_OPTIONS.map(({ name, help }) => [name, help]));
    expect(helps.get("threshold-ms")).toEndWith("(5000)");
    expect(helps.get("socket-mode")).toEndWith("(0600)");
    expect(helps.get("log-level")).toEndWith("(info)");
    expect([...helps.values()].filter((help) => /[{}]|undefined|NaN/.test(help))).toEqual([]);
  });

  const UNIX = '[[listener]]\nkind = "unix"\npath = "/a"\n';

  test("of a listener reach every listener of that kind", async () => {
    const text = `${UNIX}[[listener]]\nkind = "unix"\npath = "/b"\n`;
    const result = await load(["--socket-mode=0660"], text);
    if (!result.ok) throw new Error(result.text);
    expect(result.config.listeners).toMatchObject([{ mode: 0o660 }, { mode: 0o660 }]);
  });

  test("of a listener that is not there are warned about", async () => {
    const result = await load(["--i-accept-plaintext-udp"]);
    expect(result).toMatchObject({
      ok: true,
      warnings: ["--i-accept-plaintext-udp has no effect: there is no udp listener"],
    });
  });

  test("an address without a port is said to have no effect, if it is one", async () => {
    expect(await load(["--udp-bind-addr=::1"])).toMatchObject({
      ok: true,
      warnings: ["--udp-bind-addr has no effect: there is no --udp-port"],
    });
    expect(await problemTexts(["--udp-bind-addr=nowhere"])).toEqual([
      64,
      [expect.stringMatching(/^--udp-bind-addr: found "nowhere"; want an IPv4 or IPv6 address/)],
    ]);
  });

  test.each(["9000001", "4294967295", "18446744073709551615"])(
    "--global-beat-burst %s is brought down to the limit, and says so",
    async (value) => {
      const result = await load([`--global-beat-burst=${value}`]);
      if (!result.ok) throw new Error(result.text);
      expect(result.config.limits.globalBurst).toBe(9_000_000);
      expect(result.warnings).toEqual([
        `--global-beat-burst: found ${value}; 9000000, the most there is, is used instead`,
      ]);
    },
  );

  test.each(["600", "0600", "0o600", "0O600"])("--socket-mode %s is one mode", async (mode) => {
    expect(await load([`--socket-mode=${mode}`])).toMatchObject({
      config: { listeners: [{ mode: 0o600 }] },
    });
  });

  test("the older option about recovery is taken for both kinds, and names the two newer ones", async () => {
    const older = "--i-accept-recovery-on-unauthenticated-transport";
    const udp = ["--udp-port=7878", "--recovery-exec=true"];
    const warning =
      `${older} is an older name: use --secure-udp-i-accept-recovery-on-unauthenticated-transport ` +
      "and --plaintext-udp-i-accept-recovery-on-unauthenticated-transport";
    const plain = await load([...udp, "--i-accept-plaintext-udp", older]);
    const secure = await load([...udp, "--key-file=good.key", older]);
    for (const result of [plain, secure]) {
      if (!result.ok) throw new Error(result.text);
      expect(result.config.listeners).toMatchObject([{ acceptRecovery: true }]);
      expect(result.warnings).toEqual([warning]);
    }
    const newer = "--plaintext-udp-i-accept-recovery-on-unauthenticated-transport=false";
    expect(await load([newer, ...udp, "--i-accept-plaintext-udp", older])).toMatchObject({
      config: { listeners: [{ acceptRecovery: false }] },
    });
  });

  test("--recovery-env adds to the table of the file, and the last scalar wins", async () => {
    using fixture = new FixtureHost();
    const argv = ["--recovery-env=A=1", "--recovery-env", "B=2"];
    const capacity = ["--tracker-capacity=1", "--tracker-capacity=2"];
    const { invocation } = parseArguments([...argv, ...capacity], OPTIONS_OF_CONFIG);
    fixture.write("default.toml", '[recovery]\nenv = { A = "0", C = "3" }\n');
    const { loadConfig } = await import("../../src/config/load.ts");
    const { given } = invocation;
    const result = await loadConfig({ configFile: undefined, given, host: fixture.host });
    if (!result.ok) throw new Error(result.text);
    expect(result.config.recovery.env).toEqual({ A: "1", B: "2", C: "3" });
    expect(result.config.tracker.capacity).toBe(2);
  });

  test("exclude each other: exit 64 among themselves, 78 if the file has a part in it", async () => {
    expect(await problemTexts(["--recovery-exec=a", "--recovery-exec-file=command"])).toEqual([
      64,
      ["--recovery-exec-file: found a second recovery command; want one of the two"],
    ]);
    const withFile = await problemTexts(
      ["--recovery-exec-file=command"],
      '[recovery]\ncommand = ["a"]\n',
    );
    expect(withFile[0]).toBe(78);
  });

  test("name the option that is missing", async () => {
    expect(await problemTexts(["--udp-port=1", "--recovery-exec=a"])).toEqual([
      64,
      [
        "--udp-port: found no --i-accept-plaintext-udp; want --i-accept-plaintext-udp, because any sender who reaches the port can forge beats, or a key option such as --key-file",
        "--udp-port: found no --plaintext-udp-i-accept-recovery-on-unauthenticated-transport; want it as =true or =false, because there is a recovery command",
      ],
    ]);
    expect(await problemTexts(["--prom-addr=0.0.0.0:1"])).toEqual([
      64,
      [
        '--prom-addr: found "0.0.0.0:1", not a loopback address; want --prom-token-file beside it, or a loopback or unix: address',
      ],
    ]);
  });

  test("naming a bad secret file are a matter of the configuration: exit 78", async () => {
    const [exitCode, texts] = await problemTexts(["--recovery-exec-file=agents.key"]);
    expect(exitCode).toBe(78);
    expect(texts[0]).toEndWith("agents.key with mode 0644; want mode 0600 or stricter");
  });

  test("with a value of the wrong kind do not show what may be a secret", async () => {
    expect(await problemTexts(["--recovery-env=hush"])).toEqual([
      64,
      ['--recovery-env: found a text without "="; want KEY=VALUE, the KEY not empty'],
    ]);
  });
});
