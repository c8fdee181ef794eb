// A daemon is killed and its socket is another one then (spec 18 section 6.1): an agent that
// connected once and never again is not hit because of that, while those that are stopped, dead or
// hung are told one threshold after the start.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { findState } from "../../../src/snapshot/found_state.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

const AGENT = join(import.meta.dir, "../../support/once_connected_agent.ts");
const THRESHOLD_MS = 2_000;
/** It is judged then, whatever its process does. */
const HELD_MS = 10_000;
const LOG = "recovered";

function configOf(directory: TemporaryDirectory): string {
  return `
guard = "off"

[observer]
threshold = "${THRESHOLD_MS}ms"

[recovery]
command = ["/bin/sh", "-c", "echo $VARTA_PID >> ${directory.at(LOG)}"]
`;
}

function recovered(directory: TemporaryDirectory): number[] {
  if (!existsSync(directory.at(LOG))) return [];
  return readFileSync(directory.at(LOG), "latin1").trimEnd().split("\n").map(Number);
}

class Agents implements AsyncDisposable {
  readonly #all: Bun.Subprocess<"pipe", "pipe", "inherit">[] = [];

  /** Resolves when it has beaten. */
  async start(socket: string) {
    const child = Bun.spawn([process.execPath, AGENT, socket], { stdin: "pipe", stdout: "pipe" });
    this.#all.push(child);
    const words = child.stdout.getReader();
    await words.read();
    const hang = async (): Promise<void> => {
      child.stdin.write("x");
      await child.stdin.flush();
      await words.read();
    };
    return { pid: child.pid, child, hang };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#all) child.kill("SIGKILL");
    await Promise.all(this.#all.map(({ exited }) => exited));
  }
}

function membersKept(daemon: DaemonProcess): number {
  const found = findState(daemon.path("varta.sock.state"), process.geteuid!());
  return found.kind === "state" ? found.state.member.length : 0;
}

async function explained(daemon: DaemonProcess, pid: number): Promise<string> {
  const control = ["--control", daemon.path("control.sock")];
  const { stdout } = await runCommand([...PROGRAM, "explain", `${pid}`, ...control]);
  return stdout.replaceAll(/\s+/g, " ");
}

function silenceMs(daemon: DaemonProcess, pid: number): number {
  const [line] = daemon.saying("agent stalled", pid);
  return Number(line!.fields.get("silence_ms"));
}

test.skipIf(!IS_LINUX)(
  "the daemon's own death hits no process that runs, and hides none that does not",
  async () => {
    using directory = new TemporaryDirectory();
    const config = configOf(directory);
    await using before = await DaemonProcess.start({ config, directory: directory.path });
    await using agents = new Agents();
    const healthy = await agents.start(before.socket);
    const stopped = await agents.start(before.socket);
    const dead = await agents.start(before.socket);
    const hung = await agents.start(before.socket);
    await until("all to be kept", () => membersKept(before) === 4);
    before.signal("SIGKILL");
    await before.exited();
    stopped.child.kill("SIGSTOP");
    dead.child.kill("SIGKILL");
    await Promise.all([dead.child.exited, hung.hang()]);

    await using after = await DaemonProcess.start({ config, directory: directory.path });
    const startMs = performance.now();
    const faulty = [stopped.pid, dead.pid, hung.pid];
    await until("those that do not run to be told", () =>
      faulty.every((pid) => after.stallsOf(pid).length === 1),
    );
    const toldMs = performance.now() - startMs;
    // On a machine on which this takes that long, the healthy one is judged by then, too.
    if (toldMs < HELD_MS - THRESHOLD_MS) {
      expect(after.stallsOf(healthy.pid)).toEqual([]);
      expect(await explained(after, healthy.pid)).toContain("but its process runs");
    }
    await until("the healthy one to be told at last", () => after.stallsOf(healthy.pid).length > 0);
    const [told] = after.saying("agent stalled", healthy.pid);
    expect(told!.fields.get("hint")).toContain("hold a dead connection");
    // It was silent from about the kill on, and 10 s after the start.
    expect(silenceMs(after, healthy.pid)).toBeGreaterThanOrEqual(HELD_MS);
    for (const pid of faulty)
      expect(silenceMs(after, pid)).toBeLessThan(silenceMs(after, healthy.pid));
    expect(after.saying("agent stalled", stopped.pid)[0]!.fields.has("hint")).toBe(false);
    const all = [...faulty, healthy.pid];
    await until("what is done about them", () => recovered(directory).length === all.length);
    expect(new Set(recovered(directory))).toEqual(new Set(all));
    expect(recovered(directory).at(-1)).toBe(healthy.pid);
    expect(await explained(after, healthy.pid)).toContain("may hold a dead connection");
  },
);
