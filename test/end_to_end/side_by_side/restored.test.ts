// A real daemon after another one, and what outlived that (spec 18): who is silent, who is muted,
// and who holds the file.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { findState } from "../../../src/snapshot/found_state.ts";
import type { State } from "../../../src/snapshot/records.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { sampleAt } from "../../metrics/page.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const CONFIG = `
[guard]
off = true

[[agent]]
name = "worker"
match = { uid = ${process.getuid?.()} }
threshold = "300ms"
`;

function parsedRow(line: string): { kind: string; pid: number; t: string } {
  return JSON.parse(line) as { kind: string; pid: number; t: string };
}

function stateOf(daemon: DaemonProcess): State | undefined {
  const found = findState(daemon.path("varta.sock.state"), process.geteuid!());
  return found.kind === "state" ? found.state : undefined;
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
    await using after = await DaemonProcess.start({ config, directory: directory.path });
    const [line] = after.saying("state restored");
    expect(Object.fromEntries(line!.fields)).toMatchObject({ members: "3", died: "1", mutes: "1" });
    await until("the end to be told", () => after.saying("member ended", mortal.pid).length === 1);
    await until("the death to be told in full", async () => (await after.state()).stalled === 2);
    expect(after.stallsOf(frozen.pid)).toEqual([]);
    const page = await after.page();
    for (const as of ["present", "stalled", "died"])
      expect(sampleAt(page, `varta_state_restored_members{as="${as}"}`)).toBe(1);
    expect(sampleAt(page, 'varta_state_restored_members{as="left_out"}')).toBe(0);
    frozen.kill("SIGCONT");
    await until("the return", () => after.saying("agent is back", frozen.pid).length === 1);
    const status = await runCommand([...PROGRAM, "status", "--json", ...control]);
    expect(JSON.parse(status.stdout).agents).toMatchObject([{ agent: "worker", members: 3 }]);
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
