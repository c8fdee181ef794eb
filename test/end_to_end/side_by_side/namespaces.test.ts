// Agents in other pid namespaces, and observers that may not look into them: real processes, real
// namespaces, with and without CAP_SYS_PTRACE, as root and as an ordinary user (spec 05 section 5,
// spec 04 step 9).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chownSync, existsSync, readFileSync, readlinkSync } from "node:fs";
import { sampleAt } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { NO_OTHER_USERS } from "../../support/other_users.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const AS_ROOT = process.geteuid?.() === 0;
/** Ordinary users, for tests that run as root. */
const DAEMON_UID = 12_345;
const AGENT_UID = 12_346;
/** Keeps the program as a child, so that it ends with the test. */
const AS_CHILD = ["unshare", "--fork", "--kill-child"];
const PID_NAMESPACE = AS_ROOT
  ? ["unshare", "--pid", "--fork", "--kill-child"]
  : ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
const WITHOUT_PTRACE = ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace"];
const THRESHOLD_MS = 200;
const REFUSED = "varta_frame_namespace_mismatch_total";

const reason = whyNot();
const rootReason =
  reason !== "" ? reason : AS_ROOT ? "" : " (skipped: only root may be another user)";

/** A line of the JSONL export. */
interface Row {
  readonly kind: string;
  readonly pid: number;
  readonly origin?: string;
  readonly namespace?: number;
  readonly observer_namespace?: number;
  readonly generation?: number;
}

interface Start {
  readonly args?: readonly string[];
  readonly through?: readonly string[];
  /** Its owner, who must be the one that the daemon runs as. */
  readonly directory?: TemporaryDirectory;
}

function start({ args = [], through, directory }: Start = {}): Promise<DaemonProcess> {
  return DaemonProcess.start({
    args: [
      ...["--threshold-ms", `${THRESHOLD_MS}`, "--socket-mode", "0666"],
      ...["--export-file", "events.jsonl", "--recovery-exec", "touch recovered-{pid}", ...args],
    ],
    config: '[export]\nformat = "jsonl"\nevents = ["beat", "stall", "mismatch"]\n',
    ...(through && { through }),
    ...(directory && { directory: directory.path }),
  });
}

describe.concurrent.skipIf(reason !== "")(`an agent in a child pid namespace${reason}`, () => {
  test("that sends the pid it has there is no match for the kernel's", async () => {
    await using daemon = await start();
    await using crew = new Crew(daemon.socket, PID_NAMESPACE);
    const [pid] = await crew.agents({ count: 1, intervalMs: 10, beats: 3 });
    expect(pid).toBeLessThan(10);
    await daemon.untilReceived(3);
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_frame_auth_failures_total{reason="pid"}')).toBe(3);
    expect(sampleAt(page, "varta_watch_pids_tracked")).toBe(0);
    await daemon.stop();
    expect(daemon.stderr).toMatch(
      new RegExp(`frame pid ${pid} is kernel pid [0-9]+, the agent runs in another pid namespace`),
    );
  });

  test("that sends the pid the daemon sees is refused, and both namespaces are reported", async () => {
    await using daemon = await start();
    await using crew = new Crew(daemon.socket, PID_NAMESPACE);
    const pid = await sendAs(crew);
    await daemon.untilReceived(1);
    const page = await daemon.page();
    expect(sampleAt(page, REFUSED)).toBe(1);
    expect(sampleAt(page, "varta_watch_pids_tracked")).toBe(0);
    const foreign = namespaceOf(pid);
    const own = namespaceOf(daemon.pid);
    expect(foreign).not.toBe(own);
    await daemon.stop();
    const [row] = exported(daemon);
    expect(row).toMatchObject({
      kind: "mismatch",
      pid,
      namespace: foreign,
      observer_namespace: own,
    });
  });

  test("is accepted and recovered if the operator allows it", async () => {
    await using daemon = await start({ args: ["--allow-cross-namespace-agents"] });
    await using crew = new Crew(daemon.socket, PID_NAMESPACE);
    await sendAs(crew);
    const sentMs = performance.now();
    // Once the socket was read in a later tick than the agent's start, its next beat proves that it
    // is the sender.
    await until("the next tick", () => performance.now() - sentMs > 20);
    await daemon.untilReceived(1);
    const pid = await sendAs(crew);
    await until("its recovery", () => existsSync(daemon.path(`recovered-${pid}`)));
    expect(sampleAt(await daemon.page(), REFUSED)).toBe(0);
    const foreign = namespaceOf(pid);
    await daemon.stop();
    expect(exported(daemon).find(({ kind }) => kind === "stall")).toMatchObject({
      pid,
      origin: "kernel_attested",
      namespace: foreign,
    });
  });

  test("ends a strict daemon with code 1 and both namespaces in the log", async () => {
    await using daemon = await start({ args: ["--strict-namespace-check"] });
    const own = namespaceOf(daemon.pid);
    await using crew = new Crew(daemon.socket, PID_NAMESPACE);
    const pid = await sendAs(crew);
    const foreign = namespaceOf(pid);
    expect(await daemon.exited()).toBe(1);
    const [fatal] = daemon.lines.filter(({ msg }) => msg === "beat from foreign namespace");
    expect(fatal?.level).toBe("error");
    expect(Object.fromEntries(fatal!.fields)).toMatchObject({
      pid: `${pid}`,
      observed_namespace: `${foreign}`,
      observer_namespace: `${own}`,
    });
    expect(existsSync(daemon.socket)).toBe(false);
  });

  test("does not disturb a strict daemon while it forges a pid that is not its own", async () => {
    await using daemon = await start({ args: ["--strict-namespace-check"] });
    await using crew = new Crew(daemon.socket, PID_NAMESPACE);
    await crew.agents({ count: 1, intervalMs: 10, beats: 2 });
    await daemon.untilReceived(2);
    expect(await daemon.stop()).toBe(0);
  });
});

describe.concurrent.skipIf(rootReason !== "")(
  `an observer in a child pid namespace${rootReason}`,
  () => {
    const inChild = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

    test("calls no sender attested that it cannot see, and never recovers it", async () => {
      await using daemon = await start({ through: inChild });
      await using crew = new Crew(daemon.socket);
      await crew.send({ count: 1, content: "beat", pid: 4_000 });
      await daemon.untilStalls(4_000);
      const page = await daemon.page();
      const refused = 'varta_recovery_refused_total{reason="socket_mode_only"}';
      expect(sampleAt(page, refused)).toBe(1);
      await daemon.stop();
      expect(exported(daemon)[0]).toMatchObject({ pid: 4_000, origin: "socket_mode_only" });
      expect(exported(daemon)[0]).not.toContainKey("namespace");
    });

    test("as its first process warns that no watchdog can end it", async () => {
      await using daemon = await start({ through: inChild, args: ["--self-watchdog-secs", "4"] });
      expect(daemon.stderr).toContain("run the daemon under an init");
      expect(await daemon.stop()).toBe(0);
    });

    test("with the /proc of another one does not start", async () => {
      const through = ["unshare", "--pid", "--fork", "--kill-child"];
      await using daemon = new DaemonProcess({ through });
      expect(await daemon.exited()).toBe(1);
      expect(daemon.stderr).toContain("it shows another pid namespace");
      expect(daemon.stderr).toContain("varta-watch: hint: mount the proc of this namespace");
    });
  },
);

const userReason = reason !== "" ? reason : NO_OTHER_USERS;

describe.concurrent.skipIf(userReason !== "")(
  `an observer that may not read the link${userReason}`,
  () => {
    const asUser = ["setpriv", ...setUser(DAEMON_UID), ...AS_CHILD];
    const asRoot = [...WITHOUT_PTRACE, ...AS_CHILD];

    test.each([
      ["an ordinary user", DAEMON_UID, asUser],
      ["root without CAP_SYS_PTRACE", 0, asRoot],
    ])(
      "as %s knows by NSpid who is in its own namespace, and recovers him",
      async (_who, uid, through) => {
        using directory = ownedBy(uid);
        await using daemon = await start({ directory, through });
        const own = namespaceOf(daemon.pid);
        await using crew = new Crew(daemon.socket, ["setpriv", ...setUser(AGENT_UID)]);
        const pid = await crew.agent({ intervalMs: 20, beats: 5 });
        await until("its recovery", () => existsSync(daemon.path(`recovered-${pid}`)));
        await daemon.stop();
        const [beat] = exported(daemon);
        expect(beat).toMatchObject({
          kind: "beat",
          pid,
          origin: "kernel_attested",
          namespace: own,
        });
        expect(beat!.generation).toBeGreaterThan(0);
      },
    );

    test.each([
      ["an ordinary user", DAEMON_UID, asUser],
      ["root without CAP_SYS_PTRACE", 0, asRoot],
    ])(
      "as %s knows by NSpid that an agent is foreign, not where it is",
      async (_who, uid, through) => {
        using directory = ownedBy(uid);
        await using daemon = await start({ directory, through });
        await using crew = new Crew(daemon.socket, PID_NAMESPACE);
        const pid = await sendAs(crew);
        await daemon.untilReceived(1);
        expect(sampleAt(await daemon.page(), REFUSED)).toBe(1);
        await daemon.stop();
        expect(exported(daemon)[0]).toMatchObject({ kind: "mismatch", pid, namespace: 0 });
      },
    );

    test("is strict with a foreign agent although it cannot name its namespace", async () => {
      using directory = ownedBy(DAEMON_UID);
      const args = ["--strict-namespace-check"];
      await using daemon = await start({ directory, through: asUser, args });
      await using crew = new Crew(daemon.socket, PID_NAMESPACE);
      await sendAs(crew);
      expect(await daemon.exited()).toBe(1);
    });

    test("reads the link of its own user's agents", async () => {
      using directory = ownedBy(DAEMON_UID);
      await using daemon = await start({ directory, through: asUser });
      const through = ["setpriv", ...setUser(DAEMON_UID), "unshare", "--user", "--map-root-user"];
      await using crew = new Crew(daemon.socket, [...through, "--pid", "--fork", "--kill-child"]);
      const pid = await sendAs(crew);
      await daemon.untilReceived(1);
      const foreign = namespaceOf(pid);
      await daemon.stop();
      expect(exported(daemon)[0]).toMatchObject({ kind: "mismatch", pid, namespace: foreign });
    });
  },
);

/** Sends one beat under the pid by which this process knows the crew; returns that pid. */
async function sendAs(crew: Crew): Promise<number> {
  const { pid: wrapper } = crew;
  const children = () => readFileSync(`/proc/${wrapper}/task/${wrapper}/children`, "latin1").trim();
  await until("the crew to be started", () => children() !== "");
  const pid = Number(children());
  await crew.send({ count: 1, content: "beat", pid });
  return pid;
}

function namespaceOf(pid: number): number {
  return Number(/^pid:\[([0-9]+)\]$/.exec(readlinkSync(`/proc/${pid}/ns/pid`))![1]);
}

function exported(daemon: DaemonProcess): Row[] {
  const lines = readFileSync(daemon.path("events.jsonl"), "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Row);
}

function setUser(uid: number): string[] {
  return [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
}

function ownedBy(uid: number): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  chownSync(directory.path, uid, uid);
  return directory;
}

/** Why the tests cannot run here, as a part of their name; empty if they can. */
function whyNot(): string {
  if (crewProgram === undefined) return NEEDS_CREW;
  for (const tool of ["unshare", "setpriv"])
    if (Bun.which(tool) === null) return ` (skipped: there is no ${tool})`;
  const { exitCode } = Bun.spawnSync([...PID_NAMESPACE, "true"]);
  return exitCode === 0 ? "" : " (skipped: nobody may make a pid namespace here)";
}
