// What people are told when a daemon was killed and another one goes on (spec 18): who is frozen
// stays stalled, who died meanwhile is told once, who is healthy is no news, no recovery is
// repeated, and one that was under way is said to be of unknown outcome.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { plainState } from "../../../src/snapshot/decoder.ts";
import { findState } from "../../../src/snapshot/found_state.ts";
import type { State } from "../../../src/snapshot/records.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

/** The pid of each recovery that was begun, by whichever daemon. */
const LOG = "recovered";

function configOf(directory: TemporaryDirectory, step: string, debounce: string): string {
  return `
guard = "off"

[recovery]
command = ["/bin/sh", "-c", "echo $VARTA_PID >> ${directory.at(LOG)}; ${step}"]
debounce = "${debounce}"
budget = 5
verify_within = "200ms"

[[agent]]
name = "worker"
match = { uid = ${process.getuid?.()} }
threshold = "400ms"
`;
}

function stateOf(daemon: DaemonProcess): State | undefined {
  const found = findState(daemon.path("varta.sock.state"), process.geteuid!());
  return found.kind === "state" ? plainState(found.state) : undefined;
}

function recovered(directory: TemporaryDirectory): number[] {
  if (!existsSync(directory.at(LOG))) return [];
  return readFileSync(directory.at(LOG), "latin1").trimEnd().split("\n").map(Number);
}

async function killed(daemon: DaemonProcess): Promise<void> {
  daemon.signal("SIGKILL");
  await daemon.exited();
}

async function asked(daemon: DaemonProcess, ...words: string[]): Promise<string> {
  const control = ["--control", daemon.path("control.sock")];
  const { stdout, stderr } = await runCommand([...PROGRAM, ...words, ...control]);
  return (stdout + stderr).replaceAll(/\s+/g, " ");
}

async function counted(daemon: DaemonProcess, sample: string): Promise<number> {
  return (await daemon.page()).samples.get(sample) ?? 0;
}

const STALLED = 'varta_agents{agent="worker",state="stalled"}';

describe.skipIf(!IS_LINUX)("after a kill -9 of the daemon", () => {
  test("alerts stay, deaths are told once with their times, and no recovery is repeated", async () => {
    using directory = new TemporaryDirectory();
    const config = configOf(directory, "exit 1", "1ms");
    await using before = await DaemonProcess.start({ config, directory: directory.path });
    await using agents = new MortalAgents(before.socket);
    const [frozen, mortal, healthy] = [
      await agents.start(),
      await agents.start(),
      await agents.start(),
    ];
    frozen.kill("SIGSTOP");
    await before.untilSays("recovery did not help");
    await until("the state to have the stall, and its recovery over", () =>
      (stateOf(before)?.member ?? []).some((one) => one.isStalled && !one.isRecovering),
    );
    await killed(before);
    mortal.kill("SIGKILL");
    await mortal.exited;

    await using after = await DaemonProcess.start({ config, directory: directory.path });
    expect(await counted(after, STALLED)).toBeGreaterThanOrEqual(1);
    await until("the death to be a stall", () => after.stallsOf(mortal.pid).length === 1);
    await until("its recovery", () => recovered(directory).includes(mortal.pid));
    const [end] = after.saying("member ended", mortal.pid);
    expect(Object.fromEntries(end!.fields)).toMatchObject({
      ...{ how: "unknown", unwatched: "died while nobody watched" },
    });
    expect(after.saying("member ended")).toHaveLength(1);
    expect(after.stallsOf(frozen.pid)).toEqual([]);
    expect(after.stallsOf(healthy.pid)).toEqual([]);
    expect(recovered(directory)).toEqual([frozen.pid, mortal.pid]);
    expect(await asked(after, "events")).toContain("died while nobody watched, between ");
    expect(await asked(after, "explain", `${frozen.pid}`)).toContain(": stalled for ");
    expect(await counted(after, "varta_member_ends_unwatched_total")).toBe(1);
    frozen.kill("SIGCONT");
    await until("the return", () => after.saying("agent is back", frozen.pid).length === 1);

    // What was told of the one that died is told by nobody any more.
    await killed(after);
    await using third = await DaemonProcess.start({ config, directory: directory.path });
    await until("beats after the start", async () => (await third.state()).turns > 20);
    expect(third.saying("member ended")).toEqual([]);
    expect(recovered(directory)).toEqual([frozen.pid, mortal.pid]);
    expect(await third.stop()).toBe(0);
    expect(await asked(third, "status")).toMatch(/is down since \d\d:\d\d:\d\d varta/);
    rmSync(third.path("last-seen"));
    expect(await asked(third, "status")).toMatch(/is down since \d\d:\d\d:\d\d varta/);
  });

  test("a recovery that was under way is told as interrupted, counted and not repeated", async () => {
    using directory = new TemporaryDirectory();
    const config = configOf(directory, "exec sleep 60", "1ms");
    await using before = await DaemonProcess.start({ config, directory: directory.path });
    await using agents = new MortalAgents(before.socket);
    const frozen = await agents.start();
    await until("the member to be known", () => (stateOf(before)?.member ?? []).length === 1);
    frozen.kill("SIGSTOP");
    // The last state is of before the stall, or of after it.
    await before.untilSays("recovery began");
    await until("the command", () => recovered(directory).length === 1);
    await killed(before);

    await using after = await DaemonProcess.start({ config, directory: directory.path });
    await after.untilSays("recovery interrupted");
    const [line] = after.saying("recovery interrupted", frozen.pid);
    expect(Object.fromEntries(line!.fields)).toMatchObject({ agent: "worker", recovery_id: "1" });
    // By another one that falls silent later, a whole threshold is over.
    const other = await agents.start();
    other.kill("SIGSTOP");
    await after.untilStalls(other.pid);
    await until("its recovery", () => recovered(directory).length === 2);
    expect(after.stallsOf(frozen.pid)).toEqual([]);
    expect(recovered(directory)).toEqual([frozen.pid, other.pid]);
    const explained = await asked(after, "explain", `${frozen.pid}`);
    expect(explained).toContain("recovery 1 was interrupted: the daemon was killed");
    const interrupted = 'varta_agent_recoveries_total{agent="worker",outcome="interrupted"}';
    expect(await counted(after, interrupted)).toBe(1);
    expect(await counted(after, STALLED)).toBe(2);

    // The next one says it of the second recovery alone.
    await until("both to be known", () => (stateOf(after)?.member ?? []).length === 2);
    await killed(after);
    await using third = await DaemonProcess.start({ config, directory: directory.path });
    await third.untilSays("recovery interrupted");
    const told = third
      .saying("recovery interrupted")
      .map(({ fields }) => Object.fromEntries(fields));
    expect(told).toMatchObject([{ pid: `${other.pid}`, recovery_id: "2" }]);
    expect(await counted(third, STALLED)).toBe(2);
  });

  test("a state that cannot be read is set aside and told, and what was noted still holds", async () => {
    using directory = new TemporaryDirectory();
    const config = configOf(directory, "exit 1", "1h");
    await using before = await DaemonProcess.start({ config, directory: directory.path });
    await using agents = new MortalAgents(before.socket);
    const frozen = await agents.start();
    frozen.kill("SIGSTOP");
    await before.untilSays("recovery began");
    await until("a state", () => stateOf(before) !== undefined);
    await killed(before);
    const path = before.path("varta.sock.state");
    await Bun.write(path, new Uint8Array(4_096));

    await using after = await DaemonProcess.start({ config, directory: directory.path });
    const [line] = after.saying("state unreadable");
    expect(Object.fromEntries(line!.fields)).toMatchObject({ set_aside: `${path}.bad` });
    frozen.kill("SIGCONT");
    await until("a beat", async () => (await after.state()).agents === 1);
    frozen.kill("SIGSTOP");
    await after.untilStalls(frozen.pid);
    const debounced = 'varta_recovery_outcomes_total{outcome="debounced"}';
    await until("its decision", async () => (await counted(after, debounced)) >= 1);
    expect(recovered(directory)).toEqual([frozen.pid]);
  });
});
