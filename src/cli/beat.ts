// "varta-watch beat": beats from the shell, one or a series. One line per beat on stdout; the first of each kind of
// failure is explained on stderr with what to do about it. Each run is a new process with a new pid, so only a series
// looks like one living agent to the observer.
import { readFileSync, type Stats, statSync } from "node:fs";
import { isatty } from "node:tty";
import { effectiveUid } from "../../ffi/process.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import { type AgentStatus, type BeatResult, type Client, connect } from "../client/mod.ts";
import { type Invocation, ownNumber, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";

const EXIT_OK = 0;
const EXIT_NOT_SENT = 1;
/** EX_UNAVAILABLE: no beat found an observer. */
const EXIT_NO_OBSERVER = 69;

const SYSTEM_SOCKET = "/run/varta/varta.sock";
const STDERR = 2;
/** Longest time that a runtime timer can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

interface Failure {
  readonly error: string;
  readonly hint: string;
}

/** Sends the beats; 0 = all were sent, 69 = none found an observer, 1 = anything else. */
export async function run(invocation: Invocation): Promise<number> {
  const status = (ownText(invocation, "status") ?? "ok") as AgentStatus;
  const payload = ownNumber(invocation, "payload") ?? 0;
  const count = ownNumber(invocation, "count") ?? 1;
  const intervalMs = (ownNumber(invocation, "interval") ?? NS_PER_S) / NS_PER_MS;
  // The command may well beat faster than a client should look for an observer.
  using client = connect(ownText(invocation, "socket"), { reconnectMs: 0 });
  const explained = new Set<BeatResult>();
  for (let i = 0; i < count; i++) {
    if (i > 0) await wait(intervalMs);
    const nonce = client.nextNonce;
    const result = client.beat(status, payload);
    print(resultLine(client, nonce, result));
    if (result.kind === "sent" || explained.has(result)) continue;
    explained.add(result);
    explain(client.endpoint, result);
  }
  if (client.counters.sent === count) {
    if (count === 1 && isatty(STDERR))
      printHint(
        `pid ${client.pid} ends now and will be reported silent; to see a living agent, send a series from one process: --count 60 --interval 1s`,
      );
    return EXIT_OK;
  }
  return client.counters.noObserver === count ? EXIT_NO_OBSERVER : EXIT_NOT_SENT;
}

function resultLine(client: Client, nonce: bigint, result: BeatResult): string {
  const beat = `nonce ${nonce} pid ${client.pid} to ${client.endpoint}`;
  if (result.kind === "sent") return `sent ${beat}\n`;
  const why = result.kind === "dropped" ? result.reason : result.code;
  return `not sent ${beat}: ${why}\n`;
}

function explain(path: string, result: BeatResult): void {
  const { error, hint } = failureOf(path, result);
  printError(error);
  if (hint !== "") printHint(hint);
}

function failureOf(path: string, result: BeatResult): Failure {
  if (result.kind === "dropped")
    return result.reason === "no_observer" ? noObserver(path) : queueFull(path);
  if (result.kind === "failed" && result.code === "EACCES") return accessDenied(path);
  if (result.kind === "failed" && result.code === "EPROTOTYPE")
    return {
      error: `Cannot send beat to ${path}: it is a socket of another type`,
      hint: "want the path of a [[listener]], not that of a metrics socket",
    };
  return { error: result.text, hint: "" };
}

function noObserver(path: string): Failure {
  const stats = statOf(path);
  const what = `Cannot send beat to ${path}`;
  if (stats !== undefined && !stats.isSocket())
    return {
      error: `${what}: it is not a socket`,
      hint: 'want the socket path of the running varta-watch: "varta-watch check --print" shows it',
    };
  const found = stats === undefined ? "there is no socket at this path" : "nobody listens there";
  const error = `${what}: ${found}: is varta-watch running?`;
  if (path !== SYSTEM_SOCKET && statOf(SYSTEM_SOCKET)?.isSocket())
    return {
      error,
      hint: `the system's varta-watch has its socket elsewhere: --socket ${SYSTEM_SOCKET}`,
    };
  return {
    error,
    hint: `start it with "systemctl start varta-watch", or in the foreground with "varta-watch --socket ${path}"`,
  };
}

function queueFull(path: string): Failure {
  return {
    error: `Cannot send beat to ${path}: the observer's queue is full`,
    hint: "either varta-watch is stuck, or many beat at once: net.unix.max_dgram_qlen (sysctl) is the length of the queue when the socket is made",
  };
}

function accessDenied(path: string): Failure {
  const error = `Cannot send beat to ${path}: permission denied for uid ${effectiveUid()}`;
  const stats = statOf(path);
  if (stats === undefined)
    return { error, hint: "a directory on the way to it may not be entered by this user" };
  const owner = `${nameOf("/etc/passwd", stats.uid)}:${nameOf("/etc/group", stats.gid)}`;
  const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
  return {
    error,
    hint: `the socket belongs to ${owner} with mode ${mode}: run this as that user or group, or set "mode" and "group" of the [[listener]] in varta.toml`,
  };
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** The name of a uid or gid in an account file; the number itself if there is none. */
function nameOf(accountFile: string, id: number): string {
  try {
    const lines = readFileSync(accountFile, "utf8").split("\n");
    const line = lines.find((entry) => entry.split(":")[2] === String(id));
    return line?.split(":")[0] ?? String(id);
  } catch {
    return String(id);
  }
}

async function wait(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= TIMER_MS_MAX) await Bun.sleep(Math.min(left, TIMER_MS_MAX));
}
