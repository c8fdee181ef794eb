// Asks the daemon at its control socket (spec 16 section 7): one request, the lines of its answer,
// and what to say and which exit code to end with when there is none. It blocks, with a limit: a
// command has nothing else to do.
import { existsSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { EACCES, EAGAIN, EINTR, POLLIN, SOCK_STREAM } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { peerCredentials } from "../../ffi/peer.ts";
import { PollSet } from "../../ffi/poll.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { StreamBuffer } from "../../ffi/stream.ts";
import { Accounts } from "../config/accounts.ts";
import { defaultSocket } from "../config/runtime_directory.ts";
import { PROTOCOL } from "../control/request.ts";

const EXIT_DOWN = 69;
const EXIT_NO_ANSWER = 75;
const EXIT_PROTOCOL = 76;
const EXIT_NOT_PERMITTED = 77;

/** Longest wait for the next byte of an answer. */
const PATIENCE_MS = 2_000;
const CONNECT_RETRY_MS = 20;
const READ_BYTES = 64 * 1_024;
const SYSTEM_SOCKET = "/run/varta/control.sock";
const DONE = '{"done":true}';

export interface NoAnswer {
  readonly ok: false;
  readonly exit: number;
  readonly error: string;
  readonly hint: string | undefined;
}

type Answer = { readonly ok: true; readonly lines: readonly string[] } | NoAnswer;

/** Where a command asks that names no socket. */
export function controlPath(
  env: Readonly<Record<string, string | undefined>>,
  uid = effectiveUid(),
): string {
  const own = join(dirname(defaultSocket(uid, env).path), "control.sock");
  return uid === 0 || existsSync(own) ? own : SYSTEM_SOCKET;
}

/** The lines of the answer, without the last one. */
export function ask(
  path: string,
  request: Readonly<Record<string, unknown>>,
  patienceMs = PATIENCE_MS,
): Answer {
  const fd = openSocket(unixAddress(path).family, SOCK_STREAM);
  if (fd < 0) return failed(EXIT_NO_ANSWER, `cannot open a socket: ${errnoText(-fd)}`, "ulimit -n");
  try {
    return askAt(fd, path, `${JSON.stringify({ v: PROTOCOL, ...request })}\n`, patienceMs);
  } finally {
    close(fd);
  }
}

function askAt(fd: number, path: string, request: string, patienceMs: number): Answer {
  const connected = connectPatiently(fd, path, patienceMs);
  if (connected === -EAGAIN) return noAnswer(fd, patienceMs);
  if (connected === -EACCES) return notPermitted(path);
  if (connected < 0) return isDown();
  if (send(fd, Buffer.from(request)) < 0) return isDown();
  const text = readAnswer(fd, patienceMs);
  if (text === undefined) return noAnswer(fd, patienceMs);
  const lines = text.split("\n");
  if (!lines.includes(DONE)) return isDown();
  return judged(lines.slice(0, lines.indexOf(DONE)), path);
}

/** A daemon that is stopped takes no connections once its queue is full. */
function connectPatiently(fd: number, path: string, patienceMs: number): number {
  const address = unixAddress(path);
  for (let waitedMs = 0; ; waitedMs += CONNECT_RETRY_MS) {
    const result = connect(fd, address);
    if (result !== -EAGAIN || waitedMs >= patienceMs) return result;
    Bun.sleepSync(CONNECT_RETRY_MS);
  }
}

/** All up to the line that ends it, or to the end; undefined = nothing came for too long. */
function readAnswer(fd: number, patienceMs: number): string | undefined {
  const poll = new PollSet(1);
  poll.add(fd, POLLIN);
  const buffer = new StreamBuffer(READ_BYTES);
  const pieces: Buffer[] = [];
  let tail = "";
  while (!`\n${tail}`.endsWith(`\n${DONE}\n`)) {
    if (poll.wait(patienceMs) === 0) return undefined;
    const count = buffer.receive(fd, 0);
    if (count === -EAGAIN || count === -EINTR) continue;
    if (count <= 0) break;
    const piece = Buffer.from(buffer.bytes.subarray(0, count));
    pieces.push(piece);
    tail = (tail + piece.toString("latin1")).slice(-DONE.length - 2);
  }
  return Buffer.concat(pieces).toString();
}

function judged(lines: readonly string[], path: string): Answer {
  for (const line of lines) {
    // Only a refusal is looked at: an answer may be long, and its reader parses it.
    if (!line.startsWith(`{"v":${PROTOCOL},`)) return otherProtocol(line);
    if (!line.startsWith(`{"v":${PROTOCOL},"error":`)) continue;
    const { error, text, hint } = JSON.parse(line) as Record<string, string | undefined>;
    if (error === "not_permitted") return notPermitted(path, "tell the daemon at");
    if (error === "bad_version") return otherProtocol(line);
    return failed(error === "no_such_agent" ? 1 : EXIT_NO_ANSWER, `${text}`, hint);
  }
  return { ok: true, lines };
}

function isDown(): NoAnswer {
  return failed(EXIT_DOWN, `the daemon on ${hostname()} is down`, "systemctl status varta-watch");
}

function noAnswer(fd: number, patienceMs: number): NoAnswer {
  const pid = peerCredentials(fd)?.pid;
  const who = pid === undefined || pid === 0 ? "the daemon" : `the daemon (pid ${pid})`;
  const error = `${who} did not answer within ${patienceMs / 1_000}s`;
  return failed(EXIT_NO_ANSWER, error, pid ? stateHint(pid) : undefined);
}

function stateHint(pid: number): string {
  const state = processState(pid);
  if (state === "T") return `it is stopped (state T): kill -CONT ${pid}`;
  if (state === "t") return `a debugger holds it (state t): grep TracerPid /proc/${pid}/status`;
  if (state === undefined) return "systemctl status varta-watch";
  return `it is in state ${state}: cat /proc/${pid}/stack`;
}

function processState(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2)[0];
  } catch {
    return undefined;
  }
}

function notPermitted(path: string, verb = "ask"): NoAnswer {
  const uid = effectiveUid();
  const user = new Accounts("/etc/passwd").nameOf(uid);
  const gid = statSync(path, { throwIfNoEntry: false })?.gid;
  const group = gid === undefined ? undefined : new Accounts("/etc/group").nameOf(gid);
  const asker = user === undefined ? `uid ${uid}` : `uid ${uid}, ${user}`;
  const hint =
    verb === "ask"
      ? `be root${group === undefined ? "" : `, or a member of group ${group}: usermod -aG ${group} ${user ?? uid}`}`
      : `be root, or an operator: [control] operators = ["${user ?? uid}"]`;
  return failed(EXIT_NOT_PERMITTED, `you (${asker}) may not ${verb} ${path}`, hint);
}

function otherProtocol(line: string): NoAnswer {
  let version: unknown;
  try {
    version = (JSON.parse(line) as { v?: unknown }).v;
  } catch {
    version = undefined;
  }
  return failed(
    EXIT_PROTOCOL,
    `the daemon speaks protocol ${String(version)}, this program ${PROTOCOL}`,
    "systemctl restart varta-watch",
  );
}

function failed(exit: number, error: string, hint: string | undefined): NoAnswer {
  return { ok: false, exit, error, hint };
}
