// A pid that the kernel gives to another process: the newcomer must not inherit the identity, the
// silence or the recovery of the dead one (spec 05 section 5, spec 10 section 6). It is forced in a
// child pid namespace, where the test may say which pid comes next; daemon and agents live in it
// together.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parsePage, sampleAt } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const OWN_NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const WRITES_LAST_PID =
  'n=$(cat /proc/sys/kernel/ns_last_pid) && echo "$n" > /proc/sys/kernel/ns_last_pid';
const THRESHOLD_MS = 500;
const INTERVAL_MS = 20;

/**
 * Runs its arguments where setsockopt(SO_PASSRIGHTS) fails with ENOPROTOOPT, by a filter of system
 * calls.
 */
const OLDER_KERNEL_SCRIPT = `
import ctypes, os, platform, struct, sys
setsockopt = 208 if platform.machine() == "aarch64" else 54
program = [(0x20, 0, 0, 0), (0x15, 0, 3, setsockopt), (0x20, 0, 0, 32), (0x15, 0, 1, 83),
           (0x06, 0, 0, 0x50000 | 92), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in program))
header = ctypes.create_string_buffer(struct.pack("<H6xQ", len(program), ctypes.addressof(code)))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, header, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
`;

const reason = whyNot();

describe.skipIf(reason !== "")(`a pid that is used again${reason}`, () => {
  test("belongs to a new agent, or to a stranger that is left alone", () =>
    unlessMachinePauses(THRESHOLD_MS - 2 * INTERVAL_MS, async () => {
      await using daemon = await DaemonProcess.start({
        through: OWN_NAMESPACE,
        args: [
          ...["--threshold-ms", `${THRESHOLD_MS}`],
          ...["--export-file", "events.jsonl"],
          ...["--recovery-exec", "touch recovered-{pid}"],
        ],
        config:
          '[metrics]\nper_pid = true\n[export]\nformat = "jsonl"\nevents = ["beat", "stall"]\n',
      });
      await using crew = new Crew(daemon.socket, joining(daemon));
      const [heir, stranger, frozen] = await crew.agents({ count: 3, intervalMs: INTERVAL_MS });
      // An identity is looked up again after a second at the earliest.
      await until("a second of beats", () => beatsOf(daemon, heir!).length >= 1_100 / INTERVAL_MS);

      const before = generationsOf(daemon, heir!);
      await crew.kill(heir!);
      await crew.reuse(heir!, INTERVAL_MS);
      // A newcomer that beats after both have ended would excuse one of them.
      await until("the new one to beat", () => generationsOf(daemon, heir!).size === 2);
      await crew.kill(stranger!);
      await crew.reuse(stranger!, 0);
      await crew.signal(frozen!, "SIGSTOP");

      // What froze last is recovered, so the end of the one whose pid the stranger has was judged
      // before it, and the stranger spared.
      await until("the recovery", () => existsSync(daemon.path(`recovered-${frozen}`)));
      expect(existsSync(daemon.path(`recovered-${stranger}`))).toBe(false);
      // Its line may still be on its way when the file of the recovery is there.
      await daemon.untilStalls(stranger!);
      const [ended] = daemon.stallsOf(stranger!);
      expect(ended!.fields.get("verdict")).toBe("exited");
      expect(daemon.stallsOf(heir!)).toEqual([]);

      await crew.signal(heir!, "SIGSTOP");
      await daemon.untilStalls(heir!);
      const page = parsePage(await daemon.body());
      expect(sampleAt(page, "varta_tracker_pid_recycle_total")).toBe(1);
      expect(sampleAt(page, 'varta_recovery_outcomes_total{outcome="skipped_pid_recycled"}')).toBe(
        1,
      );
      expect(sampleAt(page, 'varta_recovery_outcomes_total{outcome="spawned"}')).toBe(2);
      expect(sampleAt(page, `varta_stalls_total{pid="${heir}"}`)).toBe(1);
      await daemon.stop();

      const generations = generationsOf(daemon, heir!);
      expect(before.size).toBe(1);
      expect(generations.size).toBe(2);
      const [newest] = [...generations].filter((generation) => !before.has(generation));
      const stall = exported(daemon).find(({ kind, pid }) => kind === "stall" && pid === heir);
      expect(stall?.generation).toBe(newest!);
      expect(beatsOf(daemon, heir!).filter((beat) => beat.nonce === "1")).toHaveLength(2);
    }));
});

describe.concurrent.skipIf(reason !== "")(
  `a pid that is used again while beats wait${reason}`,
  () => {
    // The daemon is stopped meanwhile, as a busy one is late: what it reads of the pid then is the
    // stranger's.
    test.each([1, 2, 5])("%d beats of its dead owner hurt no stranger", async (count) => {
      await using daemon = await DaemonProcess.start({
        through: OWN_NAMESPACE,
        args: ["--threshold-ms", `${THRESHOLD_MS}`, "--recovery-exec", "touch recovered-{pid}"],
      });
      await using crew = new Crew(daemon.socket, joining(daemon));
      const dead = new Crew(daemon.socket, joining(daemon));
      const pid = await pidInNamespace(dead);

      // No other agent may beat meanwhile: a full queue would hold the sender for as long as the
      // daemon.
      process.kill(daemon.pid, "SIGSTOP");
      await dead.send({ count, content: "beat", pid });
      await dead[Symbol.asyncDispose]();
      await crew.reuse(pid, 0);
      process.kill(daemon.pid, "SIGCONT");

      const [witness] = await crew.agents({ count: 1, intervalMs: INTERVAL_MS });
      await daemon.untilReceived(count + 5);
      await daemon.untilStalls(pid);
      expect(daemon.stallsOf(pid)).toHaveLength(1);
      expect(daemon.stallsOf(pid)[0]!.fields.get("sender")).toBe("unproven");
      // What froze later is recovered, so the stranger was decided on, and spared.
      await crew.signal(witness!, "SIGSTOP");
      await until("the recovery", () => existsSync(daemon.path(`recovered-${witness}`)));
      expect(existsSync(daemon.path(`recovered-${pid}`))).toBe(false);
      const refusals = daemon.saying("recovery refused").map(({ fields }) => fields);
      expect(refusals.map((fields) => [fields.get("pid"), fields.get("reason")])).toEqual([
        [String(pid), "unproven_sender"],
      ]);
      const page = parsePage(await daemon.body());
      expect(sampleAt(page, 'varta_recovery_refused_total{reason="unproven_sender"}')).toBe(1);
    });
  },
);

const STATES_PID = join(import.meta.dir, "../../support/stated_pid.py");
/** A kernel that is asked nothing, as those before Linux 6.16: it refuses SO_PASSRIGHTS. */
const OLDER_KERNEL = ["python3", "-c", OLDER_KERNEL_SCRIPT];
const statedReason = reason !== "" ? reason : whyNotStated();

describe.concurrent.skipIf(statedReason !== "")(
  `a pid that a user states of its own child${statedReason}`,
  () => {
    test.each([
      ["asks the kernel", []],
      ["cannot ask", OLDER_KERNEL],
    ])("hurts no stranger who got it, where the daemon %s", async (_what, through) => {
      await using daemon = await DaemonProcess.start({
        through: [...OWN_NAMESPACE, ...through],
        args: [
          ...["--threshold-ms", `${THRESHOLD_MS}`, "--socket-mode", "0666"],
          ...["--recovery-exec", "touch recovered-{pid}"],
        ],
      });
      chmodSync(daemon.directory, 0o755);
      process.kill(daemon.pid, "SIGSTOP");
      const argv = [...joining(daemon), "python3", STATES_PID, daemon.socket];
      const attack = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe" });
      try {
        const { value } = await attack.stdout.getReader().read();
        const pid = Number(new TextDecoder().decode(value));
        expect(pid).toBeGreaterThan(1);
        process.kill(daemon.pid, "SIGCONT");
        await daemon.untilStalls(pid);
        await daemon.untilSays("recovery refused");
        const [refusal] = daemon.saying("recovery refused");
        expect(refusal!.fields.get("reason")).toBe("unproven_sender");
        expect(existsSync(daemon.path(`recovered-${pid}`))).toBe(false);
      } finally {
        attack.kill("SIGKILL");
        await attack.exited;
      }
    });
  },
);

/** The pid that a crew has in the namespace of the daemon. */
async function pidInNamespace({ pid: wrapper }: Crew): Promise<number> {
  const children = () => readFileSync(`/proc/${wrapper}/task/${wrapper}/children`, "latin1").trim();
  await until("the crew to be started", () => children() !== "");
  const status = readFileSync(`/proc/${children()}/status`, "latin1");
  return Number(/^NSpid:.*\t(\d+)$/m.exec(status)![1]);
}

interface Row {
  readonly kind: string;
  readonly pid: number;
  readonly nonce: string;
  readonly generation: number;
}

function exported(daemon: DaemonProcess): Row[] {
  const lines = readFileSync(daemon.path("events.jsonl"), "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Row);
}

function beatsOf(daemon: DaemonProcess, pid: number): Row[] {
  return exported(daemon).filter((row) => row.kind === "beat" && row.pid === pid);
}

function generationsOf(daemon: DaemonProcess, pid: number): Set<number> {
  return new Set(beatsOf(daemon, pid).map(({ generation }) => generation));
}

function joining(daemon: DaemonProcess): string[] {
  return ["nsenter", "--target", `${daemon.pid}`, "--pid", "--mount"];
}

/** Why no user can rule a namespace here; empty if one can. */
function whyNotStated(): string {
  if (Bun.which("python3") === null) return " (skipped: there is no python3)";
  const argv = [
    "setpriv",
    "--reuid",
    "65534",
    "--clear-groups",
    "unshare",
    "-Urp",
    "--fork",
    "true",
  ];
  return Bun.spawnSync(argv).exitCode === 0 ? "" : " (skipped: no user may rule a namespace here)";
}

/** Why the test cannot run here, as a part of its name; empty if it can. */
function whyNot(): string {
  if (crewProgram === undefined) return NEEDS_CREW;
  if (process.geteuid?.() !== 0) return " (skipped: only root may make a pid namespace)";
  for (const tool of ["unshare", "nsenter"])
    if (Bun.which(tool) === null) return ` (skipped: there is no ${tool})`;
  const attempt = Bun.spawnSync([...OWN_NAMESPACE, "sh", "-c", WRITES_LAST_PID]);
  return attempt.exitCode === 0 ? "" : " (skipped: this system lets nobody choose the next pid)";
}
