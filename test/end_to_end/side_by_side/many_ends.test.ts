// Ends of members of an agent that has several (spec 14 sections 1, 2 and 4.1): a rolling restart
// is no alarm, one that ends of many is one, parents that do not reap change nothing, and members
// of other machines leave in the end.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { connectUdp } from "../../../src/client/mod.ts";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(2 * TEST_MS_MAX);
afterAll(endLeftovers);

const ZOMBIES = 22;
const CLEAN = 18;
const ZOMBIE_MS = 4_000;
const TICKS_PER_S = 100;

async function untilTracked(daemon: DaemonProcess, count: number): Promise<void> {
  await until(`${count} to be tracked`, async () => (await daemon.state()).agents === count);
}

describe.concurrent.if(IS_LINUX)("of an agent with several members", () => {
  test("each is replaced by a new one that came first, without a stall", async () => {
    await using daemon = await DaemonProcess.start({ config: '[observer]\nthreshold = "3s"\n' });
    await using agents = new MortalAgents(daemon.socket);
    const old = [await agents.start(), await agents.start(), await agents.start()];
    await untilTracked(daemon, old.length);
    // A newcomer excuses one that started well before it.
    await until("them to be old enough", () => ageMsOf(old.at(-1)!.pid) > 5_100);
    for (const [index, agent] of old.entries()) {
      await agents.start();
      await untilTracked(daemon, old.length + 1);
      agent.kill("SIGKILL");
      await daemon.untilSays("member replaced", index + 1);
      await untilTracked(daemon, old.length);
    }
    const replaced = daemon.saying("member replaced").map(({ fields }) => fields.get("by_pid"));
    expect(new Set(replaced).size).toBe(old.length);
    expect(daemon.saying("agent stalled")).toEqual([]);
  });

  test("one that ends of four is reported: those that are there excuse nothing", async () => {
    await using daemon = await DaemonProcess.start({ config: '[observer]\nthreshold = "3s"\n' });
    await using agents = new MortalAgents(daemon.socket);
    const [one] = [await agents.start(), ...[await agents.start(), await agents.start()]];
    await agents.start();
    await untilTracked(daemon, 4);
    one!.kill("SIGKILL");
    await daemon.untilStalls(one!.pid);
    await untilTracked(daemon, 3);
    expect(daemon.saying("agent stalled")).toHaveLength(1);
    expect(daemon.saying("member ended")).toHaveLength(1);
    expect(daemon.saying("member gone")).toEqual([]);
  });

  test("whose parent does not reap them are told as any other, once, and cost nothing", async () => {
    // So many that start together wait for each other between two beats.
    await using daemon = await DaemonProcess.start({ config: '[observer]\nthreshold = "4s"\n' });
    // The shell becomes a program that reaps nothing.
    const agent = `${process.execPath} ${import.meta.dir}/../../support/mortal_agent.ts`;
    const exits = Array.from({ length: ZOMBIES }, (_, i) => (i < CLEAN ? 0 : 3));
    const word = (status: number) => `(until [ -e "$0" ]; do sleep 0.2; done; echo exit ${status})`;
    const script = `${exits
      .map((status) => `${word(status)} | ${agent} ${daemon.socket} >/dev/null &`)
      .join("\n")}\nexec sleep 60`;
    const endAll = daemon.path("end-all");
    await using parents = new AsyncDisposableStack();
    const parent = Bun.spawn(["/bin/sh", "-c", script, endAll]);
    parents.defer(async () => {
      parent.kill("SIGKILL");
      await parent.exited;
    });
    await untilTracked(daemon, ZOMBIES);
    writeFileSync(endAll, "");
    await daemon.untilSays("member gone", CLEAN);
    await daemon.untilSays("member ended", ZOMBIES - CLEAN);
    const zombies = [...daemon.saying("member gone"), ...daemon.saying("member ended")];
    const pids = zombies.map(({ fields }) => Number(fields.get("pid")));
    const before = cpuTicksOf(daemon.pid);
    const sinceMs = performance.now();
    await until("four seconds to pass", () => performance.now() - sinceMs > ZOMBIE_MS);
    for (const pid of pids) expect(stateOf(pid)).toBe("Z");
    expect(cpuTicksOf(daemon.pid) - before).toBeLessThan((ZOMBIE_MS / 1_000) * TICKS_PER_S * 0.1);
    for (const { fields } of daemon.saying("member ended"))
      expect(Object.fromEntries(fields)).toMatchObject({ how: "exit", exit_status: "3" });
    expect(daemon.saying("member gone")).toHaveLength(CLEAN);
    expect(daemon.saying("member ended")).toHaveLength(ZOMBIES - CLEAN);
    await daemon.untilSays("agent stalled", ZOMBIES - CLEAN);
    expect(daemon.saying("agent stalled")).toHaveLength(ZOMBIES - CLEAN);
    expect(pidfdsOf(daemon.pid)).toEqual([]);
    const page = await daemon.page();
    expect(sampleAt(page, "varta_member_pidfds")).toBe(0);
    await untilTracked(daemon, 0);
  });
});

test.concurrent("a member of another machine that stays silent leaves table and page after forget_after", async () => {
  const [port] = freeUdpPorts(1, "127.0.0.1") as [number];
  const listener = `kind = "udp"\naccept_plaintext = true\naddress = "127.0.0.1"\nport = ${port}\n`;
  await using daemon = await DaemonProcess.start({
    config: `[observer]\nthreshold = "500ms"\n[tracker]\nforget_after = "2s"\n[metrics]\nper_pid = true\n[[listener]]\nname = "net"\n${listener}`,
  });
  using remote = connectUdp({ host: "127.0.0.1", port });
  remote.beat();
  await daemon.untilStalls(process.pid);
  const row = /^varta_beats_total\{.*listener="net"|^varta_beats_total\{.*pid="/m;
  expect(await daemon.body()).toMatch(row);
  await untilTracked(daemon, 0);
  expect(await daemon.body()).not.toMatch(row);
  expect(daemon.saying("agent stalled")).toHaveLength(1);
});

/** The fields of /proc/PID/stat behind the name: the first is the state. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function stateOf(pid: number): string {
  return statOf(pid)[0]!;
}

function cpuTicksOf(pid: number): number {
  const fields = statOf(pid);
  return Number(fields[11]) + Number(fields[12]);
}

function ageMsOf(pid: number): number {
  const upS = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
  return (upS - Number(statOf(pid)[19]) / TICKS_PER_S) * 1_000;
}

function pidfdsOf(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`).includes("pidfd");
    } catch {
      // It was closed meanwhile.
      return false;
    }
  });
}
