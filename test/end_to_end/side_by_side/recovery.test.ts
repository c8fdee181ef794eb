// Recoveries of the real daemon: the command runs once per debounce window with its placeholders
// filled in, and no command, however broken or slow, disturbs the loop (spec 10).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, unlinkSync } from "node:fs";
import { sampleAt } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { Sender } from "../../support/sender.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const THRESHOLD = ["--threshold-ms", "200"];
const OUTCOMES = "varta_recovery_outcomes_total";

describe.concurrent("the recovery command", () => {
  test("runs once per debounce window, with the pid filled in", async () => {
    const debounceMs = 5_000;
    await using daemon = await DaemonProcess.start({
      args: [
        ...THRESHOLD,
        ...["--recovery-debounce-ms", `${debounceMs}`],
        ...["--recovery-exec", "sh ./append runs {pid} {threshold_ms} {status}"],
      ],
      files: { append: 'file=$1; shift; echo "$@" >> $file' },
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await until("the first run", () => linesOf(daemon, "runs").length === 1);
    await daemon.untilSays("recovery began");
    const startedMs = daemon.saying("recovery began")[0]!.arrivedMs;
    await sender.beat();
    await daemon.untilStalls(process.pid, 2);
    await until("the window to end", () => performance.now() > startedMs + debounceMs);
    await sender.beat({ status: "degraded" });
    // A beat that comes before the first run is over says that it helped.
    await until("both ends", async () => {
      return sampleAt(await daemon.page(), `${OUTCOMES}{outcome="reaped_zero"}`) === 2;
    });
    expect(daemon.stallsOf(process.pid)).toHaveLength(3);
    expect(linesOf(daemon, "runs")).toEqual([
      `${process.pid} 200 ok`,
      `${process.pid} 200 degraded`,
    ]);
    const page = await daemon.page();
    expect(sampleAt(page, `${OUTCOMES}{outcome="spawned"}`)).toBe(2);
    expect(sampleAt(page, `${OUTCOMES}{outcome="debounced"}`)).toBe(1);
  });

  test("comes from a file without a line feed, and is killed at its timeout", async () => {
    await using daemon = await DaemonProcess.start({
      args: [...THRESHOLD, ...["--recovery-exec-file", "command", "--recovery-timeout-ms", "300"]],
      files: { command: "sh ./mark_and_sleep", mark_and_sleep: "touch marker; exec sleep 10" },
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery did not help");
    expect(existsSync(daemon.path("marker"))).toBe(true);
    const [killed] = daemon.saying("recovery did not help");
    expect(Number(killed!.fields.get("took_ms"))).toBeWithin(300, 10_000);
    expect(killed!.fields.get("steps")).toBe("sh killed by SIGTERM");
    const [timedOut] = daemon.saying("recovery timed out");
    expect(Object.fromEntries(timedOut!.fields)).toMatchObject({
      recovery_id: "1",
      step: "1/1",
      timeout_ms: "300",
      sent: "SIGTERM",
    });
    expect(sampleAt(await daemon.page(), `${OUTCOMES}{outcome="killed"}`)).toBe(1);
  });

  test("sees only the variables that are given to it", async () => {
    const own = ["--recovery-env", "OWN=1", "--recovery-env", "TWO=2"];
    const seen = await environmentOfRecovery(own);
    expect(seen.get("OWN")).toBe("1");
    expect(seen.get("TWO")).toBe("2");
    expect(seen.get("PATH")).toBe("/usr/bin:/bin");
    expect(seen.get("VARTA_PID")).toBe(`${process.pid}`);
    expect(seen.has("OF_THE_DAEMON")).toBe(false);
    expect(seen.has("HOME")).toBe(false);
  });

  test("sees the daemon's variables if it inherits them, but not the service manager's", async () => {
    const seen = await environmentOfRecovery(["--recovery-inherit-env"]);
    expect(seen.get("OF_THE_DAEMON")).toBe("yes");
    expect(seen.get("PATH")).toBe(process.env["PATH"]!);
    expect(seen.has("WATCHDOG_USEC")).toBe(false);
  });
});

describe.concurrent.skipIf(crewProgram === undefined)(
  `an agent that beats right after its start and hangs${NEEDS_CREW}`,
  () => {
    const args = ["--threshold-ms", "500", "--recovery-exec", "touch recovered-{pid}"];

    test("is recovered if it beat twice", async () => {
      await using daemon = await DaemonProcess.start({ args });
      await using crew = new Crew(daemon.socket);
      const pid = await crew.agent({ intervalMs: 200, beats: 2 });
      await until("its recovery", () => existsSync(daemon.path(`recovered-${pid}`)));
      await until("its line", () => daemon.saying("agent stalled").length > 0);
      expect(daemon.saying("agent stalled")[0]!.fields.has("sender")).toBe(false);
    });

    test("is reported, and recovered only if it is known to be the sender, if it beat once", async () => {
      await using daemon = await DaemonProcess.start({ args });
      await using crew = new Crew(daemon.socket);
      const pid = await crew.agent({ intervalMs: 10, beats: 1 });
      await daemon.untilStalls(pid);
      const isProven = !daemon.saying("agent stalled")[0]!.fields.has("sender");
      await daemon.untilSays(isProven ? "recovery done" : "recovery refused");
      expect(existsSync(daemon.path(`recovered-${pid}`))).toBe(isProven);
    });
  },
);

const broken = [
  // It was there when the configuration was checked.
  { name: "is gone", command: "./recover", outcome: "spawn_failed" },
  { name: "exits with 1", command: "false", outcome: "reaped_nonzero" },
  { name: "hangs", command: "sleep 10", outcome: "spawned" },
];

describe.concurrent.skipIf(crewProgram === undefined)(
  `a recovery command disturbs no other agent and no scrape${NEEDS_CREW}`,
  () => {
    test.each(broken)("when it $name", async ({ command, outcome }) => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", "1500", "--recovery-exec", command, "--shutdown-grace-ms", "200"],
        files: { recover: "" },
      });
      unlinkSync(daemon.path("recover"));
      await using crew = new Crew(daemon.socket);
      const [silent] = await crew.agents({ count: 1, intervalMs: 20, beats: 5 });
      const others = await crew.agents({ count: 10, intervalMs: 50 });
      await daemon.untilStalls(silent!);
      const atStall = (await daemon.state()).listeners[0]!.accepted;

      await until("the outcome", async () => {
        const { status } = await daemon.fetch("/-/healthy");
        expect(status).toBe(200);
        return (await daemon.state()).listeners[0]!.accepted > atStall + 5 * others.length;
      });
      const page = await daemon.page();
      expect(sampleAt(page, `${OUTCOMES}{outcome="${outcome}"}`)).toBe(1);
      expect(daemon.saying("agent stalled")).toHaveLength(1);

      const child = Number(daemon.saying("recovery began")[0]?.fields.get("child_pid"));
      expect(await daemon.stop()).toBe(0);
      await until("its command to end", () => !isStillSleeping(child));
    });
  },
);

/** A child of a daemon that ended is a zombie at first, and then its number is free for others. */
function isStillSleeping(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith("sleep\0");
  } catch {
    return false;
  }
}

async function environmentOfRecovery(args: readonly string[]): Promise<Map<string, string>> {
  await using daemon = await DaemonProcess.start({
    args: [...THRESHOLD, "--recovery-exec", "sh ./show", ...args],
    env: { OF_THE_DAEMON: "yes", HOME: "/root", WATCHDOG_USEC: "0" },
    files: { show: "env > seen.tmp; mv seen.tmp seen" },
  });
  using sender = new Sender(daemon.socket);
  await sender.beat();
  await until("the recovery", () => existsSync(daemon.path("seen")));
  return new Map(
    linesOf(daemon, "seen").map((line) => {
      const [name, ...value] = line.split("=");
      return [name!, value.join("=")];
    }),
  );
}

function linesOf(daemon: DaemonProcess, name: string): string[] {
  const path = daemon.path(name);
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
}
