// How real agents end, and what is said of it (spec 14): a clean end is no alarm, an unclean one is
// told at once and judged, a newcomer excuses one, and who has ended leaves the table.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { sampleAt } from "../../metrics/page.ts";
import { compiled } from "../../support/compiled.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const THRESHOLD_MS = 2_000;
const CONFIG = `[observer]\nthreshold = "${THRESHOLD_MS}ms"\n[metrics]\nper_pid = true\n`;

/** A new agent is there in time, on a busy machine, too. */
const PATIENT = `[observer]\nthreshold = "4s"\n`;

/** Other agents beat on: a stall that is due after `pid` has ended would be in the log by now. */
async function untilItWouldBeStalled(daemon: DaemonProcess, agents: MortalAgents): Promise<void> {
  const later = await agents.start();
  later.kill("SIGSTOP");
  await daemon.untilStalls(later.pid);
}

async function untilTracked(daemon: DaemonProcess, count: number): Promise<void> {
  await until(`${count} to be tracked`, async () => (await daemon.state()).agents === count);
}

describe.concurrent.if(IS_LINUX)("an agent of a daemon with a configuration file", () => {
  test("that ends with 0 is gone: told once, no stall, and no row of it is left", async () => {
    await using daemon = await DaemonProcess.start({
      config: CONFIG,
      args: ["--export-file", "events.tsv"],
    });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await untilTracked(daemon, 1);
    await agent.exit(0);
    await daemon.untilSays("member gone");
    const [line] = daemon.saying("member gone", agent.pid);
    expect(line!.level).toBe("info");
    expect(Object.fromEntries(line!.fields)).toMatchObject({ how: "exit", exit_status: "0" });
    await untilTracked(daemon, 0);
    await untilItWouldBeStalled(daemon, agents);
    expect(daemon.stallsOf(agent.pid)).toEqual([]);
    expect(daemon.saying("member gone")).toHaveLength(1);
    expect(daemon.saying("member ended")).toEqual([]);
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_member_ends_total{how="clean"}')).toBe(1);
    expect(() => sampleAt(page, `varta_beats_total{pid="${agent.pid}"}`)).toThrow();
    expect(await daemon.stop()).toBe(0);
    const rows = daemon.exported("events.tsv").filter(([, , pid]) => pid === `${agent.pid}`);
    expect(new Set(rows.map(([, kind]) => kind))).toEqual(new Set(["gone"]));
    expect(rows.at(-1)!.slice(1, 6)).toEqual(["gone", `${agent.pid}`, "-", "-", "clean"]);
  });

  test("that ends with 3 is told at once, judged at its deadline with its status, and leaves", async () => {
    await using daemon = await DaemonProcess.start({
      config: `${CONFIG}[export]\nformat = "jsonl"\n`,
      args: ["--export-file", "events.jsonl"],
    });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await untilTracked(daemon, 1);
    await agent.exit(3);
    await daemon.untilSays("member ended");
    expect(daemon.stallsOf(agent.pid)).toEqual([]);
    const [line] = daemon.saying("member ended", agent.pid);
    expect(line!.level).toBe("warn");
    expect(Object.fromEntries(line!.fields)).toMatchObject({ how: "exit", exit_status: "3" });
    await daemon.untilStalls(agent.pid);
    const [stall] = daemon.stallsOf(agent.pid);
    expect(Object.fromEntries(stall!.fields)).toMatchObject({
      verdict: "exited",
      exit_status: "3",
    });
    await untilTracked(daemon, 0);
    expect(daemon.saying("member ended")).toHaveLength(1);
    expect(daemon.saying("agent stalled")).toHaveLength(1);
    expect(await daemon.stop()).toBe(0);
    const rows = readFileSync(daemon.path("events.jsonl"), "utf8").trim().split("\n");
    const exits = rows.map((row) => JSON.parse(row)).filter(({ kind }) => kind === "exit");
    expect(exits).toMatchObject([{ pid: agent.pid, how: "unclean", exit_status: 3 }]);
    expect(Object.keys(exits[0])).not.toContain("signal");
  });

  test("that is stopped is stalled with that verdict; killed then, it is not called clean", async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    agent.kill("SIGSTOP");
    await daemon.untilStalls(agent.pid);
    const [stall] = daemon.stallsOf(agent.pid);
    expect(Object.fromEntries(stall!.fields)).toMatchObject({
      verdict: "stopped",
      proc_state: "T",
    });
    agent.kill("SIGTERM");
    agent.kill("SIGCONT");
    await daemon.untilSays("member ended");
    const [line] = daemon.saying("member ended", agent.pid);
    expect(Object.fromEntries(line!.fields)).toMatchObject({ how: "signal", signal: "SIGTERM" });
    await untilTracked(daemon, 0);
    expect(daemon.saying("agent stalled")).toHaveLength(1);
  });

  test("that is killed is replaced by the next one; of two that are killed one is reported", async () => {
    await using daemon = await DaemonProcess.start({ config: PATIENT });
    await using agents = new MortalAgents(daemon.socket);
    const [one, two, three] = [await agents.start(), await agents.start(), await agents.start()];
    await untilTracked(daemon, 3);
    one.kill("SIGKILL");
    two.kill("SIGKILL");
    await daemon.untilSays("member ended", 2);
    const fresh = await agents.start();
    await daemon.untilSays("member replaced");
    await daemon.untilSays("agent stalled");
    await untilTracked(daemon, 2);
    const [replaced] = daemon.saying("member replaced");
    expect(Object.fromEntries(replaced!.fields)).toMatchObject({
      by_pid: `${fresh.pid}`,
      signal: "SIGKILL",
    });
    expect(daemon.saying("member replaced")).toHaveLength(1);
    expect(daemon.saying("agent stalled")).toHaveLength(1);
    expect(daemon.stallsOf(three.pid)).toEqual([]);
  });

  test("without a descriptor is found to have ended when it falls silent", async () => {
    await using daemon = await DaemonProcess.start({
      config: `${CONFIG}[tracker]\npidfds_max = 0\n`,
    });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await untilTracked(daemon, 1);
    await agent.exit(3);
    await daemon.untilStalls(agent.pid);
    const [ended] = daemon.saying("member ended", agent.pid);
    expect(Object.fromEntries(ended!.fields)).toMatchObject({ how: "unknown" });
    const [stall] = daemon.stallsOf(agent.pid);
    expect(Object.fromEntries(stall!.fields)).toMatchObject({ verdict: "exited" });
    await untilTracked(daemon, 0);
    const page = await daemon.page();
    expect(sampleAt(page, "varta_member_pidfds_refused_total")).toBe(1);
  });

  test("that came when no descriptor was free gets one later, and its clean end is no alarm", async () => {
    await using daemon = await DaemonProcess.start({
      config: `[observer]\nthreshold = "10s"\n[tracker]\npidfds_max = 1\n`,
    });
    await using agents = new MortalAgents(daemon.socket);
    const [first, second] = [await agents.start(), await agents.start()];
    await untilTracked(daemon, 2);
    await until("a descriptor", () => isWatched(daemon.pid, first.pid));
    expect([first, second].map(({ pid }) => isWatched(daemon.pid, pid))).toEqual([true, false]);
    await first.exit(0);
    await until("its descriptor", () => isWatched(daemon.pid, second.pid));
    await second.exit(0);
    await daemon.untilSays("member gone", 2);
    expect(daemon.saying("member ended")).toEqual([]);
    expect(daemon.saying("agent stalled")).toEqual([]);
  });

  test("finds a slot in a full table whose dead were told", async () => {
    await using daemon = await DaemonProcess.start({
      config: `${CONFIG}[tracker]\ncapacity = 3\n`,
    });
    await using agents = new MortalAgents(daemon.socket);
    const old = [await agents.start(), await agents.start()];
    await untilTracked(daemon, 2);
    for (const agent of old) agent.kill("SIGSTOP");
    await daemon.untilSays("agent stalled", 2);
    for (const agent of old) agent.kill("SIGKILL");
    await daemon.untilSays("member ended", 2);
    const fresh = [await agents.start(), await agents.start(), await agents.start()];
    await untilTracked(daemon, 3);
    const page = await daemon.page();
    expect(sampleAt(page, "varta_member_pidfds")).toBe(3);
    expect(sampleAt(page, "varta_member_pidfds_refused_total")).toBe(0);
    expect(fresh.flatMap(({ pid }) => daemon.stallsOf(pid))).toEqual([]);
  });
});

const oldKernel = IS_LINUX
  ? compiled(join(import.meta.dir, "../../support/old_kernel.c"))
  : undefined;
const NEEDS_COMPILER = oldKernel === undefined ? " (skipped: there is no C compiler)" : "";

test.concurrent.skipIf(oldKernel === undefined)(
  `on a kernel that does not say how processes end, an end is reported all the same, and the start says so${NEEDS_COMPILER}`,
  async () => {
    await using daemon = await DaemonProcess.start({ config: PATIENT, as: [oldKernel!] });
    await using agents = new MortalAgents(daemon.socket);
    const [line] = daemon.saying("exit statuses");
    expect(line!.level).toBe("info");
    expect(line!.fields.get("kernel")).toBe("no");
    const agent = await agents.start();
    await untilTracked(daemon, 1);
    await agent.exit(3);
    await daemon.untilSays("member ended");
    // Root may have been quick enough to read it of the zombie.
    expect(["unknown", "exit"]).toContain(daemon.saying("member ended")[0]!.fields.get("how")!);
    expect(daemon.stallsOf(agent.pid)).toEqual([]);
    await daemon.untilStalls(agent.pid);
    expect(daemon.stallsOf(agent.pid)[0]!.fields.get("verdict")).toBe("exited");
  },
);

test.concurrent("without a configuration file an end is silence, as it is to the Rust observer", async () => {
  await using daemon = await DaemonProcess.start({ args: ["--threshold-ms", `${THRESHOLD_MS}`] });
  await using agents = new MortalAgents(daemon.socket);
  const agent = await agents.start();
  await untilTracked(daemon, 1);
  await agent.exit(0);
  await daemon.untilStalls(agent.pid);
  expect(daemon.stallsOf(agent.pid)[0]!.fields.has("verdict")).toBeFalse();
  expect(daemon.saying("member gone")).toEqual([]);
  expect(daemon.saying("member ended")).toEqual([]);
  expect((await daemon.state()).agents).toBe(1);
  expect(await daemon.body()).not.toContain("varta_member_");
});

/** The daemon waits for the end of the process: a descriptor of it is in its epoll descriptor. */
function isWatched(daemonPid: number, pid: number): boolean {
  const infos = infosOfDescriptors(daemonPid);
  const ofProcess = infos.filter(({ text }) => text.includes(`\nPid:\t${pid}\n`));
  return ofProcess.some(({ fd }) =>
    infos.some(({ text }) => new RegExp(`^tfd: +${fd} `, "m").test(text)),
  );
}

function infosOfDescriptors(pid: number): { fd: string; text: string }[] {
  const directory = `/proc/${pid}/fdinfo`;
  return readdirSync(directory).flatMap((fd) => {
    try {
      return [{ fd, text: readFileSync(`${directory}/${fd}`, "latin1") }];
    } catch {
      // It was closed meanwhile.
      return [];
    }
  });
}
