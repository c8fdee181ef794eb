// Start and end of the real program: signals at any moment, what is left, what it says where, and a
// loop that does not come round (spec 07 section 7, spec 12 sections 2 and 6).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

describe.concurrent("the daemon's life", () => {
  test("SIGTERM as soon as the socket is there: exit 0, the socket is gone", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = new DaemonProcess({ directory: directory.path });
    await until("the socket", () => existsSync(daemon.socket));
    const startedMs = performance.now();
    expect(await daemon.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(existsSync(daemon.socket)).toBe(false);
    expect(daemon.saying("stopped")[0]!.fields.get("exit_code")).toBe("0");
  });

  test.each([5, 40, 80, 120])(
    "SIGTERM %d ms after the start leaves no socket behind",
    async (ms) => {
      using directory = new TemporaryDirectory();
      await using daemon = new DaemonProcess({ directory: directory.path });
      await Bun.sleep(ms);
      const exitCode = await daemon.stop();
      // Before the program has taken the signal over, the kernel ends it.
      if (exitCode !== 0) expect(daemon.signalCode).toBe("SIGTERM");
      expect(readdirSync(directory.path)).toEqual([]);
    },
  );

  test("the metrics address is all that is ever on stdout", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--threshold-ms", "50"] });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilStalls(process.pid);
    await daemon.state();
    await daemon.page();
    daemon.signal("SIGHUP");
    await daemon.untilSays("reload failed");
    expect(await daemon.stop()).toBe(0);
    expect(daemon.stdout).toMatch(/^127\.0\.0\.1:[0-9]+\n$/);
    for (const line of daemon.stderr.trimEnd().split("\n"))
      expect(line).toMatch(/^time=\S+ level=/);
  });

  test("--shutdown-after-secs ends it with exit 0", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--shutdown-after-secs", "1"] });
    expect(await daemon.exited()).toBe(0);
    expect(daemon.saying("shutting down")[0]!.fields.get("reason")).toBe("shutdown_after");
    expect(existsSync(daemon.socket)).toBe(false);
  });

  test("SIGTERM waits for a stubborn recovery; a SIGINT after it ends everything at once", async () => {
    await using daemon = await DaemonProcess.start({
      args: [
        ...["--threshold-ms", "50", "--shutdown-grace-ms", "30000"],
        ...["--recovery-exec", "sh ./stubborn"],
      ],
      files: { stubborn: "trap '' TERM; echo $$ > child; while :; do sleep 1; done" },
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    const child = await readPid(daemon, "child");
    daemon.signal("SIGTERM");
    await daemon.untilSays("shutting down");
    expect(daemon.hasExited).toBe(false);
    const startedMs = performance.now();
    daemon.signal("SIGINT");
    expect(await daemon.exited()).toBe(1);
    // Long before the grace of the recovery is over.
    expect(performance.now() - startedMs).toBeLessThan(15_000);
    await until("the child to be gone", () => !isRunning(child));
    expect(existsSync(daemon.socket)).toBe(false);
  });

  test("two SIGTERMs within a moment are one: the recovery gets its time, exit 0", () =>
    unlessMachinePauses(100, async () => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", "50", "--recovery-exec", "sh ./slow"],
        files: {
          slow: "trap 'sleep 0.4; touch ended; exit' TERM; echo $$ > child; while :; do sleep 0.05; done",
        },
      });
      using sender = new Sender(daemon.socket);
      await sender.beat();
      await readPid(daemon, "child");
      daemon.signal("SIGTERM");
      // No other test of this process runs in between.
      Bun.sleepSync(30);
      daemon.signal("SIGTERM");
      expect(await daemon.exited()).toBe(0);
      expect(existsSync(daemon.path("ended"))).toBe(true);
      expect(daemon.saying("second signal, ending now")).toEqual([]);
    }));

  test("a recovery that takes its time gets SIGTERM at the end, then SIGKILL", async () => {
    await using daemon = await DaemonProcess.start({
      args: [
        ...["--threshold-ms", "50", "--shutdown-grace-ms", "400"],
        ...["--recovery-exec", "sh ./stubborn"],
      ],
      files: { stubborn: "trap '' TERM; echo $$ > child; while :; do sleep 1; done" },
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    const child = await readPid(daemon, "child");
    expect(await daemon.stop()).toBe(0);
    const ended = daemon.saying("recovery ended").map(({ fields }) => fields.get("reason"));
    expect(ended).toEqual(["the daemon stops"]);
    await until("the child to be gone", () => !isRunning(child));
  });

  test("a scraper that never reads does not hold the end up", async () => {
    await using daemon = await DaemonProcess.start();
    const { metricsPort: port } = daemon;
    const socket = connectTcp({ host: "127.0.0.1", port });
    socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\nX-Half:");
    await until("the connection", () => !socket.connecting);
    const startedMs = performance.now();
    expect(await daemon.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    socket.destroy();
  });

  test("--self-watchdog-secs ends a daemon that was stopped for longer than that", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--self-watchdog-secs", "1"] });
    const frozenMs = performance.now();
    daemon.signal("SIGSTOP");
    await until("the deadline to pass", () => performance.now() > frozenMs + 1_200);
    daemon.signal("SIGCONT");
    await daemon.exited();
    expect(daemon.signalCode).toBe("SIGALRM");
  });

  test("--self-watchdog-secs leaves a daemon alone that has nothing to do", () =>
    unlessMachinePauses(500, async () => {
      await using daemon = await DaemonProcess.start({ args: ["--self-watchdog-secs", "1"] });
      const startedMs = performance.now();
      await until("two deadlines to pass", () => performance.now() > startedMs + 2_100);
      expect(daemon.hasExited).toBe(false);
      expect(await daemon.stop()).toBe(0);
    }));

  test("--heartbeat-file counts turns, and no temporary file stays", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--heartbeat-file", "heartbeat"] });
    const beatOf = () => readFileSync(daemon.path("heartbeat"), "utf8");
    await until("the first heartbeat", () => existsSync(daemon.path("heartbeat")));
    const first = beatOf();
    await until("the second heartbeat", () => beatOf() !== first);
    for (const line of [first, beatOf()]) expect(line).toMatch(/^[0-9]+ [0-9]+\n$/);
    expect(await daemon.stop()).toBe(0);
    expect(readdirSync(daemon.directory)).toEqual(["heartbeat"]);
  });
});

async function readPid(daemon: DaemonProcess, name: string): Promise<number> {
  const path = daemon.path(name);
  await until(
    `the pid in ${name}`,
    () => existsSync(path) && readFileSync(path, "utf8").endsWith("\n"),
  );
  return Number(readFileSync(path, "utf8"));
}

/** A process that ended and was not yet collected by its new parent is not running. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
