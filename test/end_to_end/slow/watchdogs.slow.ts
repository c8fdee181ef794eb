// Reloads go by while both watchdogs watch: the alarm is put off and the service manager is told in
// time, also by reloads that come one after the other.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { ServiceManager } from "../../daemon/service_manager.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { reload } from "../../support/reloads.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

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
