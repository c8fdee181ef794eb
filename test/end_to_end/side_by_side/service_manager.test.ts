// The running daemon under a service manager (spec 12 sections 3 and 7): what it says on
// NOTIFY_SOCKET, when it falls silent there, what its children do not inherit, and its log as the
// journal gets it.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { ServiceManager } from "../../daemon/service_manager.ts";
import { DaemonProcess } from "../../support/daemon_process.ts";
import { Sender } from "../../support/sender.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

describe.concurrent("under a service manager", () => {
  test("the daemon says READY, pets the watchdog while it runs, and STOPPING last", async () => {
    using manager = new ServiceManager("abstract");
    const startedMs = performance.now();
    await using daemon = await DaemonProcess.start({
      env: { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: "300000" },
    });
    await manager.untilTold("WATCHDOG=1", 6);
    const pets = manager.messages.filter(({ text }) => text === "WATCHDOG=1\n");
    // Six pets are five halves of the interval; a slow machine makes them later, never earlier.
    expect(pets[5]!.atMs - startedMs).toBeGreaterThan(5 * 150);
    expect(await daemon.stop()).toBe(0);
    manager.read();
    const all = manager.messages.map(({ text }) => text);
    const texts = all.filter((text) => !text.startsWith("FDSTORE"));
    expect(texts[0]).toBe("READY=1\nSTATUS=0 agents, 0 stalled, 0 beats/s\n");
    expect(texts.at(-1)).toBe("STOPPING=1\n");
    expect(new Set(texts.slice(1, -1))).toEqual(new Set(["WATCHDOG=1\n"]));
    expect(new Set(manager.messages.map(({ pid }) => pid))).toEqual(new Set([daemon.pid]));
  });

  test("a recovery that inherits the environment cannot speak in the daemon's name", async () => {
    using manager = new ServiceManager();
    await using daemon = await DaemonProcess.start({
      args: [
        ...["--threshold-ms", "50", "--recovery-inherit-env"],
        ...["--recovery-exec", "cp /proc/self/environ environ"],
      ],
      env: {
        NOTIFY_SOCKET: manager.name,
        WATCHDOG_USEC: "1000000",
        CANARY: "inherited",
      },
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery done");
    const environment = readFileSync(daemon.path("environ"), "utf8").split("\0");
    expect(environment).toContain("CANARY=inherited");
    expect(environment.join(" ")).not.toMatch(/NOTIFY_SOCKET|WATCHDOG_/);
  });

  test("a socket that is gone is a warning, not a failure", async () => {
    await using daemon = await DaemonProcess.start({ env: { NOTIFY_SOCKET: "/nowhere/notify" } });
    const said = daemon.saying("sd_notify failed, ignoring");
    expect(said.map(({ level, fields }) => [level, fields.get("reason")])).toEqual([
      ["warn", "NOTIFY_SOCKET /nowhere/notify: ENOENT (no such file or directory)"],
    ]);
    expect(await daemon.stop()).toBe(0);
  });
});

describe.concurrent("the log on stderr", () => {
  test("has priorities instead of times if JOURNAL_STREAM names stderr", async () => {
    const lines = await logOf((device, inode) => `${device}:${inode}`);
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(line).toMatch(/^(<6>level=info|<4>level=warn) msg=/);
    expect(lines.filter((line) => line.startsWith("<4>")).join()).toContain("/nowhere/notify");
    expect(lines.at(-1)).toBe('<6>level=info msg="stopped" exit_code=0');
  });

  test("keeps its times if JOURNAL_STREAM names something else", async () => {
    const lines = await logOf((device, inode) => `${device}:${inode + 1n}`);
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(line).toMatch(/^time=\S+ level=(info|warn) msg=/);
  });
});

/** What a daemon that stops on its first turn writes to a file that it may take for the journal. */
async function logOf(journalStream: (device: bigint, inode: bigint) => string): Promise<string[]> {
  using directory = new TemporaryDirectory();
  const stderr = openSync(directory.at("stderr"), "w");
  const { dev, ino } = fstatSync(stderr, { bigint: true });
  const argv = ["--socket", directory.at("varta.sock"), "--shutdown-after-secs", "0"];
  const child = Bun.spawn([...PROGRAM, ...argv], {
    env: {
      ...process.env,
      JOURNAL_STREAM: journalStream(dev, ino),
      NOTIFY_SOCKET: "/nowhere/notify",
    },
    stderr,
  });
  closeSync(stderr);
  expect(await child.exited).toBe(0);
  return readFileSync(directory.at("stderr"), "utf8").trimEnd().split("\n");
}
