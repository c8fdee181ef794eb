// Reads processes from /proc (spec 05 section 5): the only place that knows which file of
// /proc/<pid> says what. Start time and pid namespace say which process has a pid. Small
// synchronous reads, the only ones on the loop; NaN = unknown.
import { readdirSync, readlinkSync } from "node:fs";
import type { Identity, IdentityReader, Program } from "./identity.ts";
import { baseName, isInterpreter, scriptOf } from "./interpreter.ts";
import { FILE_GONE, KernelFiles } from "./kernel_files.ts";
import { lastAnswer } from "./last_answer.ts";
import * as text from "./proc_text.ts";
import type { PlaceReader, ProcessReader, ProcessSeat } from "./process_reader.ts";
import { markOf } from "./program_mark.ts";
import type { SpareDescriptors } from "./spare_descriptors.ts";
import { cgroupPath, placementOf } from "./unit_placement.ts";
import { type AgentUnit, parseUnit } from "./unit_of_process.ts";
import { UserNames } from "./user_names.ts";

const STAT_BYTES_MAX = 512;
// The lines that are read stand within the first 2 KiB of /proc/<pid>/status.
const STATUS_BYTES_MAX = 4_096;
const CGROUP_BYTES_MAX = 4_096;
/**
 * A command line may be longer than any file of the kernel; who a program is stands at its
 * beginning.
 */
const CMDLINE_BYTES_MAX = 32_768;

/**
 * What a script is called stands in the first page, but behind a class path; a longer line takes
 * several reads.
 */
const SCRIPT_BYTES_MAX = 4_096;
/** The kernel says so of a program whose file was replaced, as by an upgrade. */
const DELETED = " (deleted)";

export class ProcReader implements ProcessReader, PlaceReader, IdentityReader {
  readonly #root: string;
  readonly #files: KernelFiles;
  readonly #users = new UserNames();
  readonly #placementOf = lastAnswer(placementOf);
  readonly #parseUnit = lastAnswer(parseUnit);

  /**
   * `root` is /proc, or a directory of the same shape in a test. `spares` help out when there is no
   * descriptor left.
   */
  constructor(root = "/proc", spares?: SpareDescriptors) {
    this.#root = root;
    this.#files = new KernelFiles(spares);
  }

  startTime(pid: number): number {
    return text.parseStartTime(this.#stat(pid));
  }

  hasEnded(pid: number, startTime: number): boolean {
    const length = this.#files.read(`${this.#root}/${pid}/stat`, STAT_BYTES_MAX);
    if (length < 0) return length === FILE_GONE;
    const stat = this.#files.decoded(length);
    const found = text.parseStartTime(stat);
    return !Number.isNaN(found) && (found !== startTime || text.isOver(stat));
  }

  /** True while the process of this start time runs, or may run again: a zombie does not. */
  isAlive(pid: number, startTime: number): boolean {
    const stat = this.#stat(pid);
    return !text.isOver(stat) && text.parseStartTime(stat) === startTime;
  }

  /** Whether what has the pid is a zombie; undefined if it is hidden. */
  isZombie(pid: number): boolean | undefined {
    const stat = this.#stat(pid);
    return stat === "" ? undefined : text.isOver(stat);
  }

  /**
   * How the process of this start time ended, while it is a zombie; NaN = it is none, or that is
   * kept from us.
   */
  zombieStatus(pid: number, startTime: number): number {
    const stat = this.#stat(pid);
    if (text.parseStartTime(stat) !== startTime) return Number.NaN;
    const status = text.parseExitCode(stat);
    // Who may not know the status reads 0; the same right is needed for the link.
    return status === 0 && !this.#isOpenToUs(pid) ? Number.NaN : status;
  }

  parentPid(pid: number): number {
    return text.parseParentPid(this.#stat(pid));
  }

  realUid(pid: number): number {
    return text.parseRealUid(this.#status(pid));
  }

  namespaceInode(pid: number, observerInode: number): number {
    try {
      return text.parseNamespaceLink(readlinkSync(`${this.#root}/${pid}/ns/pid`));
    } catch (error) {
      return isDenied(error) ? this.#namespaceFromStatus(pid, observerInode) : Number.NaN;
    }
  }

  innermostPid(pid: number): number {
    return text.parseNspids(this.#status(pid)).at(-1) ?? Number.NaN;
  }

  /** The namespace inode of this very process; NaN = unknown. */
  ownNamespaceInode(): number {
    return this.namespaceInode(process.pid, Number.NaN);
  }

  programMark(pid: number, startTime: number): number {
    const stat = this.#stat(pid);
    if (text.parseStartTime(stat) !== startTime) return Number.NaN;
    const layout = text.parseLayout(stat);
    if (layout !== "") return markOf([text.parseComm(stat), layout]);
    return this.#programOf(pid, startTime)?.mark ?? Number.NaN;
  }

  /** The name that the process has given itself; "" = unknown. */
  commOf(pid: number): string {
    return text.parseComm(this.#stat(pid));
  }

  /** The effective gid and the supplementary groups; none if they cannot be read. */
  groupsOf(pid: number): readonly number[] {
    return text.parseGroups(this.#status(pid));
  }

  identityOf(
    pid: number,
    startTime: number,
    uid: number,
    gid: number,
    nowNs: number,
  ): Identity | undefined {
    const cgroup = this.#files.text(`${this.#root}/${pid}/cgroup`, CGROUP_BYTES_MAX);
    // The start time is looked at after the control group, too.
    const program = this.#programOf(pid, startTime);
    if (program === undefined) return undefined;
    const { unit, unitUid, container } = this.#placementOf(cgroup);
    return {
      ...program,
      uid,
      gid,
      user: this.userName(uid, nowNs),
      unit,
      unitUser: this.userName(unitUid, nowNs),
      container,
    };
  }

  userName(uid: number, nowNs: number): string {
    return Number.isNaN(uid) ? "" : this.#users.nameOf(uid, nowNs);
  }

  /** The unit that the process runs in, or the words for why there is none. */
  unitOf(pid: number): AgentUnit | string {
    return this.#parseUnit(this.#files.text(`${this.#root}/${pid}/cgroup`, CGROUP_BYTES_MAX));
  }

  placeOf(pid: number): ProcessSeat | undefined {
    const cgroupText = this.#files.text(`${this.#root}/${pid}/cgroup`, CGROUP_BYTES_MAX);
    const cgroup = cgroupPath(cgroupText);
    if (cgroup === undefined) return undefined;
    const { unit, unitUid } = this.#placementOf(cgroupText);
    return { unit, unitUser: Number.isNaN(unitUid) ? "" : String(unitUid), cgroup };
  }

  /** The words of its command line; [""] for what has none. */
  argv(pid: number): string[] {
    const path = `${this.#root}/${pid}/cmdline`;
    const line = Buffer.from(this.#files.text(path, CMDLINE_BYTES_MAX), "latin1");
    return line.toString("utf8").split("\0");
  }

  /**
   * What the descriptors of the process are: "socket:[4711]", "/dev/null". None if they are hidden.
   */
  descriptors(pid: number): { readonly fd: number; readonly link: string }[] {
    const directory = `${this.#root}/${pid}/fd`;
    return namesIn(directory).flatMap((fd) => {
      try {
        return { fd: Number(fd), link: readlinkSync(`${directory}/${fd}`) };
      } catch {
        // It was closed meanwhile, as that of the listing itself.
        return [];
      }
    });
  }

  /** Every process that /proc shows. */
  pids(): number[] {
    return namesIn(this.#root)
      .filter((name) => /^[0-9]+$/.test(name))
      .map(Number);
  }

  #programOf(pid: number, startTime: number): Program | undefined {
    const before = this.#stat(pid);
    if (text.parseStartTime(before) !== startTime) return undefined;
    const comm = text.parseComm(before);
    const layout = text.parseLayout(before);
    const exe = this.#exe(pid);
    const script = this.#script(pid, exe, comm);
    const after = this.#stat(pid);
    const isSame =
      text.parseStartTime(after) === startTime &&
      text.parseComm(after) === comm &&
      text.parseLayout(after) === layout;
    if (!isSame) return undefined;
    const mark = layout === "" ? markOf([comm, exe, script]) : markOf([comm, layout]);
    return { comm, exe, script, mark };
  }

  #exe(pid: number): string {
    try {
      const link = readlinkSync(`${this.#root}/${pid}/exe`, "latin1");
      return link.endsWith(DELETED) ? link.slice(0, -DELETED.length) : link;
    } catch {
      // That of another user's process is hidden from who may not trace it.
      return "";
    }
  }

  // An interpreter is known by its program. Where that is hidden from us, the process says itself
  // what it is; but one that was started by the first line of a script has its own name.
  #script(pid: number, exe: string, comm: string): string {
    const program = baseName(exe);
    if (program !== "" && !isInterpreter(program)) return "";
    const words = this.#words(pid, SCRIPT_BYTES_MAX) ?? this.#words(pid, CMDLINE_BYTES_MAX) ?? [];
    const names = program === "" ? [comm, baseName(words[0] ?? "")] : [program];
    return scriptOf(names.find(isInterpreter) ?? "", words);
  }

  /** The words of its command line, as latin1; undefined if they are more than fit. */
  #words(pid: number, bytesMax: number): string[] | undefined {
    const line = this.#files.text(`${this.#root}/${pid}/cmdline`, bytesMax);
    return line.length === bytesMax ? undefined : line.split("\0");
  }

  #isOpenToUs(pid: number): boolean {
    try {
      return readlinkSync(`${this.#root}/${pid}/ns/pid`) !== "";
    } catch {
      return false;
    }
  }

  #stat(pid: number): string {
    return this.#files.text(`${this.#root}/${pid}/stat`, STAT_BYTES_MAX);
  }

  #status(pid: number): string {
    return this.#files.text(`${this.#root}/${pid}/status`, STATUS_BYTES_MAX);
  }

  // The link of another user's process needs CAP_SYS_PTRACE; the NSpid line is world-readable and
  // has one number for a process of this namespace, more for one in a child namespace.
  #namespaceFromStatus(pid: number, observerInode: number): number {
    if (Number.isNaN(observerInode)) return Number.NaN;
    const count = text.parseNspids(this.#status(pid)).length;
    if (count === 0) return Number.NaN;
    return count === 1 ? observerInode : 0;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isDenied(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "EACCES" || code === "EPERM";
}
