// Why "varta-watch beat" could not send, and what to do about it: what is at the socket path, who
// may use it, and what a machine said that was sent a datagram.
import { readFileSync, type Stats, statSync } from "node:fs";
import { IS_LINUX } from "../../ffi/constants.ts";
import { effectiveUid } from "../../ffi/process.ts";
import type { BeatResult } from "../client/mod.ts";
import { defaultSocket } from "../config/runtime_directory.ts";

const SYSTEM_SOCKET = defaultSocket(0, {}).path;

interface BeatFailure {
  readonly error: string;
  /** "" = none. */
  readonly hint: string;
}

/** `endpoint` is a socket path, or IP:PORT if `isUdp`. */
export function beatFailure(endpoint: string, isUdp: boolean, result: BeatResult): BeatFailure {
  if (result.reason === "rate") return { error: result.text, hint: "want --interval 10ms or more" };
  return isUdp ? udpFailure(endpoint, result) : unixFailure(endpoint, result);
}

function udpFailure(endpoint: string, result: BeatResult): BeatFailure {
  const what = `cannot send beat to ${endpoint}`;
  if (result.kind === "failed") return { error: `${result.text} (to ${endpoint})`, hint: "" };
  if (result.kind === "dropped" && result.reason === "no_observer")
    return {
      error: `${what}: the port is closed (the answer to an earlier beat)`,
      hint: "on that machine: varta-watch check --print",
    };
  return { error: `${what}: the network does not take it: its queue is full`, hint: "" };
}

function unixFailure(path: string, result: BeatResult): BeatFailure {
  if (result.kind === "dropped")
    return result.reason === "no_observer" ? noObserver(path) : queueFull(path);
  if (result.kind === "failed" && result.reason === "EACCES") return accessDenied(path);
  if (result.kind === "failed" && result.reason === "EPROTOTYPE")
    return {
      error: `cannot send beat to ${path}: it is a socket of another type`,
      hint: "want the path of a [[listener]], not that of a metrics socket",
    };
  return { error: result.text, hint: "" };
}

function noObserver(path: string): BeatFailure {
  const stats = statOf(path);
  const what = `cannot send beat to ${path}`;
  if (stats !== undefined && !stats.isSocket())
    return {
      error: `${what}: it is not a socket`,
      hint: 'want the socket path of the running varta-watch: "varta-watch check --print" shows it',
    };
  const found =
    stats === undefined ? "there is no socket at this path" : "no process listens there";
  const error = `${what}: ${found}: is varta-watch running?`;
  if (path !== SYSTEM_SOCKET && statOf(SYSTEM_SOCKET)?.isSocket())
    return {
      error,
      hint: `the system's varta-watch has its socket elsewhere: --socket ${SYSTEM_SOCKET}`,
    };
  return {
    error,
    hint: IS_LINUX
      ? `start it with "systemctl start varta-watch", or in the foreground with "varta-watch --socket ${path}"`
      : `start it in the foreground with "varta-watch --socket ${path}"`,
  };
}

function queueFull(path: string): BeatFailure {
  return {
    error: `cannot send beat to ${path}: the observer's queue is full`,
    hint: `either varta-watch is stuck, or many beat at once${IS_LINUX ? ": net.unix.max_dgram_qlen (sysctl) is the length of the queue when the socket is made" : ""}`,
  };
}

function accessDenied(path: string): BeatFailure {
  const error = `cannot send beat to ${path}: permission denied for uid ${effectiveUid()}`;
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
