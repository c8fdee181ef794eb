// `varta-watch doctor` beside the real daemon, and without one: what is made wrong on this host is
// found by the very program.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { LockFile } from "../../src/files/lock_file.ts";
import { runCommand } from "../support/command.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { NO_OTHER_USERS } from "../support/other_users.ts";
import { PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

afterAll(endLeftovers);

interface Line {
  readonly check: string;
  readonly result: string;
  readonly severity?: string;
  readonly found?: string;
}

async function doctor(file: string, ...args: readonly string[]) {
  return await runCommand([...PROGRAM, "doctor", "-c", file, ...args]);
}

async function doctorLines(file: string) {
  const { stdout, exitCode } = await doctor(file, "--json");
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  return { exitCode, of: (name: string) => lines.find(({ check }) => check === name)!, lines };
}

describe("varta-watch doctor", () => {
  test("finds beside the daemon what was made wrong, and the start has logged it", async () => {
    const config =
      '[[listener]]\nkind = "unix"\npath = "varta.sock"\n' +
      '[[agent]]\nname = "a"\nmatch = { user = "nobody" }\nexpect = 100000\n' +
      "[tracker]\ncapacity = 100000\n";
    using directory = new TemporaryDirectory();
    const file = directory.at("varta.toml");
    const text = config.replace("varta.sock", directory.at("varta.sock"));
    writeFileSync(file, text);
    await using daemon = await DaemonProcess.start({
      config: text,
      ownListeners: true,
      metrics: false,
    });
    const found = daemon.lines.filter(({ msg }) => msg === "doctor finding");
    expect(found.map(({ fields }) => fields.get("severity"))).toEqual(["fault", "fault"]);

    const first = await doctorLines(file);
    expect(first.exitCode).toBe(2);
    expect(first.of("daemon").result).toBe("passed");
    expect(first.of("queue_length")).toMatchObject({ result: "found", severity: "fault" });
    expect(first.of("who_cannot_send").found).toContain("nobody");
    expect(first.of("socket_path").result).toBe("passed");
    const { stdout } = await doctor(file);
    expect(stdout).toMatch(/^\S+: \d+ checks, [23] faults?, /);
  });

  test.skipIf(NO_OTHER_USERS !== "")(
    "says what a socket holds, also after the setting of its namespace was changed",
    async () => {
      using directory = new TemporaryDirectory();
      const socket = directory.at("varta.sock");
      const rule = '[[agent]]\nname = "a"\nmatch = { comm = "a" }\nexpect = 40\n';
      const config = `[[listener]]\nkind = "unix"\npath = "${socket}"\n${rule}`;
      const file = directory.at("varta.toml");
      writeFileSync(file, config);
      const options = { config, ownListeners: true, metrics: false };
      await using daemon = await DaemonProcess.start({ ...options, as: ["unshare", "-n"] });
      const inside = ["nsenter", "-n", "-t", `${daemon.pid}`];
      const set = "echo 512 > /proc/sys/net/unix/max_dgram_qlen";
      expect((await runCommand([...inside, "sh", "-c", set])).exitCode).toBe(0);
      for (const where of [inside, []]) {
        const argv = [...where, ...PROGRAM, "doctor", "-c", file];
        const { stdout } = await runCommand(argv);
        expect(stdout).toContain("The receive queue holds 10 beats; 40 expected members");
        const asksForSetting = stdout.includes("sysctl");
        // Elsewhere the setting of the namespace cannot be known.
        expect(asksForSetting).toBe(where.length === 0);
      }
    },
  );

  test.skipIf(NO_OTHER_USERS !== "")(
    "calls nothing wrong for a user who may neither ask nor read",
    async () => {
      using directory = new TemporaryDirectory();
      const file = directory.at("varta.toml");
      const config = `[[listener]]\nkind = "unix"\npath = "${directory.at("varta.sock")}"\n`;
      writeFileSync(file, config, { mode: 0o600 });
      const options = { config, ownListeners: true, metrics: false };
      await using daemon = await DaemonProcess.start(options);
      expect(daemon.pid).toBeGreaterThan(0);
      const somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      const control = ["--control", directory.at("control.sock")];
      const argv = [...somebody, ...PROGRAM, "doctor", "-c", file, ...control];
      const { stdout, exitCode } = await runCommand(argv);
      expect(exitCode).toBe(0);
      expect(stdout).not.toMatch(/^(fault|warning)/m);
      expect(stdout).toContain("it needs root (configuration).\n");
    },
  );

  test("finds a state file that another daemon holds, and says nothing of one that is kept", async () => {
    for (const isHeld of [true, false]) {
      using directory = new TemporaryDirectory();
      const socket = directory.at("varta.sock");
      const config = `[[listener]]\nkind = "unix"\npath = "${socket}"\n`;
      const file = directory.at("varta.toml");
      writeFileSync(file, config);
      const lock = isHeld ? LockFile.take(`${socket}.state.lock`, process.geteuid!()) : undefined;
      await using daemon = await DaemonProcess.start({
        config,
        ownListeners: true,
        metrics: false,
      });
      const { of } = await doctorLines(file);
      lock?.[Symbol.dispose]();
      expect(daemon.pid).toBeGreaterThan(0);
      if (!isHeld) expect(of("state_file")).toMatchObject({ result: "passed" });
      else
        expect(of("state_file")).toMatchObject({
          severity: "warning",
          found: expect.stringContaining(`found it held by pid ${process.pid}.`),
        });
    }
  });

  test("works without a daemon, and says what it could not check", async () => {
    using directory = new TemporaryDirectory();
    const file = directory.at("varta.toml");
    writeFileSync(file, `[[listener]]\nkind = "unix"\npath = "${directory.at("varta.sock")}"\n`);
    const { exitCode, of, lines } = await doctorLines(file);
    expect(exitCode).toBe(2);
    expect(of("daemon")).toMatchObject({ result: "found", severity: "fault" });
    expect(of("configuration").result).toBe("passed");
    expect(of("capacity").result).toBe("left_out");
    expect(lines.length).toBeGreaterThan(20);
  });

  test("reports the problems that check has with the file", async () => {
    using directory = new TemporaryDirectory();
    const file = directory.at("varta.toml");
    writeFileSync(file, "[observer]\nthreshold = 0\n");
    const { exitCode, of } = await doctorLines(file);
    expect(exitCode).toBe(2);
    expect(of("configuration").found).toContain("has 1 problem: the next start would not take it.");
    expect(of("space").result).toBe("left_out");
    expect((await doctor(file, "--print", "polkit")).exitCode).toBe(3);
  });

  test("prints the rule of polkit for the units of the plans", async () => {
    using directory = new TemporaryDirectory();
    const file = directory.at("varta.toml");
    const plan = '[[recovery.plan]]\nname = "p"\nstep = [{ restart_unit = "db.service" }]\n';
    const listener = `[[listener]]\nkind = "unix"\npath = "${directory.at("varta.sock")}"\n`;
    writeFileSync(file, listener + plan);
    const { stdout, exitCode } = await doctor(file, "--print", "polkit");
    expect(stdout).toContain('var RESTARTED = ["db.service"];\n');
    expect(exitCode).toBe(0);
    writeFileSync(file, listener);
    expect(await doctor(file, "--print", "polkit")).toMatchObject({ exitCode: 3, stdout: "" });
  });

  test("takes no other word for Prometheus than a URL", async () => {
    const { exitCode, stderr } = await doctor("/dev/null", "--prometheus", "ftp://x");
    expect(exitCode).toBe(64);
    expect(stderr).toContain('found "ftp://x"; want a URL');
  });
});
