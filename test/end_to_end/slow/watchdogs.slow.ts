// Reloads go by while both watchdogs watch: the alarm is put off and the service manager is told in
// time, also by reloads that come one after the other. And a daemon that the alarm has ended is
// back with everybody that it knew.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { statSync } from "node:fs";
import { ServiceManager } from "../../daemon/service_manager.ts";
import { Crew, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { pidOf } from "../../support/log_lines.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { reload } from "../../support/reloads.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

const WATCHDOG_MS = 1_000;
const RELOADS = 40;

function config(directory: string, threshold: number): string {
  return `
[observer]
threshold = "${threshold}ms"

[liveness]
self_watchdog = "1s"

[[listener]]
kind = "unix"
path = "${directory}/varta.sock"
`;
}

test("the self-watchdog and the service manager's bear reload after reload", () =>
  unlessMachinePauses(WATCHDOG_MS / 2, async () => {
    using own = new TemporaryDirectory();
    const directory = own.path;
    using manager = new ServiceManager("abstract");
    await using daemon = await DaemonProcess.start({
      ...{ directory, config: config(directory, 500), ownListeners: true },
      env: { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: `${WATCHDOG_MS * 1_000}` },
    });
    for (let i = 1; i <= RELOADS; i++) {
      await reload(daemon, config(directory, 500 + i));
      // Its queue holds ten messages.
      manager.read();
    }
    await manager.untilTold("WATCHDOG=1", 4);
    expect(await daemon.stop()).toBe(0);
    manager.read();
    const pets = manager.messages.filter(({ text }) => text === "WATCHDOG=1\n");
    const gaps = pets.slice(1).map(({ atMs }, i) => atMs - pets[i]!.atMs);
    expect(Math.max(...gaps)).toBeLessThan(WATCHDOG_MS);
    const reloads = manager.messages.filter(({ text }) => text.startsWith("RELOADING=1\n"));
    expect(reloads.length).toBe(RELOADS);
  }));

test.skipIf(NEEDS_CREW !== "")(
  `a stop that is longer than self_watchdog ends the daemon, and its state brings everybody back${NEEDS_CREW}`,
  async () => {
    using own = new TemporaryDirectory();
    const directory = own.path;
    const file = own.at("state");
    const options = {
      directory,
      config: `${config(directory, 2_000)}\n[state]\nfile = "${file}"\n`,
    };
    const first = await DaemonProcess.start({ ...options, ownListeners: true });
    await using crew = new Crew(first.socket);
    const pids = await crew.agents({ count: 12, intervalMs: 100 });
    await first.untilSays("member came", pids.length);
    // What came after the last write would be forgotten, and that is said.
    const cameMs = Date.now();
    await until("the state to hold them", () => statSync(file).mtimeMs > cameMs);
    first.signal("SIGSTOP");
    const [dead, frozen, ...healthy] = pids;
    await crew.kill(dead!);
    await crew.signal(frozen!, "SIGSTOP");
    await Bun.sleep(2 * WATCHDOG_MS);
    first.signal("SIGCONT");
    await first.exited();
    expect(first.signalCode).toBe("SIGALRM");

    await using second = await DaemonProcess.start({ ...options, ownListeners: true });
    await second.untilSays("member ended");
    expect(second.saying("member ended").map(pidOf)).toEqual([dead!]);
    await second.untilStalls(frozen!);
    await second.untilStalls(dead!);
    for (const pid of healthy) expect(second.stallsOf(pid)).toEqual([]);
    expect(second.saying("member came")).toEqual([]);
    expect(await second.stop()).toBe(0);
  },
);
