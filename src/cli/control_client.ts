// Asks the daemon at its control socket (spec 16 section 7): one request, the lines of its answer,
// and what to say and which exit code to end with when there is none. It blocks, with a limit: a
// command has nothing else to do.
import { existsSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { AF_UNIX, EACCES, EAGAIN, EINTR, POLLIN, SOCK_STREAM } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { peerCredentials } from "../../ffi/peer.ts";
import { PollSet } from "../../ffi/poll.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { StreamBuffer } from "../../ffi/stream.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { Accounts } from "../config/accounts.ts";
import { defaultSocket } from "../config/runtime_directory.ts";
import { OPERATORS_HINT } from "../control/last_words.ts";
import { PROTOCOL } from "../control/request.ts";
import { parseState } from "../processes/proc_text.ts";
import { configuredPlaces } from "./configured_places.ts";
import { lastKnown } from "./last_known.ts";
import {
  daemonDown,
  daemonEnded,
  daemonSilent,
  notOperator,
  notPermitted,
} from "./screens/no_answer.ts";
import type { Outcome, Screen } from "./screens/screen.ts";

const EXIT_REFUSED = 1;
const EXIT_USAGE = 64;
const EXIT_NO_ANSWER = 75;
/** Of refusals that are about what was asked for; the others are about the connection. */
const REFUSAL_EXITS: Readonly<Record<string, number>> = {
  no_such_agent: EXIT_REFUSED,
  refused: EXIT_REFUSED,
  bad_field: EXIT_USAGE,
};
const EXIT_PROTOCOL = 76;
const EXIT_NOT_PERMITTED = 77;
/** Hints of a refusal to act, about which more is known here; another says all itself. */
const OF_ACTS: readonly string[] = ["", OPERATORS_HINT];

/** Longest wait for the next byte of an answer. */
const PATIENCE_MS = 2_000;
/** The daemon gives up reading its file after 10 s (spec 17 section 2), and says so. */
export const RELOAD_PATIENCE_MS = 10_000 + PATIENCE_MS;
/** Of poll(2). */
const FOR_EVER = -1;
/** Of a stream: a daemon with nothing to say says so every 2 s, on a busy machine later. */
const QUIET_MS_MAX = 6_000;
const CONNECT_RETRY_MS = 20;
const STDOUT = 1;
const READ_BYTES = 64 * 1_024;
const SYSTEM_SOCKET = "/run/varta/control.sock";
const GROUP_WRITES = 0o020;
const GROUP_SEARCHES = 0o010;
const DONE = '{"done":true}';

export type Answer =
  | { readonly ok: true; readonly lines: readonly string[] }
  | ({ readonly ok: false } & Outcome);

interface AskOptions {
  readonly screen: Screen;
  /** Of the daemon; undefined = the one at the default place, if that daemon has this socket. */
  readonly configFile?: string | undefined;
  readonly patienceMs?: number;
  /**
   * Each line as it comes; false = none is wanted any more. Behind the first one an answer takes
   * the time that it needs.
   */
  readonly onLine?: (line: string) => unknown;
  /**
   * It has no end of its own: its daemon says so when it has nothing to say, and it is over when
   * nobody reads what this program prints.
   */
  readonly isStream?: boolean;
}

/** Where a command asks that names no socket: VARTA_CONTROL, or the default path. */
export function controlPath(
  env: Readonly<Record<string, string | undefined>>,
  uid = effectiveUid(),
): string {
  const given = env["VARTA_CONTROL"];
  if (given !== undefined && given !== "") return given;
  const own = join(dirname(defaultSocket(uid, env).path), "control.sock");
  return uid === 0 || existsSync(own) ? own : SYSTEM_SOCKET;
}

/** The lines of the answer, without the last one. */
export function ask(
  path: string,
  request: Readonly<Record<string, unknown>>,
  { screen, configFile, patienceMs = PATIENCE_MS, onLine, isStream = false }: AskOptions,
): Answer {
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    const found = `--control: found a path of ${bytes} bytes`;
    return failed(EXIT_USAGE, `${found}; want at most ${SOCKET_PATH_BYTES_MAX}`);
  }
  const fd = openSocket(AF_UNIX, SOCK_STREAM);
  if (fd < 0) return failed(EXIT_NO_ANSWER, `cannot open a socket: ${errnoText(-fd)}`);
  try {
    const line = `${JSON.stringify({ v: PROTOCOL, ...request })}\n`;
    return askAt({ fd, path, screen, configFile, patienceMs, onLine, isStream }, line);
  } finally {
    close(fd);
  }
}

interface Asked {
  readonly fd: number;
  readonly path: string;
  readonly screen: Screen;
  readonly configFile: string | undefined;
  readonly patienceMs: number;
  readonly onLine: AskOptions["onLine"];
  readonly isStream: boolean;
}

function askAt(asked: Asked, line: string): Answer {
  const { fd, path, screen, configFile, patienceMs } = asked;
  const connected = connectPatiently(fd, path, patienceMs);
  if (connected === -EAGAIN) return noAnswer(fd, patienceMs);
  if (connected === -EACCES) return mayNotAsk(path);
  if (connected < 0 || send(fd, Buffer.from(line)) < 0) return isDown(path, screen, configFile);
  if (asked.onLine !== undefined) return followAnswer(asked, asked.onLine);
  const text = readAnswer(fd, patienceMs);
  if (text === undefined) return noAnswer(fd, patienceMs);
  const lines = text.split("\n");
  const end = lines.indexOf(DONE);
  return end < 0 ? isDown(path, screen, configFile) : judged(lines.slice(0, end), path);
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

/** The same, with each line handed on as soon as it is whole. */
function followAnswer(asked: Asked, onLine: (line: string) => unknown): Answer {
  const { fd, path, isStream } = asked;
  const poll = new PollSet(2);
  poll.add(fd, POLLIN);
  // Nothing is asked for: what is reported all the same is that its reader has left.
  const stdout = poll.add(isStream ? STDOUT : -1, 0);
  const buffer = new StreamBuffer(READ_BYTES);
  const decoder = new TextDecoder();
  let rest = "";
  let patienceMs = asked.patienceMs;
  for (;;) {
    const waitedMs = waitedInVain(
      poll,
      fd,
      isStream ? Number.POSITIVE_INFINITY : PATIENCE_MS,
      patienceMs,
    );
    if (waitedMs > 0) return noAnswer(fd, waitedMs);
    if (poll.revents(stdout) !== 0) return { ok: true, lines: [] };
    const count = buffer.receive(fd, 0);
    if (count === -EAGAIN || count === -EINTR) continue;
    if (count <= 0) return hasEnded();
    const lines = (rest + decoder.decode(buffer.bytes.subarray(0, count), { stream: true })).split(
      "\n",
    );
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === DONE) return judged([], path);
      const answer = judged([line], path);
      if (!answer.ok || onLine(line) === false) return answer;
      patienceMs = isStream ? QUIET_MS_MAX : FOR_EVER;
    }
  }
}

/**
 * Milliseconds that were waited for nothing; 0 = something has come. A daemon that is stopped is
 * not waited for any longer after `stoppedMs`: it does not even read what it is asked.
 */
function waitedInVain(poll: PollSet, fd: number, stoppedMs: number, patienceMs: number): number {
  const firstMs = Math.min(patienceMs, stoppedMs);
  if (poll.wait(firstMs) !== 0) return 0;
  if (firstMs === patienceMs || stateOf(peerPid(fd)) === "T") return firstMs;
  return poll.wait(patienceMs - firstMs) === 0 ? patienceMs : 0;
}

function judged(lines: readonly string[], path: string): Answer {
  for (const line of lines) {
    // Only a refusal is looked at: an answer may be long, and its reader parses it.
    if (!line.startsWith(`{"v":${PROTOCOL},`)) return otherProtocol(line);
    if (!line.startsWith(`{"v":${PROTOCOL},"error":`)) continue;
    const { error, text = "", hint = "" } = JSON.parse(line) as Readonly<Record<string, string>>;
    if (error === "not_permitted")
      return OF_ACTS.includes(hint) ? mayNotTell(path) : failed(EXIT_NOT_PERMITTED, text, hint);
    if (error === "bad_version") return otherProtocol(line);
    if (error === "closing") return hasEnded();
    return failed(REFUSAL_EXITS[error!] ?? EXIT_NO_ANSWER, text, hint);
  }
  return { ok: true, lines };
}

function isDown(path: string, screen: Screen, configFile: string | undefined): Answer {
  const time = new Date().toISOString();
  const places = configuredPlaces(configFile);
  // The default file may be that of another daemon.
  const isIts = configFile !== undefined || places?.control === path;
  const last = lastKnown(path, isIts ? places?.state : undefined);
  const unread = places === undefined || places.unread === "" ? undefined : places;
  return { ok: false, ...daemonDown({ host: hostname(), time, last, unread }, screen) };
}

/** It was there a moment ago. */
function hasEnded(): Answer {
  return { ok: false, ...daemonEnded(hostname()) };
}

function noAnswer(fd: number, afterMs: number): Answer {
  const pid = peerPid(fd);
  return { ok: false, ...daemonSilent(pid, stateOf(pid), afterMs) };
}

function peerPid(fd: number): number | undefined {
  return peerCredentials(fd)?.pid || undefined;
}

/** The letter of /proc/PID/stat; "" = it is gone, or not known. */
function stateOf(pid: number | undefined): string {
  if (pid === undefined) return "";
  try {
    return parseState(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return "";
  }
}

function mayNotAsk(socket: string): Answer {
  const { uid, user } = whoAsks();
  const gid = gidThatAdmits(socket);
  const name = gid === 0 ? "" : new Accounts("/etc/group").nameOf(gid);
  const group = name ?? String(gid);
  return { ok: false, ...notPermitted({ uid, user, socket, group }) };
}

/** Of the socket, or of the directory that lets nobody else as far as that; 0 = root alone. */
function gidThatAdmits(socket: string): number {
  for (let path = socket; ; path = dirname(path)) {
    try {
      const { gid, mode } = statSync(path);
      const wanted = path === socket ? GROUP_WRITES : GROUP_SEARCHES;
      return (mode & wanted) === 0 ? 0 : gid;
    } catch {
      if (path === dirname(path)) return 0;
    }
  }
}

function mayNotTell(socket: string): Answer {
  return { ok: false, ...notOperator({ ...whoAsks(), socket }) };
}

/** `user` is "" where the uid has no name. */
function whoAsks(): { readonly uid: number; readonly user: string } {
  const uid = effectiveUid();
  return { uid, user: new Accounts("/etc/passwd").nameOf(uid) ?? "" };
}

function otherProtocol(line: string): Answer {
  let version: unknown;
  try {
    version = (JSON.parse(line) as { v?: unknown }).v;
  } catch {
    version = "unknown";
  }
  const error = `the daemon speaks protocol ${String(version)}, this program ${PROTOCOL}`;
  return failed(EXIT_PROTOCOL, error, "systemctl restart varta-watch");
}

function failed(exitCode: number, error: string, hint = ""): Answer {
  return { ok: false, stdout: "", error, hint, exitCode };
}
