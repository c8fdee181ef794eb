// What the process that starts the daemon leaves: blocked and ignored signals, a umask, a limit of
// descriptors. The daemon works as ever, and its children get none of that.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { Sender } from "../../support/sender.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const ENV = Bun.which("env") ?? "env";
/** GNU env, as of coreutils 8.31. */
const CAN_SET_SIGNALS =
  Bun.spawnSync([ENV, "--block-signal", "--ignore-signal=CHLD", "true"], { stderr: "ignore" })
    .exitCode === 0;
const NEEDS_ENV = "(needs env --block-signal)";

/** Writes what it inherited into files of the daemon's directory, and ends with 3. */
const RECOVERY = "grep ^Sig /proc/self/status > signals; umask > mask; ulimit -Sn > limit; exit 3";
/** Files that exist already: the recovery's own mask might make unreadable ones. */
const ANSWERS = { recovery: RECOVERY, signals: "", mask: "", limit: "" };

function started(as: readonly string[], args: readonly string[] = []): Promise<DaemonProcess> {
  return DaemonProcess.start({
    as,
    args: ["--threshold-ms", "60", "--recovery-exec", "sh ./recovery", ...args],
    files: ANSWERS,
    metrics: false,
  });
}

function shell(setting: string): string[] {
  return ["sh", "-c", `${setting}; exec "$@"`, "sh"];
}

async function recover(daemon: DaemonProcess): Promise<void> {
  using sender = new Sender(daemon.socket);
  await sender.beat();
  await daemon.untilSays("recovery did not help");
}

function answer(daemon: DaemonProcess, name: keyof typeof ANSWERS): string {
  return readFileSync(daemon.path(name), "utf8").trim();
}

/** Lines such as "SigBlk: 0000000000000000" of /proc/PID/status. */
function maskIn(status: string, name: string): bigint {
  return BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)![1]}`);
}

describe.concurrent("the daemon and what its parent left behind", () => {
  test.skipIf(!CAN_SET_SIGNALS)(
    `every signal blocked, many ignored: exits are seen, it stops, children begin again ${NEEDS_ENV}`,
    async () => {
      const ignored = "--ignore-signal=CHLD,TERM,INT,ALRM,QUIT,USR1,USR2";
      await using daemon = await started([ENV, "--block-signal", ignored]);
      await recover(daemon);
      expect(daemon.saying("recovery did not help")[0]!.fields.get("exit_code")).toBe("3");
      const child = answer(daemon, "signals");
      for (const name of ["SigBlk", "SigIgn"]) expect(maskIn(child, name)).toBe(0n);
      const own = readFileSync(`/proc/${daemon.pid}/status`, "utf8");
      expect(maskIn(own, "SigBlk")).toBe(0n);
      expect(await daemon.stop()).toBe(0);
    },
  );

  test.skipIf(!CAN_SET_SIGNALS)(
    `SIGALRM blocked and ignored: the self-watchdog still ends a stopped one ${NEEDS_ENV}`,
    async () => {
      await using daemon = await started(
        [ENV, "--block-signal=ALRM", "--ignore-signal=ALRM"],
        ["--self-watchdog-secs", "1"],
      );
      const frozenMs = performance.now();
      daemon.signal("SIGSTOP");
      await until("the deadline to pass", () => performance.now() > frozenMs + 1_200);
      daemon.signal("SIGCONT");
      await daemon.exited();
      expect(daemon.signalCode).toBe("SIGALRM");
    },
  );

  test.skipIf(!CAN_SET_SIGNALS)(
    `SIGHUP asks for a reload although nohup had it ignored, and children have its default ${NEEDS_ENV}`,
    async () => {
      await using daemon = await started([ENV, "--ignore-signal=HUP"]);
      daemon.signal("SIGHUP");
      await daemon.untilSays("reload failed");
      await recover(daemon);
      expect(maskIn(answer(daemon, "signals"), "SigIgn")).toBe(0n);
      expect(await daemon.stop()).toBe(0);
    },
  );

  test("a umask that leaves nothing: its own files are its own, children have that umask", async () => {
    await using daemon = await started(shell("umask 0777"), ["--export-file", "events.tsv"]);
    await recover(daemon);
    await until("the export", () => existsSync(daemon.path("events.tsv")));
    expect(statSync(daemon.path("events.tsv")).mode & 0o777).toBe(0o600);
    expect(answer(daemon, "mask")).toBe("0777");
    expect(await daemon.stop()).toBe(0);
  });

  test("a low soft limit of descriptors: it is raised for itself, children have it as it was", async () => {
    await using daemon = await started(shell("ulimit -Sn 200; ulimit -Hn 1000"));
    await recover(daemon);
    expect(answer(daemon, "limit")).toBe("200");
    const limits = readFileSync(`/proc/${daemon.pid}/limits`, "utf8");
    expect(limits).toMatch(/^Max open files +1000 +1000 /m);
    expect(await daemon.stop()).toBe(0);
  });
});
