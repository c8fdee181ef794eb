// "varta-watch events" against the real daemon (spec 16 section 11): each kind of event is told as
// it happens, and what is followed ends with words.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { parseState } from "../../../src/processes/proc_text.ts";
import { EVENT_VIEW_KINDS } from "../../../src/view/event_view.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { Follower } from "../../support/follower.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { PROGRAM } from "../../support/program.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

function configWith(lateMs: number): string {
  return `[observer]
threshold = "3s"

[recovery]
verify_within = "4s"
step = [{ signal = "SIGCONT" }]

[[agent]]
name = "worker"
match = { uid = ${process.getuid?.()} }
late = "${lateMs}ms"
expect = 1
grace = "200ms"
`;
}

/**
 * Above half of the threshold, which is the longest wait that the daemon plans and as much again:
 * only what is longer is surely a pause (spec 12 section 8).
 */
const PAUSE_MS = 2_200;

/** The letter of /proc/PID/stat. */
function processState(pid: number): string {
  return parseState(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

function command(daemon: DaemonProcess, name: string, ...args: string[]) {
  return runCommand([...PROGRAM, name, "--control", daemon.path("control.sock"), ...args]);
}

function events(daemon: DaemonProcess, ...args: string[]) {
  return command(daemon, "events", ...args);
}

function reload(daemon: DaemonProcess, text: string): void {
  writeFileSync(daemon.path("next"), text);
  renameSync(daemon.path("next"), daemon.path("varta.toml"));
  daemon.signal("SIGHUP");
}

/**
 * Only a busy machine has the observer suspected or a reader slow here, and that an agent is
 * missing is told half a minute after the start (expected_agents.slow.ts).
 */
const NOT_HERE = ["guard", "lost", "missing", "complete"];

describe.concurrent.if(IS_LINUX)("varta-watch events", () => {
  test("-f tells each kind as it happens, and ends with 69 when the daemon does", async () => {
    await using daemon = await DaemonProcess.start({ config: configWith(300), metrics: false });
    const path = daemon.path("control.sock");
    await using follower = new Follower(["-f", "--json", "--control", path]);
    await using agents = new MortalAgents(daemon.socket);
    const seen = (kind: string, count = 1) =>
      until(`event ${count} of ${kind}`, () => follower.ofKind(kind).length >= count);

    const agent = await agents.start();
    agent.kill("SIGSTOP");
    await seen("stall");
    await seen("resume");
    expect(follower.ofKind("stall")[0]).toMatchObject({ agent: "worker", pid: agent.pid });
    expect(follower.ofKind("late").length).toBeGreaterThan(0);
    reload(daemon, configWith(400));
    await seen("reload");
    reload(daemon, "[observer");
    await seen("reload", 2);
    expect(follower.ofKind("reload").map(({ detail }) => detail)).toEqual([
      "late of agent worker: 300ms -> 400ms, 1 member",
      expect.stringMatching(/^failed: \S+varta\.toml:1:\d+: /),
    ]);
    await agent.exit(3);
    await seen("exit");
    expect(follower.ofKind("exit")[0]).toMatchObject({ end: { exit_status: 3 } });
    const other = await agents.start();
    await seen("gone");
    expect((await command(daemon, "mute", "worker", "--for", "1h")).exitCode).toBe(0);
    expect((await command(daemon, "unmute", "worker")).exitCode).toBe(0);
    expect((await command(daemon, "forget", "worker")).exitCode).toBe(1);
    await seen("mute", 2);
    await seen("act");
    expect(follower.ofKind("act")[0]!.detail).toMatch(/^forget by \w+ refused: worker beats/);
    daemon.signal("SIGSTOP");
    await until("the daemon to be stopped", () => processState(daemon.pid) === "T");
    const stoppedMs = performance.now();
    await until("the daemon to be late", () => performance.now() - stoppedMs > PAUSE_MS);
    daemon.signal("SIGCONT");
    await seen("observer_paused");
    await other.exit(0);
    await seen("gone", 2);

    const past = await events(
      daemon,
      "--human",
      "--utc",
      "--kind",
      "recovery,boot",
      "--since",
      "1h",
    );
    expect(past.stderr).toBe("");
    expect(past.stdout).toMatch(/^[\d:.]{12} {2}boot {6}- +varta-watch [\d.]+\S*, pid \d+\n/);
    expect(past.stdout).toMatch(/ {2}recovery {2}worker +1 step 1\/1: SIGCONT to pid \d+: sent\n/);
    expect(past.stdout).toMatch(/\n\d+ events in 1h\. \d+ of other kinds are not shown\.\n$/);
    expect(past.exitCode).toBe(0);

    expect(await daemon.stop()).toBe(0);
    expect(await follower.exited()).toBe(69);
    expect(follower.stderr).toMatch(
      /^varta-watch: error: the daemon on \S+ has ended\nvarta-watch: hint: systemctl status/,
    );
    const kinds = new Set(follower.events.map(({ kind }) => kind as string));
    for (const kind of NOT_HERE) kinds.delete(kind);
    const want = EVENT_VIEW_KINDS.filter((kind) => !NOT_HERE.includes(kind));
    expect([...kinds].sort()).toEqual([...want].sort());
    expect(follower.events.at(-1)).toMatchObject({ kind: "shutdown", detail: "SIGTERM" });
    const numbers = follower.events.map(({ seq }) => seq);
    expect(numbers).toEqual(numbers.map((_, at) => at + 1));
  });

  test("-f ends with 75 and words if the daemon hangs, and quietly if its own reader leaves", async () => {
    await using daemon = await DaemonProcess.start({ config: configWith(300), metrics: false });
    const path = daemon.path("control.sock");
    const shell = `${PROGRAM.join(" ")} events -f --control ${path} | head -n 1`;
    const head = await runCommand(["sh", "-c", shell]);
    expect(head.stdout).toMatch(/^\S+Z {2}boot {2}- {2}varta-watch [^\n]+\n$/);
    expect(head.stderr).toBe("");

    await using follower = new Follower(["-f", "--json", "--control", path]);
    await until("the past", () => follower.events.length > 0);
    daemon.signal("SIGSTOP");
    expect(await follower.exited()).toBe(75);
    expect(follower.stderr).toBe(
      `varta-watch: error: the daemon (pid ${daemon.pid}) did not answer within 6s\nvarta-watch: hint: it is stopped (state T): kill -CONT ${daemon.pid}\n`,
    );
    daemon.signal("SIGCONT");
  });

  test("refuses a kind and a name that do not exist, and says that the daemon is down", async () => {
    await using daemon = await DaemonProcess.start({ config: configWith(300), metrics: false });
    const kind = await events(daemon, "--kind", "stall,crash");
    expect(kind.stderr).toStartWith(
      'varta-watch: error: --kind: found "crash"; want some of stall',
    );
    expect(kind.exitCode).toBe(64);
    const name = await events(daemon, "-f", "--agent", "wroker");
    expect(name.stderr).toBe(
      'varta-watch: error: no agent is called "wroker"\nvarta-watch: hint: did you mean worker?\n',
    );
    expect(name.exitCode).toBe(1);
    await daemon.stop();
    const down = await events(daemon, "-f");
    expect(down.stderr).toContain("is down since");
    expect(down.exitCode).toBe(69);
  });
});
