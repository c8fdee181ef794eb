// `explain` in the situations that it is drawn for, each made for real and held against its whole
// text: what is printed is true, and says it in these words (spec 16 section 12). Those that load
// the machine are in slow/explain.slow.ts.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectUdp } from "../../../src/client/mod.ts";
import { Actors } from "../../support/actors.ts";
import { ControlGroup, NEEDS_CONTROL_GROUPS } from "../../support/control_group.ts";
import { compiled } from "../../support/compiled.ts";
import { runCommand } from "../../support/command.ts";
import { endLeftovers } from "../../support/daemon_process.ts";
import {
  expectPrinted,
  explained,
  explanation,
  NEEDS_ROOT,
  startExplained,
  untilProven,
  untilStepIsOver,
} from "../../support/explained.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

/** Starts an actor in a pid namespace of its own, where it is not pid 1. */
const IN_NAMESPACE = [
  "unshare",
  "--pid",
  "--fork",
  "--kill-child",
  "sh",
  "-c",
  '"$@" & wait',
  "sh",
];

const held = compiled(join(import.meta.dir, "../../support/held.c"));

describe.concurrent.skipIf(NEEDS_ROOT !== "")(`explain says of one that${NEEDS_ROOT}`, () => {
  test("hangs how that is known, what was done and what comes next", async () => {
    await using daemon = await startExplained(`
[[agent]]
match = { comm = "other" }

[[agent]]
name = "worker"
match = { comm = "hangs" }
recovery = "restart"

[[recovery.plan]]
name = "restart"
step = [{ signal = "SIGCONT" }, { wait = "60s" }, { exec = ["/bin/true"] }]
verify_within = "10s"
budget = 3
budget_window = "1h"
`);
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("hangs", 5);
    await daemon.untilStalls(pid);
    await until(
      "half a second of silence",
      async () => ((await explanation(daemon, pid)).member!.verdict!.cpu_over_ms ?? 0) >= 500,
    );
    expectPrinted("hangs", await explained(daemon, "worker", { HANGS: pid }));
  });

  test("a signal stopped, and that no rule takes", async () => {
    await using daemon = await startExplained(`
[[agent]]
match = { comm = "stops", user = "nobody" }
`);
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("stops");
    await untilProven(daemon, pid);
    expectPrinted("no rule", await explained(daemon, "stops", { STOPS: pid }));
    process.kill(pid, "SIGSTOP");
    await daemon.untilStalls(pid);
    expectPrinted("stopped", await explained(daemon, "stops", { STOPS: pid }));
  });

  test.skipIf(held === undefined)("a debugger holds", async () => {
    await using daemon = await startExplained('[recovery]\ncommand = ["/bin/true"]\n');
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("traced");
    await untilProven(daemon, pid);
    copyFileSync(held!, daemon.path("debugger"));
    await using debugger_ = Bun.spawn([daemon.path("debugger"), "stop", `${pid}`], {
      stdin: "pipe",
      stdout: "pipe",
    });
    await daemon.untilStalls(pid);
    await daemon.untilSays("recovery refused");
    expectPrinted(
      "traced",
      await explained(daemon, "traced", { TRACED: pid, DEBUGGER: debugger_.pid }),
    );
  });

  test.skipIf(NEEDS_CONTROL_GROUPS !== "")("is frozen", async () => {
    await using daemon = await startExplained('[recovery]\ncommand = ["/bin/true"]\n');
    await using group = new ControlGroup(`/explain-${process.pid}.slice/frozen.service`);
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("frozen", 0, "wait", group.through);
    await untilProven(daemon, pid);
    const file = join(group.directory, "cgroup.freeze");
    if (!existsSync(file)) return;
    writeFileSync(file, "1");
    await daemon.untilStalls(pid);
    await daemon.untilSays("recovery refused");
    expectPrinted("frozen", await explained(daemon, `${pid}`, { FROZEN: pid }));
    writeFileSync(file, "0");
  });

  test("was killed, while its recovery waits for a beat", async () => {
    await using daemon = await startExplained(`
[recovery]
verify_within = "60s"
step = [{ signal = "SIGQUIT" }, { exec = ["/bin/true"] }]
`);
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("feed");
    await untilProven(daemon, pid);
    process.kill(pid, "SIGKILL");
    await daemon.untilStalls(pid);
    await daemon.untilSays("recovery began");
    await untilStepIsOver(daemon, pid);
    expectPrinted("killed", await explained(daemon, "feed", { FEED: pid }));
  });

  test("ended cleanly, badly or badly and was replaced", async () => {
    await using daemon = await startExplained("");
    await using actors = new Actors(daemon);
    const clean = await actors.start("clean", 5, "exit 0");
    await daemon.untilSays("member gone");
    expectPrinted("ended cleanly", await explained(daemon, "clean", { CLEAN: clean.pid }));
    const bad = await actors.start("bad", 5, "exit 3");
    await daemon.untilStalls(bad.pid);
    await until("it to leave", async () => (await explanation(daemon, bad.pid)).state === "gone");
    expectPrinted("ended badly", await explained(daemon, `${bad.pid}`, { BAD: bad.pid }));
    const first = await actors.start("pair", 5, "exit 3");
    await daemon.untilSays("member ended", 2);
    const second = await actors.start("pair");
    await daemon.untilSays("member replaced");
    expectPrinted(
      "replaced",
      await explained(daemon, `${first.pid}`, { FIRST: first.pid, SECOND: second.pid }),
    );
  });

  test("beats from another pid namespace", async () => {
    await using daemon = await startExplained("");
    await using actors = new Actors(daemon);
    const inside = actors.run("inside", 0, "wait", IN_NAMESPACE);
    await daemon.untilSays("beats refused");
    const pid = Number(daemon.saying("beats refused")[0]!.fields.get("sender_pid"));
    expectPrinted("another namespace", await explained(daemon, `${pid}`, { INSIDE: pid }));
    inside.kill();
  });

  test("beats from a container", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await startExplained(
      `
[[listener]]
kind = "unix"
name = "pods"
path = "${directory.path}/varta.sock"
containers = true

[recovery]
command = ["/bin/true"]
verify_within = "60s"
`,
      { ownListeners: true, directory: directory.path },
    );
    await using actors = new Actors(daemon);
    actors.run("inside", 9, "wait", IN_NAMESPACE);
    await daemon.untilSays("agent stalled");
    await daemon.untilSays("recovery began");
    const pid = Number(daemon.saying("agent stalled")[0]!.fields.get("pid"));
    expectPrinted("container", await explained(daemon, `${pid}`, { INSIDE: pid }));
  });

  test("is under another rule after a reload, where that stands now", async () => {
    const rule = (threshold: string): string =>
      `[[agent]]\nname = "worker"\nmatch = { comm = "moves" }\nthreshold = "${threshold}"\n`;
    await using daemon = await startExplained(rule("50s"));
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("moves");
    const placeOf = async () => {
      const { place, threshold_ms } = (await explanation(daemon, pid)).rule;
      return [place.replace(daemon.directory, "DIR"), threshold_ms];
    };
    expect(await placeOf()).toEqual(["DIR/varta.toml:3", 50_000]);
    for (const [lines, threshold, count] of [
      [2, "40s", 1],
      [5, "40s", 2],
    ] as const) {
      const head = `${"# moved\n".repeat(lines)}[observer]\nthreshold = "1s"\n`;
      writeFileSync(daemon.path("varta.toml"), head + rule(threshold));
      daemon.signal("SIGHUP");
      await daemon.untilSays("reloaded", count);
      expect(await placeOf()).toEqual([`DIR/varta.toml:${lines + 3}`, 40_000]);
    }
  });

  test("is no member, does not run, or is misspelt", async () => {
    await using daemon = await startExplained(
      '[[agent]]\nname = "worker"\nmatch = { comm = "strange" }\nrecovery = "none"\n',
    );
    const silent = Bun.spawn(["sleep", "60"]);
    expectPrinted("stranger", await explained(daemon, `${silent.pid}`, { SILENT: silent.pid }));
    silent.kill("SIGKILL");
    await silent.exited;
    expectPrinted("no process", await explained(daemon, `${silent.pid}`, { SILENT: silent.pid }));
    expectPrinted("misspelt", await explained(daemon, "wroker"));
    const command = [...PROGRAM, "explain", "--control", daemon.path("control.sock")];
    const { stdout, exitCode } = await runCommand([...command, "--json", `${process.pid}`]);
    expect(JSON.parse(stdout)).toMatchObject({ v: 1, pid: process.pid, runs: true });
    expect(exitCode).toBe(1);
    expect((await runCommand([...command, "worker"])).exitCode).toBe(0);
    expect((await runCommand(command)).exitCode).toBe(64);
  });

  test("beats over a network", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await startExplained(`
[[listener]]
kind = "udp"
name = "edge"
address = "127.0.0.1"
port = ${port}
accept_plaintext = true
accept_recovery = false

[recovery]
command = ["/bin/true"]
`);
    using client = connectUdp({ host: "127.0.0.1", port });
    client.beat();
    await daemon.untilSays("agent stalled");
    await daemon.untilSays("recovery refused");
    expectPrinted(
      "remote",
      await explained(daemon, `127.0.0.1/${process.pid}`, { ME: process.pid }),
    );
  });

  test("is muted", async () => {
    await using daemon = await startExplained('[recovery]\ncommand = ["/bin/true"]\n');
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("search");
    await untilProven(daemon, pid);
    const path = daemon.path("control.sock");
    const mute = ["mute", "search", "--for", "30m", "--reason", "deploy \u001b[1m4.2"];
    const { exitCode } = await runCommand([...PROGRAM, ...mute, "--control", path]);
    expect(exitCode).toBe(0);
    process.kill(pid, "SIGUSR1");
    await until("the stall", async () => (await explanation(daemon, pid)).state === "stalled");
    await until("it to be held", async () => (await explanation(daemon, pid)).done.length > 0);
    expectPrinted("muted", await explained(daemon, "search", { SEARCH: pid }));
  });
});
