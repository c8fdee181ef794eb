// The receivers that are compared: the daemon as a user runs it, and the C program. Each gets a
// network namespace of its own where that is allowed, because the length of a datagram queue is
// read from there when the socket is made.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");
/** What systemd sets on a host. */
export const LONG_QUEUE_LENGTH = 512;
/** What the kernel has without systemd, as in a container. */
export const SHORT_QUEUE_LENGTH = 10;
const START_MS_MAX = 10_000;
/** Ends a daemon whose benchmark was killed before it could clean up; no part takes so long. */
const LIFE = ["--shutdown-after-secs", "900"];

export const FROM_SOURCE: readonly string[] = [process.execPath, join(ROOT, "src", "main.ts")];
export const WITH_PROBE: readonly string[] = [
  process.execPath,
  join(ROOT, "bench", "support", "probed_daemon.ts"),
];
export const WITH_MEMBER_PROBE: readonly string[] = [
  process.execPath,
  join(ROOT, "bench", "support", "probed_members.ts"),
];
export const WITH_RECOVERY_PROBE: readonly string[] = [
  process.execPath,
  join(ROOT, "bench", "support", "probed_recovery.ts"),
];

/** True if queues are as long here as a host with systemd has them. */
export const HAS_LONG_QUEUES = process.getuid?.() === 0 && Bun.which("unshare") !== null;

/** A receiver under load. Disposing it ends it and waits until it is gone. */
export interface Receiver extends AsyncDisposable {
  readonly pid: number;
  readonly socket: string;
}

export interface DaemonUnderTest extends Receiver {
  readonly directory: string;
  /** The metrics page. */
  scrape(): Promise<string>;
}

/** Starts the daemon with `command`; limits off, per-pid metrics on. */
export async function startDaemon(
  command: readonly string[],
  options: readonly string[] = [],
  queueLength = LONG_QUEUE_LENGTH,
): Promise<DaemonUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), "varta-bench-"));
  const socket = join(directory, "beats.sock");
  const page = join(directory, "metrics.sock");
  const limits = ["--max-beat-rate", "0", "--global-beat-rate", "0"];
  const doors = [
    "--socket",
    socket,
    "--prom-addr",
    `unix:${page}`,
    "--prom-rate-limit-per-sec",
    "0",
  ];
  const child = Bun.spawn(
    withQueues([...command, "run", ...doors, ...limits, ...LIFE, ...options], queueLength),
    {
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(join(directory, "log")),
      env: { ...process.env, VARTA_BENCH_DELAYS: join(directory, "delays.json") },
    },
  );
  await existence([socket, page], child, join(directory, "log"));
  return {
    pid: child.pid,
    socket,
    directory,
    scrape: async () => (await fetch("http://daemon/metrics", { unix: page })).text(),
    [Symbol.asyncDispose]: () => end(child, directory),
  };
}

/** The same with a stream listener instead; nobody who falls silent between two runs is told. */
export async function startStreamDaemon(command: readonly string[]): Promise<DaemonUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), "varta-bench-"));
  const socket = join(directory, "stream.sock");
  const page = join(directory, "metrics.sock");
  writeFileSync(join(directory, "varta.toml"), streamConfig(socket, page));
  const child = Bun.spawn([...command, "run", "--config", "varta.toml", ...LIFE], {
    cwd: directory,
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(directory, "log")),
    env: { ...process.env, VARTA_BENCH_DELAYS: join(directory, "delays.json") },
  });
  await existence([socket, page], child, join(directory, "log"));
  return {
    pid: child.pid,
    socket,
    directory,
    scrape: async () => (await fetch("http://daemon/metrics", { unix: page })).text(),
    [Symbol.asyncDispose]: () => end(child, directory),
  };
}

function streamConfig(socket: string, page: string): string {
  return `
[observer]
threshold = "10m"
[tracker]
capacity = 65536
[limits]
per_pid_rate = 0
global_rate = 0
[metrics]
listen = "unix:${page}"
rate_limit_per_sec = 0
[[listener]]
kind = "unix-stream"
path = "${socket}"
`;
}

export async function startNativeReceiver(
  program: string,
  mode: "take" | "drop",
): Promise<Receiver> {
  const directory = mkdtempSync(join(tmpdir(), "varta-bench-"));
  const socket = join(directory, "beats.sock");
  const child = Bun.spawn(withQueues([program, socket, mode], LONG_QUEUE_LENGTH), {
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(directory, "log")),
  });
  await existence([socket], child, join(directory, "log"));
  return { pid: child.pid, socket, [Symbol.asyncDispose]: () => end(child, directory) };
}

/** The sum of all samples of a metric on `page` whose labels contain `labels`. */
export function metric(page: string, name: string, labels = ""): number {
  let sum = 0;
  for (const line of page.split("\n")) {
    const after = line[name.length];
    if (!line.startsWith(name) || (after !== " " && after !== "{")) continue;
    if (line.includes(labels)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

// unshare(1) and sh(1) both replace themselves, so the pid of the child is the pid of the receiver.
function withQueues(command: readonly string[], queueLength: number): string[] {
  if (!HAS_LONG_QUEUES) return [...command];
  const script = `echo ${queueLength} > /proc/sys/net/unix/max_dgram_qlen; exec "$@"`;
  return ["unshare", "-n", "sh", "-c", script, "sh", ...command];
}

async function existence(
  paths: readonly string[],
  child: Bun.Subprocess,
  log: string,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_MS_MAX; waitedMs += 10) {
    if (paths.every((path) => existsSync(path))) return;
    if (child.exitCode !== null) break;
    await Bun.sleep(10);
  }
  child.kill("SIGKILL");
  throw new Error(`Cannot start a receiver: ${readFileSync(log, "utf8").trim()}`);
}

async function end(child: Bun.Subprocess, directory: string): Promise<void> {
  child.kill("SIGTERM");
  await child.exited;
  rmSync(directory, { recursive: true, force: true });
}
