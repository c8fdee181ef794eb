// What people tell the real daemon over its real socket: mutes, recoveries by hand, forget and the
// level of the log (spec 16 sections 8 to 10), with agents that stall while it is told.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import type { LogLine } from "../../support/log_lines.ts";
import { type MortalAgent, MortalAgents } from "../../support/mortal_agents.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const UID = process.getuid?.();
const IS_ROOT = UID === 0;

function config(plan: string, more = ""): string {
  return `
[recovery]
debounce = "100ms"
${plan}

[[agent]]
name = "worker"
match = { uid = ${UID} }
threshold = "1500ms"
${more}`;
}

/** Its command writes whom it was run for. */
const NOTES = config('command = ["./note", "{pid}"]');
const NOTE = { note: "#!/bin/sh\necho $1 >> noted\n" };
const WAKES = config(
  'step = [{ signal = "SIGCONT" }, { wait = "5s" }, { exec = ["/bin/false"] }]\nverify_within = "5s"',
);

function tell(daemon: DaemonProcess, ...argv: readonly string[]): Promise<CommandResult> {
  const [command = "", ...args] = argv;
  return runCommand([...PROGRAM, command, "--control", daemon.path("control.sock"), ...args]);
}

function noted(daemon: DaemonProcess): number[] {
  const path = daemon.path("noted");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").trimEnd().split("\n").map(Number);
}

function timeOf({ fields }: LogLine): number {
  return Date.parse(fields.get("time")!);
}

describe.concurrent.skipIf(!IS_LINUX)("A mute", () => {
  test("with a reload in it: who stalled before is not told of again, who stalls in it is at its end, once", async () => {
    await using daemon = await DaemonProcess.start({ config: NOTES, files: NOTE });
    await using agents = new MortalAgents(daemon.socket);
    const [before, during] = [await agents.start(), await agents.start()];
    await daemon.untilReceived(2);
    before.kill("SIGSTOP");
    const recoveries = ({ pid }: MortalAgent) => noted(daemon).filter((one) => one === pid).length;
    await until("the first recovery", () => recoveries(before) > 0);
    const muted = await tell(daemon, "mute", "worker", "--for", "30m", "--reason", "deploy");
    expect(muted.stdout).toMatch(/^worker is muted until [\d:]{8} \(30m\)\.\n/);
    expect(muted.exitCode).toBe(0);
    // A busy machine may have made more stalls than were asked for.
    const begun = () => daemon.saying("recovery began").length;
    await until("the notes of all recoveries", () => noted(daemon).length === begun());
    const [ofBefore, ofDuring] = [recoveries(before), recoveries(during)];

    during.kill("SIGSTOP");
    writeFileSync(daemon.path("varta.toml"), NOTES.replace("100ms", "101ms"));
    daemon.signal("SIGHUP");
    await daemon.untilSays("reloaded");
    const isBoth = async (): Promise<boolean> => {
      const { stdout } = await tell(daemon, "mutes", "--plain");
      return /^worker +stalled +\S+Z +\S+Z +\S+ +deploy$/m.test(stdout);
    };
    await until("the muted agent to be shown as stalled", isBoth);
    const status = await tell(daemon, "status", "--human", "--ascii", "--exit-code");
    expect(status.stdout).toMatch(/: all ok, except what is muted\.\n/);
    expect(status.stdout).toMatch(/^X worker +stalled +\d\/2 .* muted \S+ left$/m);
    expect(status.stdout).toContain("\nmuted: varta-watch mutes\n");
    expect(status.exitCode).toBe(0);
    await until("the second stall to be held", async () => (await daemon.state()).stalled === 2);
    expect(daemon.stallsOf(during.pid)).toHaveLength(ofDuring);
    expect(noted(daemon)).toHaveLength(ofBefore + ofDuring);

    // In the place of the one that has half an hour left, and its end with it.
    await tell(daemon, "mute", "worker", "--for", "1s");
    await until("the second recovery", () => recoveries(during) === ofDuring + 1);
    const began = () => daemon.saying("recovery began", during.pid);
    await until("the log", () => began().length === ofDuring + 1);
    expect(recoveries(before)).toBe(ofBefore);
    expect(daemon.stallsOf(before.pid)).toHaveLength(ofBefore);
    expect(daemon.stallsOf(during.pid)).toHaveLength(ofDuring + 1);
    const [[, second], [ended]] = [daemon.saying("muted"), daemon.saying("mute ended")];
    const lastedMs = timeOf(ended!) - timeOf(second!);
    // Not a moment longer is what the simulation says; this machine may be busy.
    expect(lastedMs).toBeWithin(995, 15_000);
    expect(timeOf(began().at(-1)!) - timeOf(ended!)).toBeWithin(0, 15_000);
    expect(ended!.fields.get("how")).toBe("expired");
    expect((await tell(daemon, "mutes", "--human")).stdout).toBe("No agent is muted.\n");
  });

  test("says who asked, in the log, the audit log and the list, and ends when that is asked for", async () => {
    using directory = new TemporaryDirectory();
    const audit = `\n[audit]\nfile = "${directory.at("audit.log")}"\n`;
    await using daemon = await DaemonProcess.start({
      config: `${NOTES}${audit}`,
      files: NOTE,
      directory: directory.path,
    });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await daemon.untilReceived(1);
    const json = await tell(daemon, "mute", "work*", "--for", "1h", "--json");
    const { mutes } = JSON.parse(json.stdout) as { mutes: Record<string, string>[] };
    expect(mutes).toMatchObject([{ agent: "work*", state: "ok", reason: "" }]);
    const told = daemon.stallsOf(agent.pid).length;
    await daemon.untilSays("muted");
    const [line] = daemon.saying("muted");
    expect(line!.fields.get("by_uid")).toBe(String(UID));
    expect(line!.fields.get("by")).toBe(PROGRAM[0]!.split("/").at(-1)!.slice(0, 15));

    agent.kill("SIGSTOP");
    await until("the stall to be held", async () => (await daemon.state()).stalled === 1);
    expect(daemon.stallsOf(agent.pid)).toHaveLength(told);
    const early = await tell(daemon, "unmute", "work*");
    expect(early.stdout).toMatch(
      /^work\* is no longer muted \(\d+m before its end\)\.\nIt is stalled: it is reported now(, and recovery \d+ has begun)?\.\n$/,
    );
    await until("the recovery", () => noted(daemon).length === told + 1);
    await daemon.untilStalls(agent.pid, told + 1);
    expect(daemon.stallsOf(agent.pid)).toHaveLength(told + 1);
    expect(await daemon.stop()).toBe(0);
    const rows = readFileSync(daemon.path("audit.log"), "utf8").split("\n");
    const acts = rows.filter((row) => row.includes("\tact\t"));
    expect(acts).toHaveLength(2);
    const by = `\t${UID}\t${line!.fields.get("by_pid")}\t${line!.fields.get("by")}`;
    expect(acts[0]).toContain(`${by}\tmute\twork*\tdone\tfor 1h`);
    expect(acts[1]).toContain("\tunmute\twork*\tdone\t1 ended");
  });

  test("without an end, of a name that is not known or for too long is refused", async () => {
    await using daemon = await DaemonProcess.start({
      config: config("", "expect = 1"),
      metrics: false,
    });
    expect(await tell(daemon, "mute", "worker")).toEqual({
      stdout: "",
      stderr:
        "varta-watch: error: a mute needs an end\n" +
        'varta-watch: hint: varta-watch mute worker --for 30m --reason "deploy"\n',
      exitCode: 64,
    });
    expect(await tell(daemon, "mute", "wroker", "--for", "30m")).toEqual({
      stdout: "",
      stderr:
        'varta-watch: error: no agent is called "wroker"\n' +
        "varta-watch: hint: did you mean worker?\n",
      exitCode: 1,
    });
    const long = await tell(daemon, "mute", "--all", "--for", "169h");
    expect(long.stderr).toContain("at most 168h");
    expect(long.exitCode).toBe(64);
    expect((await tell(daemon, "mute", "--for", "1h")).exitCode).toBe(64);
    expect((await tell(daemon, "mute", "worker", "--all", "--for", "1h")).exitCode).toBe(64);
    const none = await tell(daemon, "unmute", "worker");
    expect(none.stderr).toContain("no mute of worker holds");
    expect(none.exitCode).toBe(1);
    expect(daemon.saying("muted")).toEqual([]);
  });
});

describe.concurrent.skipIf(!IS_LINUX)("A recovery by hand", () => {
  test("passes a mute, shows each step, and waits for its end", async () => {
    await using daemon = await DaemonProcess.start({ config: WAKES });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await daemon.untilReceived(1);
    await tell(daemon, "mute", String(agent.pid), "--for", "1h");
    const refused = await tell(daemon, "recover", "worker");
    expect(refused.stderr).toContain("error: refused (not_stalled): it is not stalled: silent for");
    expect(refused.exitCode).toBe(1);

    const other = await agents.start();
    agent.kill("SIGSTOP");
    await until("the stall to be held", async () => (await daemon.state()).stalled === 1);
    const shown = await tell(daemon, "status", "worker", "--human", "--ascii");
    expect(shown.stdout).toMatch(/^X worker +stalled +1\/2 .* 1 of 2 muted$/m);
    const members = await tell(daemon, "status", "worker", "--members", "--human", "--ascii");
    expect(members.stdout).toMatch(new RegExp(`^X +${agent.pid} +stalled .* \\S+ left `, "m"));
    expect(members.stdout).toMatch(new RegExp(`^\\. +${other.pid} +ok .* - +\\S+$`, "m"));
    const dry = await tell(daemon, "recover", "worker", "--dry-run");
    expect(dry.stdout).toStartWith(
      `worker, pid ${agent.pid} (the only member that is stalled). Nothing is done now.\n`,
    );
    expect(dry.stdout).toContain("  no   it is muted: passed over by hand\n");
    expect(dry.stdout).toContain(`It would do:\n  1  SIGCONT to pid ${agent.pid}\n  2  wait 5s`);
    expect(dry.exitCode).toBe(0);
    expect(daemon.saying("recovery began")).toEqual([]);

    const done = await tell(daemon, "recover", String(agent.pid), "--utc");
    const [head, step, wait, helped] = done.stdout.split("\n");
    expect(head).toMatch(/^Recovery \d+ of worker, pid \d+ \(by \S+\): .*3 steps\./);
    expect(done.stdout).toContain("Passed over: muted");
    expect(done.stdout).toMatch(/step 1, SIGCONT to pid \d+: sent\n/);
    expect([step, wait, helped]).not.toContain(undefined);
    expect(done.stdout).toMatch(/pid \d+ beats\. It helped, after \S+\.\n$/);
    expect(done.exitCode).toBe(0);
    await daemon.untilSays("act done");
    const acts = daemon.saying("act done").map(({ fields }) => fields.get("detail"));
    expect(acts).toEqual(["recovery 1, passed over muted"]);
    await daemon.untilSays("act refused");
    expect(daemon.saying("act refused")[0]!.fields.get("act")).toBe("recover");
  });

  test("that does not help ends with 1, and --no-wait with 0 at once", async () => {
    const plan = 'command = ["/bin/false"]';
    await using daemon = await DaemonProcess.start({ config: config(plan), metrics: false });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await daemon.untilReceived(1);
    agent.kill("SIGSTOP");
    await daemon.untilSays("recovery did not help");
    const failed = await tell(daemon, "recover", "worker");
    expect(failed.stdout).toContain("It did not help");
    expect(failed.exitCode).toBe(1);
    const json = await tell(daemon, "recover", "worker", "--json", "--no-wait");
    const id = Number(/^Recovery (\d+) /.exec(failed.stdout)![1]);
    expect(JSON.parse(json.stdout)).toMatchObject({ v: 1, id: id + 1, pid: agent.pid });
    expect(json.exitCode).toBe(0);
  });
});

describe.concurrent.skipIf(!IS_LINUX)("The daemon is told", () => {
  test("to forget what is stalled, and to write more for a time", async () => {
    await using daemon = await DaemonProcess.start({ config: config("") });
    await using agents = new MortalAgents(daemon.socket);
    const [dead, alive] = [await agents.start(), await agents.start()];
    await daemon.untilReceived(2);
    dead.kill("SIGSTOP");
    await daemon.untilStalls(dead.pid);
    const refused = await tell(daemon, "forget", "worker");
    expect(refused).toEqual({
      stdout: "",
      stderr:
        "varta-watch: error: worker beats (1 of 2 members): only what is silent or gone\n" +
        `varta-watch: hint: varta-watch forget ${dead.pid}, or varta-watch mute worker --for 30m\n`,
      exitCode: 1,
    });
    const forgotten = await tell(daemon, "forget", String(dead.pid));
    expect(forgotten.stdout).toMatch(
      /^\d+ is forgotten \(stalled for \S+\)\. It comes back with a beat\.\n$/,
    );
    expect((await daemon.state()).agents).toBe(1);
    dead.kill("SIGCONT");
    await until("it to be back", async () => (await daemon.state()).agents === 2);

    const level = await tell(daemon, "log-level", "debug", "--for", "500ms", "--utc");
    expect(level.stdout).toMatch(/^The log level is debug until [\d:]{8}, then info again\.\n$/);
    await daemon.untilSays("log level is back");
    const wrong = await tell(daemon, "log-level", "trace", "--for", "1m");
    expect(wrong.stderr).toContain('found the level "trace"');
    expect(wrong.exitCode).toBe(64);
    expect((await tell(daemon, "log-level", "debug")).exitCode).toBe(64);
    expect(alive.pid).not.toBe(dead.pid);
  });

  test.skipIf(!IS_ROOT)(
    "by an asker with a hostile name: it is escaped wherever it is shown",
    async () => {
      await using daemon = await DaemonProcess.start({ config: config("", "expect = 1") });
      const script = `import socket
open("/proc/self/comm","wb").write(b"a\\n\\x1b[31mb")
s = socket.socket(socket.AF_UNIX)
s.connect(${JSON.stringify(daemon.path("control.sock"))})
s.sendall(b'{"v":1,"do":"mute","all":true,"for":"1m"}\\n')
print(s.recv(4096).decode())`;
      const { stdout } = await runCommand(["python3", "-c", script]);
      expect(stdout).toContain('"agent":"*"');
      await daemon.untilSays("muted");
      const [line] = daemon.saying("muted");
      expect(line!.fields.get("by")).toContain("[31mb");
      expect(daemon.stderr).not.toContain("\x1b[31mb");
      expect(daemon.unreadable).toEqual([]);
    },
  );
});
