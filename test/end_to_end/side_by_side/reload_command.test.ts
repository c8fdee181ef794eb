// "varta-watch reload" against the real daemon (spec 17): what it prints, how it ends, and what the
// daemon keeps of it.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { ServiceManager } from "../../daemon/service_manager.ts";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

function reload(daemon: DaemonProcess, ...args: string[]): Promise<CommandResult> {
  const path = daemon.path("control.sock");
  return runCommand([...PROGRAM, "reload", "--control", path, ...args]);
}

const RATE = (value: number) => `[limits]\nglobal_rate = ${value}\n`;
/** Where the time that it took is. */
const TOOK = / in \d+(ms|\.\ds)\. /;

describe.concurrent("varta-watch reload", () => {
  test("takes a changed file over, says what has changed, and is a row of the audit log", async () => {
    using directory = new TemporaryDirectory();
    const audit = `[audit]\nfile = "${directory.at("audit.log")}"\n`;
    const rule = (threshold: string) =>
      `[[agent]]\nname = "worker"\nmatch = { comm = "none" }\nthreshold = "${threshold}"\n`;
    await using daemon = await DaemonProcess.start({
      directory: directory.path,
      config: `${RATE(7)}${audit}${rule("5s")}`,
    });
    const file = daemon.path("varta.toml");
    writeFileSync(file, `${RATE(8)}${audit}${rule("2s")}`);

    const tried = await reload(daemon, "--dry-run");
    expect(tried.stdout.replace(TOOK, " in Xms. ")).toBe(
      `Read ${file} in Xms. 2 changes:\n\n` +
        "  limits          global_rate  7 -> 8\n" +
        "  agent worker    threshold    5s -> 2s          0 members\n\nNothing was applied.\n",
    );
    expect([tried.stderr, tried.exitCode]).toEqual(["", 0]);
    expect(daemon.saying("reloaded")).toEqual([]);

    const done = await reload(daemon);
    expect(done.stdout.replace(TOOK, " in Xms. ")).toBe(
      `Loaded ${file} in Xms. 2 changes:\n\n` +
        "  limits          global_rate  7 -> 8\n" +
        "  agent worker    threshold    5s -> 2s          0 members\n\nNo beat was lost, no member forgotten.\n",
    );
    expect([done.stderr, done.exitCode]).toEqual(["", 0]);
    await daemon.untilSays("act done");
    expect(daemon.saying("configuration changed")[1]!.fields.get("change")).toBe(
      "threshold of agent worker: 5s -> 2s, 0 members",
    );

    const again = await reload(daemon, "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ v: 1, file, applied: true, changes: [] });
    expect(await daemon.stop()).toBe(0);
    const rows = readFileSync(daemon.path("audit.log"), "utf8").split("\n");
    const acts = rows.map((row) => row.split("\t")).filter(([, , , kind]) => kind === "act");
    expect(acts.map((row) => row.slice(8, 12))).toEqual([
      ["reload", "-", "done", "2 changes"],
      ["reload", "-", "done", "0 changes"],
    ]);
  });

  test("prints every problem with its place, and ends with 78; the service goes on", async () => {
    using manager = new ServiceManager();
    await using daemon = await DaemonProcess.start({
      config: RATE(7),
      env: { NOTIFY_SOCKET: manager.name },
    });
    const file = daemon.path("varta.toml");
    const texts: string[] = [];
    const refused = async (args: string[] = []) => {
      const { stdout, stderr, exitCode } = await reload(daemon, ...args);
      // Its queue takes ten.
      texts.push(...manager.read());
      expect(exitCode).toBe(78);
      return [stdout, stderr];
    };
    const nothing = (what: string) => `varta-watch: error: ${what}: nothing was applied\n`;
    writeFileSync(file, "[limits]\nglobal_rate = -1\nglobal_bursd = 7\n");
    expect(await refused()).toEqual([
      expect.stringMatching(
        new RegExp(`^${file}:2:15: limits.global_rate: found .*\n${file}:3:1: `),
      ),
      nothing("2 problems"),
    ]);
    expect(await refused(["--dry-run"])).toEqual([
      expect.stringContaining(`${file}:2:15: `),
      nothing("2 problems"),
    ]);
    const [json] = await refused(["--json"]);
    expect(JSON.parse(json!)).toMatchObject({ applied: false, problems: [{}, {}] });
    rmSync(file);
    expect(await refused()).toEqual([
      `${file}: found no such file; want a configuration file that the daemon can read\n`,
      nothing("1 problem"),
    ]);
    writeFileSync(file, '[observer]\nclock_source = "boottime"\n');
    expect(await refused()).toEqual([
      expect.stringContaining('"monotonic" -> "boottime" takes a restart'),
      `${nothing("1 key takes a restart")}varta-watch: hint: systemctl restart varta-watch\n`,
    ]);
    const begun = texts.filter((text) => text.startsWith("RELOADING=1\nMONOTONIC_USEC="));
    expect(begun).toHaveLength(4);
    expect(texts.at(-1)).toStartWith(`READY=1\nSTATUS=reload failed: ${file}:2:16; `);

    writeFileSync(file, RATE(9));
    expect((await reload(daemon)).exitCode).toBe(0);
    expect(manager.read().at(-1)).not.toContain("reload failed");
    expect(await daemon.stop()).toBe(0);
  });

  test("of a daemon that was started by options says so, with 78", async () => {
    await using daemon = await DaemonProcess.start();
    expect(await reload(daemon)).toEqual({
      stdout: "the daemon was started without a configuration file\n",
      stderr: "varta-watch: error: 1 problem: nothing was applied\n",
      exitCode: 78,
    });
  });

  test("asked for by many at once is one reload for all that came before it began", async () => {
    await using daemon = await DaemonProcess.start({ config: RATE(7) });
    writeFileSync(daemon.path("varta.toml"), RATE(8));
    const answers = await Promise.all([1, 2, 3, 4].map(() => reload(daemon)));
    expect(answers.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(answers.filter(({ stdout }) => stdout.includes("7 -> 8"))).not.toEqual([]);
    await daemon.untilSays("configuration changed");
    expect(daemon.saying("configuration changed")).toHaveLength(1);
  });

  test("has the export go on in a new file at once where somebody has moved it, and is in it", async () => {
    using directory = new TemporaryDirectory();
    const events = directory.at("events.tsv");
    await using daemon = await DaemonProcess.start({
      directory: directory.path,
      config: `[export]\nfile = "${events}"\n`,
    });
    await until("the first line", () => existsSync(events) && readFileSync(events).length > 0);
    renameSync(events, `${events}.1`);
    daemon.signal("SIGHUP");
    await until("the new file", () => existsSync(events) && readFileSync(events).length > 0);
    const [line] = readFileSync(events, "utf8").split("\n");
    expect(line!.split("\t").slice(1, 6)).toEqual([
      "reload",
      String(daemon.pid),
      "-",
      "-",
      `${daemon.path("varta.toml")}: nothing changed`,
    ]);
  });
});
