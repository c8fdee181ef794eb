// A real daemon after another one, and what outlived that (spec 18): who is silent, who is muted,
// and who holds the file.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { plainState } from "../../../src/snapshot/decoder.ts";
import { findState } from "../../../src/snapshot/found_state.ts";
import type { State } from "../../../src/snapshot/records.ts";
import type { ExplainView } from "../../../src/view/explain_view.ts";
import { explanation } from "../../support/explained.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { sampleAt } from "../../metrics/page.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { PROGRAM } from "../../support/program.ts";
import { SealedAgent } from "../../support/reloads.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const CONFIG = `
guard = "off"

[[agent]]
name = "worker"
match = { uid = ${process.getuid?.()} }
threshold = "1s"
`;

function parsedRow(line: string): { kind: string; pid: number; t: string } {
  return JSON.parse(line) as { kind: string; pid: number; t: string };
}

const KEY = "5a".repeat(32);

function stateOf(daemon: DaemonProcess): State | undefined {
  const found = findState(daemon.path("varta.sock.state"), process.geteuid!());
  return found.kind === "state" ? plainState(found.state) : undefined;
}

describe.concurrent.skipIf(!IS_LINUX)("a daemon after one that was killed", () => {
  test("has its members, who is stalled stays stalled, who died is told once, who is muted stays so", async () => {
    using directory = new TemporaryDirectory();
    const events = directory.at("events.jsonl");
    const config = `${CONFIG}\n[export]\nfile = "${events}"\nformat = "jsonl"\n`;
    await using before = await DaemonProcess.start({ config, directory: directory.path });
    await using agents = new MortalAgents(before.socket);
    const [frozen, mortal, healthy] = [
      await agents.start(),
      await agents.start(),
      await agents.start(),
    ];
    frozen.kill("SIGSTOP");
    await before.untilStalls(frozen.pid);
    const control = ["--control", before.path("control.sock")];
    await runCommand([...PROGRAM, "mute", `${healthy.pid}`, "--for", "1h", ...control]);
    await until("the state to have all of it", () => {
      const { member = [], mute = [] } = stateOf(before) ?? {};
      return member.length === 3 && member.some(({ isStalled }) => isStalled) && mute.length === 1;
    });
    before.signal("SIGKILL");
    await before.exited();
    mortal.kill("SIGKILL");
    await mortal.exited;

    const diedMs = Date.now();
    // Whose they are is for the rules of now.
    const renamed = config.replace("worker", "crew");
    await using after = await DaemonProcess.start({ config: renamed, directory: directory.path });
    const [line] = after.saying("state restored");
    expect(Object.fromEntries(line!.fields)).toMatchObject({ members: "3", died: "1", mutes: "1" });
    await until("the end to be told", () => after.saying("member ended", mortal.pid).length === 1);
    await until("the death to be told in full", () => after.stallsOf(mortal.pid).length === 1);
    expect(after.stallsOf(frozen.pid)).toEqual([]);
    const page = await after.page();
    const restored = (as: string) => sampleAt(page, `varta_state_restored_members{as="${as}"}`);
    // A busy machine may have kept the healthy one silent.
    expect(restored("present") + restored("stalled")).toBe(2);
    expect(restored("died")).toBe(1);
    expect(sampleAt(page, 'varta_state_restored_members{as="left_out"}')).toBe(0);
    frozen.kill("SIGCONT");
    await until("the return", () => after.saying("agent is back", frozen.pid).length > 0);
    const status = await runCommand([...PROGRAM, "status", "--json", ...control]);
    expect(JSON.parse(status.stdout).agents).toMatchObject([{ agent: "crew", members: 3 }]);
    expect(after.saying("member came", healthy.pid)).toEqual([]);
    expect(await after.stop()).toBe(0);
    expect(stateOf(after)!.moment.isFinal).toBe(true);
    // The line of a start is the first of its run; the wall clock is known by then.
    const rows = readFileSync(events, "utf8").trimEnd().split("\n").map(parsedRow);
    const run = rows.slice(rows.findLastIndex(({ kind }) => kind === "boot"));
    const told = run.filter(({ kind, pid }) => kind === "exit" && pid === mortal.pid);
    expect(told).toHaveLength(1);
    expect(Date.parse(told[0]!.t)).toBeGreaterThanOrEqual(diedMs);
  });
});

test.concurrent.skipIf(!IS_LINUX)(
  "a daemon after one that was killed explains a stall with what was known and done before",
  async () => {
    using directory = new TemporaryDirectory();
    const config = `${CONFIG}\n[recovery]\ncommand = ["/bin/false"]\nverify_within = "100ms"\ndebounce = "10ms"\n`;
    await using before = await DaemonProcess.start({ config, directory: directory.path });
    await using agents = new MortalAgents(before.socket);
    const agent = await agents.start();
    agent.kill("SIGSTOP");
    await before.untilStalls(agent.pid);
    agent.kill("SIGCONT");
    await until("the return", () => before.saying("agent is back", agent.pid).length > 0);
    agent.kill("SIGSTOP");
    await before.untilStalls(agent.pid, 2);
    const isOver = (daemon: DaemonProcess) => async () =>
      (await explanation(daemon, agent.pid)).done.some(({ what }) => what === "not_helped");
    await until("its recovery to be over", isOver(before));
    const told = await explanation(before, agent.pid);
    await until("the state to have it", () => (stateOf(before)?.done.length ?? 0) >= 3);
    before.signal("SIGKILL");
    await before.exited();
    await using after = await DaemonProcess.start({ config, directory: directory.path });
    const now = await explanation(after, agent.pid);
    expect(now.done.map(withoutTime)).toEqual(told.done.map(withoutTime));
    expect(now.member!.verdict!.cpu_ms).toBeGreaterThanOrEqual(0);
    expect(now.history).toEqual(told.history);
  },
);

function withoutTime({ time: _, ...row }: ExplainView["done"][number]): object {
  return row;
}

test.concurrent.skipIf(!IS_LINUX)(
  "a restart does not say again that somebody came who was gone by then",
  async () => {
    using directory = new TemporaryDirectory();
    const config = CONFIG.replace('"1s"', '"600s"');
    await using before = await DaemonProcess.start({ config, directory: directory.path });
    // It is gone when its beat is read: nobody can say when it started.
    before.signal("SIGSTOP");
    await runCommand([...PROGRAM, "beat", "--socket", before.socket]);
    before.signal("SIGCONT");
    await until("it to be told", () => before.saying("member came").length === 1);
    expect(await before.stop()).toBe(0);
    await using after = await DaemonProcess.start({ config, directory: directory.path });
    expect(after.saying("state restored")[0]!.fields.get("members")).toBe("1");
    await using agents = new MortalAgents(after.socket);
    const living = await agents.start();
    await until("a newcomer to be told", () => after.saying("member came").length > 0);
    expect(after.saying("member came").map(({ fields }) => fields.get("pid"))).toEqual([
      `${living.pid}`,
    ]);
  },
);

test.concurrent.skipIf(!IS_LINUX)(
  "a restart does not make recordings of a secure sender new again",
  async () => {
    using directory = new TemporaryDirectory();
    const [port] = freeUdpPorts(1) as [number];
    writeFileSync(directory.at("key"), KEY, { mode: 0o600 });
    const config = `
[[listener]]
kind = "unix"
path = "${directory.at("varta.sock")}"

[[listener]]
name = "edge"
kind = "secure-udp"
port = ${port}
key_file = "${directory.at("key")}"
`;
    const options = { config, ownListeners: true, directory: directory.path };
    using agent = new SealedAgent(port, KEY, 31_003);
    {
      await using before = await DaemonProcess.start(options);
      agent.send();
      agent.send();
      await before.untilReceived(2, "edge");
      expect(await before.stop()).toBe(0);
    }
    await using after = await DaemonProcess.start(options);
    expect(after.saying("state restored")[0]!.fields.get("replay_gap_ms")).toBeUndefined();
    agent.sendAgain();
    agent.send();
    const { listeners } = await after.untilReceived(2, "edge");
    expect(listeners.find(({ name }) => name === "edge")).toMatchObject({
      accepted: 1,
      rejected: 1,
    });
    const page = await after.page();
    const replays = 'varta_datagrams_rejected_total{listener="edge",reason="replay"}';
    expect(sampleAt(page, replays)).toBe(1);
    after.signal("SIGKILL");
    await after.exited();
    await using last = await DaemonProcess.start(options);
    const gap = last.saying("state restored")[0]!.fields.get("replay_gap_ms");
    expect(Number(gap)).toBeGreaterThan(0);
  },
);

describe.concurrent.skipIf(!IS_LINUX)("the state of a running daemon", () => {
  test("is refused to another one that names it, and costs nothing to one that does not", async () => {
    using directory = new TemporaryDirectory();
    const file = directory.at("kept");
    const named = `${CONFIG}\n[state]\nfile = "${file}"\n`;
    await using first = await DaemonProcess.start({ config: named });
    await using second = new DaemonProcess({ config: named });
    expect(await second.exited()).toBe(1);
    expect(second.stderr).toContain(`${file}: pid ${first.pid} holds ${file}.lock`);
    const env = { STATE_DIRECTORY: directory.path };
    await using third = await DaemonProcess.start({ config: CONFIG, env });
    await using fourth = await DaemonProcess.start({ config: CONFIG, env });
    expect(third.saying("state not kept")).toEqual([]);
    expect(fourth.saying("state not kept")).toHaveLength(1);
    await until("the first file", () => existsSync(directory.at("state")));
  });

  test("is not there if it is off, and not without a configuration file", async () => {
    await using off = await DaemonProcess.start({ config: `${CONFIG}\n[state]\noff = true\n` });
    await using bare = await DaemonProcess.start();
    for (const daemon of [off, bare]) {
      expect(await daemon.stop()).toBe(0);
      expect(existsSync(`${daemon.socket}.state`)).toBe(false);
    }
  });
});
