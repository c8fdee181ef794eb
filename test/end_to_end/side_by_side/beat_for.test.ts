// "varta-watch beat --for" and "--stdin", and the functions for shell scripts, against the real
// daemon: the cron job is that of its page.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { RawClient } from "../../http/raw_client.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { NO_OTHER_USERS } from "../../support/other_users.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const ROOT = resolve(import.meta.dir, "../../..");
const STRANGER = 65_531;
const BEAT = [...PROGRAM, "beat"];

function openDaemon(extra = ""): Promise<DaemonProcess> {
  const config = `${extra}\n[[agent]]\nname = "backup"\nmatch = { comm = "backup.sh" }\nthreshold = "60s"\n`;
  return DaemonProcess.start({ config, metrics: false });
}

/** Runs a script as backup.sh, with the program in its PATH. */
async function runScript(daemon: DaemonProcess, script: string) {
  using directory = new TemporaryDirectory();
  symlinkSync(PROGRAM[0]!, directory.at("varta-watch"));
  writeFileSync(directory.at("backup.sh"), script, { mode: 0o755 });
  const env = [
    `VARTA_CONTROL=${daemon.path("control.sock")}`,
    `PATH=${directory.path}:${process.env["PATH"]}`,
  ];
  return await runCommand(["env", ...env, directory.at("backup.sh")]);
}

describe.concurrent("varta-watch beat --for", () => {
  test("makes the cron job of the page a member that beats and ends cleanly", async () => {
    await using daemon = await openDaemon();
    using directory = new TemporaryDirectory();
    for (const name of ["srv", "srv/a", "srv/b", "backups"]) mkdirSync(directory.at(name));
    const page = readFileSync(resolve(ROOT, "docs/supervise/shell.md"), "utf8");
    const job = /```sh\n(#!\/bin\/sh\n[^`]*)```/.exec(page)![1]!;
    expect(job.trimEnd().split("\n")).toHaveLength(5);
    const here = job
      .replaceAll("/srv", directory.at("srv"))
      .replaceAll("/var/backups", directory.at("backups"));

    const { stdout, stderr, exitCode } = await runScript(daemon, here);
    expect(stderr.replaceAll(/^tar: .*\n/gm, "")).toBe("");
    expect([stdout, exitCode]).toEqual(["", 0]);
    await until("its end", () => daemon.saying("member gone").length === 1);
    expect(daemon.saying("member came")[0]!.fields.get("agent")).toBe("backup");
    expect(daemon.saying("member gone")[0]!.fields.get("exit_status")).toBe("0");
    expect((await daemon.state()).listeners[0]).toMatchObject({ accepted: 2, rejected: 0 });
  });

  test("says 77 for a process that it does not descend from, and nothing with -q", async () => {
    await using daemon = await openDaemon();
    const { stdout, exitCode } = await runScript(
      daemon,
      `#!/bin/sh
      sleep 60 & other=$!
      varta-watch beat --for $other 2>&1; echo $?
      varta-watch beat -q --for $other 2>&1; echo $?
      varta-watch beat --for ${daemon.pid} 2>&1; echo $?
      kill $other`,
    );
    expect(stdout).toMatch(
      /^varta-watch: error: cannot beat for pid (\d+): pid \d+ asks, and is no descendant of it\nvarta-watch: hint: .*--for \$\$\n77\n77\n/,
    );
    expect(stdout).toContain("it is the daemon, which does not watch itself\n");
    expect(exitCode).toBe(0);
    expect((await daemon.state()).agents).toBe(0);
  });

  test.skipIf(NO_OTHER_USERS !== "")(`says 77 for another user${NO_OTHER_USERS}`, async () => {
    await using daemon = await openDaemon('[control]\nmode = "0666"');
    const ids = [`--reuid=${STRANGER}`, `--regid=${STRANGER}`, "--clear-groups"];
    const control = ["--control", daemon.path("control.sock")];
    const asked = [...BEAT, ...control, "--for", String(process.pid)];
    const { stderr, exitCode } = await runCommand(["setpriv", ...ids, ...asked]);
    expect(stderr).toContain("is of another user");
    expect(exitCode).toBe(77);
  });

  test("is for those alone whom a unix listener lets beat", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("varta.sock");
    const config = `[[listener]]\nname = "one"\nkind = "unix"\npath = "${path}"\nallow_uids = [${STRANGER}]\n`;
    await using daemon = await DaemonProcess.start({ config, ownListeners: true });
    const control = ["--control", directory.at("control.sock")];
    const { stderr, exitCode } = await runCommand([...BEAT, ...control, "--for", `${process.pid}`]);
    expect(stderr).toContain("hint: allow_uids of a [[listener]]");
    expect(exitCode).toBe(77);
    // No peer is attested there.
    for (const name of ["beat", "bye", "doors"])
      expect((await daemon.fetch(`/v1/${name}`)).status).toBe(404);
  });

  test("says 69 without a daemon, and 64 beside what is of its own beats", async () => {
    const asked = [...BEAT, "--for", String(process.pid)];
    const gone = await runCommand([...asked, "--control", "/nonexistent/control.sock"]);
    expect(gone.stderr).toContain(`error: cannot beat for pid ${process.pid}: `);
    expect(gone.exitCode).toBe(69);
    const both = await runCommand([...asked, "--count", "2"]);
    expect(both.stderr).toContain("found --for and --count; want one of them");
    expect(both.exitCode).toBe(64);
  });

  test("is what any program can ask for on the control socket", async () => {
    await using daemon = await openDaemon();
    using client = await RawClient.open({ path: daemon.path("control.sock") });
    client.end(
      `{"v":1,"do":"beat","pid":${process.pid},"status":"degraded"}\n{"v":1,"do":"doors"}\n`,
    );
    await until("the answers", () => client.hasEnded);
    const [beat, , doors] = client.received.split("\n");
    expect(JSON.parse(beat!)).toEqual({ v: 1, pid: process.pid, accepted: true });
    const kinds = { stream: null, notify: null };
    expect(JSON.parse(doors!)).toMatchObject({ v: 1, socket: daemon.socket, ...kinds });
  });
});

test("varta-watch beat --stdin beats for its parent as lines come, and says goodbye for it at the end", async () => {
  await using daemon = await openDaemon();
  const { stdout } = await runScript(
    daemon,
    "#!/bin/sh\necho $$\nprintf 'one\\ntwo\\n' | varta-watch beat --stdin\nprintf x | varta-watch beat --stdin\nexit 3\n",
  );
  const [pid, ...said] = stdout.trimEnd().split("\n");
  expect(said).toEqual([`accepted, pid ${pid}`, `goodbye, pid ${pid}`]);
  // No alarm, whatever its status.
  await until("its end", () => daemon.saying("member gone").length === 1);
  const { fields } = daemon.saying("member gone")[0]!;
  expect([fields.get("exit_status"), fields.get("reason")]).toEqual(["3", "goodbye"]);
});

describe.concurrent("clients/sh/varta.sh", () => {
  const load = `#!/bin/sh\nset -eu\n. ${resolve(ROOT, "clients/sh/varta.sh")}\n`;

  test("beats for the script, also from a subshell", async () => {
    await using daemon = await openDaemon();
    const script = `${load}varta_beat\n(varta_beat degraded)\n`;
    const { stderr, exitCode } = await runScript(daemon, script);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    const { listeners } = await daemon.state();
    expect(listeners[0]!.accepted).toBeGreaterThanOrEqual(2);
    expect(daemon.saying("member came")).toHaveLength(1);
  });

  test("beats beside the script as long as its command succeeds, and ends with it", async () => {
    await using daemon = await openDaemon();
    const beaten = async (command: string): Promise<number> => {
      const before = (await daemon.state()).listeners[0]!.accepted;
      await runScript(daemon, `${load}varta_every 60 ${command}\nsleep 0.5\n`);
      return (await daemon.state()).listeners[0]!.accepted - before;
    };
    expect([await beaten("true"), await beaten("false")]).toEqual([1, 0]);
  });

  test("says each cause once, and never ends the script", async () => {
    await using daemon = await openDaemon();
    const script = `${load}varta_every 1
      (VARTA_CONTROL=/nonexistent/c.sock; varta_beat; varta_beat)
      (VARTA_WATCH=no-such-program; varta_beat)
      varta_beat odd; varta_beat; echo done`;
    const { stdout, stderr } = await runScript(daemon, script);
    expect(stderr.trimEnd().split("\n")).toEqual([
      "varta: varta_every: found no command; want one that says whether the work goes on",
      "varta: no beat: the daemon is down",
      "varta: no beat: there is no program no-such-program",
      "varta: no beat: a status that is none, or an older varta-watch",
      "varta: beats are heard again",
    ]);
    expect(stdout).toBe("done\n");
  });
});
