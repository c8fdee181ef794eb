// Reads the identity of a process from /proc (spec 05 section 5): its start time, which tells a reused pid from the old
// process, and the inode of its pid namespace. Small synchronous reads, the only ones on the loop; NaN = unknown.
import { closeSync, openSync, readlinkSync, readSync } from "node:fs";
import { isOver, type ProcessReader } from "./process_reader.ts";
import type { SpareDescriptors } from "./spare_descriptors.ts";

const STAT_BYTES_MAX = 512;
// NSpid stands within the first 2 KiB of /proc/<pid>/status.
const STATUS_BYTES_MAX = 4_096;
/** Result of a read for which there was no descriptor. */
const SHORT = -2;
/** Result of a read of a process that does not exist. */
const GONE = -3;
/** Field 22 of /proc/<pid>/stat is the 20th word after the command name. */
const START_TIME_WORD = 20;

export class ProcReader implements ProcessReader {
  readonly #root: string;
  readonly #spares: SpareDescriptors | undefined;
  readonly #buffer = Buffer.alloc(STATUS_BYTES_MAX);

  /** `root` is /proc, or a directory of the same shape in a test. `spares` help out when there is no descriptor left. */
  constructor(root = "/proc", spares?: SpareDescriptors) {
    this.#root = root;
    this.#spares = spares;
  }

  startTime(pid: number): number {
    const length = this.#read(`${this.#root}/${pid}/stat`, STAT_BYTES_MAX);
    return length < 0 ? Number.NaN : parseStartTime(this.#buffer.toString("latin1", 0, length));
  }

  hasEnded(pid: number, startTime: number): boolean {
    const length = this.#read(`${this.#root}/${pid}/stat`, STAT_BYTES_MAX);
    if (length < 0) return length === GONE;
    const text = this.#buffer.toString("latin1", 0, length);
    const found = parseStartTime(text);
    return !Number.isNaN(found) && (found !== startTime || isOver(text));
  }

  realUid(pid: number): number {
    const length = this.#read(`${this.#root}/${pid}/status`, STATUS_BYTES_MAX);
    return length < 0 ? Number.NaN : parseRealUid(this.#buffer.toString("latin1", 0, length));
  }

  namespaceInode(pid: number, observerInode: number): number {
    try {
      return parseNamespaceLink(readlinkSync(`${this.#root}/${pid}/ns/pid`));
    } catch (error) {
      return isDenied(error) ? this.#namespaceFromStatus(pid, observerInode) : Number.NaN;
    }
  }

  /** The number that the process has in its own, innermost namespace; NaN = unknown. */
  innermostPid(pid: number): number {
    const length = this.#read(`${this.#root}/${pid}/status`, STATUS_BYTES_MAX);
    if (length < 0) return Number.NaN;
    return parseNspids(this.#buffer.toString("latin1", 0, length)).at(-1) ?? Number.NaN;
  }

  /** The namespace inode of this very process; NaN = unknown. */
  ownNamespaceInode(): number {
    return this.namespaceInode(process.pid, Number.NaN);
  }

  // The link of another user's process needs CAP_SYS_PTRACE; the NSpid line is world-readable and has one number for
  // a process of our namespace, more for one in a child namespace.
  #namespaceFromStatus(pid: number, observerInode: number): number {
    if (Number.isNaN(observerInode)) return Number.NaN;
    const length = this.#read(`${this.#root}/${pid}/status`, STATUS_BYTES_MAX);
    if (length < 0) return Number.NaN;
    const count = parseNspids(this.#buffer.toString("latin1", 0, length)).length;
    if (count === 0) return Number.NaN;
    return count === 1 ? observerInode : 0;
  }

  /** The bytes read; negative if it cannot be done. */
  #read(path: string, bytesMax: number): number {
    const result = this.#tryRead(path, bytesMax);
    if (result !== SHORT || this.#spares === undefined) return result;
    return this.#spares.use(
      () => this.#tryRead(path, bytesMax),
      (again) => again === SHORT,
    );
  }

  #tryRead(path: string, bytesMax: number): number {
    try {
      const fd = openSync(path, "r");
      try {
        return readSync(fd, this.#buffer, 0, bytesMax, 0);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (isShortage(error)) return SHORT;
      return isGone(error) ? GONE : -1;
    }
  }
}

/** Start time in ticks from the text of /proc/<pid>/stat; NaN if it is malformed. The name may hold ")" and spaces. */
export function parseStartTime(text: string): number {
  const close = text.lastIndexOf(")");
  if (close < 0) return Number.NaN;
  const word = text
    .slice(close + 1)
    .trim()
    .split(/\s+/)[START_TIME_WORD - 1];
  return wholeNumber(word);
}

/** Inode from "pid:[4026531836]"; NaN if it is malformed. */
export function parseNamespaceLink(text: string): number {
  const match = /^pid:\[([0-9]+)\]$/.exec(text);
  return wholeNumber(match?.[1]);
}

/** The pids of the NSpid line, our own namespace first; none if there is no such line. A cut line could hide a number. */
export function parseNspids(text: string): readonly number[] {
  const match = /^NSpid:((?:[ \t]+[0-9]+)+)[ \t]*\n/m.exec(text);
  return match === null ? [] : match[1]!.trim().split(/\s+/).map(Number);
}

/** The first number of the Uid line of /proc/<pid>/status; NaN if there is none. */
export function parseRealUid(text: string): number {
  return wholeNumber(/^Uid:[ \t]+([0-9]+)[ \t]/m.exec(text)?.[1]);
}

function wholeNumber(digits: string | undefined): number {
  if (digits === undefined || !/^[0-9]+$/.test(digits)) return Number.NaN;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

function isShortage(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "EMFILE" || code === "ENFILE";
}

function isGone(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "ENOENT" || code === "ESRCH";
}

function isDenied(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "EACCES" || code === "EPERM";
}
