// The simulated processes as /proc would show them: start times, pid namespaces and what of it may
// be read at the moment.
import type { GenerationClock } from "../../src/processes/generation.ts";
import type { ProcessReader } from "../../src/processes/process_reader.ts";

export const OWN_INODE = 4_026_531_836;

export interface SimulatedProcess {
  readonly pid: number;
  /** Unique over the whole run. */
  readonly startTime: number;
  readonly inode: number;
  readonly uid: number;
  readonly gid: number;
  /** Its number in its own namespace. */
  readonly innermostPid: number;
  /** False while /proc/<pid>/stat cannot be read. */
  statReadable: boolean;
  /** True once the kernel says that it has put a datagram into a socket. */
  hasSent: boolean;
  /** "hidden": ns/pid is refused and the NSpid line of status answers. */
  namespaceRead: "readable" | "hidden" | "unreadable";
}

export class ProcessTable {
  readonly #byPid = new Map<number, SimulatedProcess>();
  /**
   * Processes that are replaced by another under the same pid right between the reads of a look-up.
   */
  readonly swappedInLookup = new Map<number, number>();
  readonly #nowGeneration: GenerationClock;
  #lastStartTime = 0;

  constructor(nowGeneration: GenerationClock) {
    this.#nowGeneration = nowGeneration;
  }

  /** The start time of a process that starts now, later than all before. */
  nextStartTime(): number {
    this.#lastStartTime = Math.max(this.#lastStartTime + 1, this.#nowGeneration());
    return this.#lastStartTime;
  }

  /** Starts a process under `pid`; one that had the pid is gone. */
  start(
    fields: Omit<SimulatedProcess, "startTime" | "statReadable" | "hasSent" | "namespaceRead">,
  ) {
    const process: SimulatedProcess = {
      ...fields,
      startTime: this.nextStartTime(),
      statReadable: true,
      hasSent: false,
      namespaceRead: "readable",
    };
    this.#byPid.set(process.pid, process);
    return process;
  }

  end(pid: number): void {
    this.#byPid.delete(pid);
  }

  all(): Iterable<SimulatedProcess> {
    return this.#byPid.values();
  }

  find(pid: number): SimulatedProcess | undefined {
    return this.#byPid.get(pid);
  }

  /**
   * A reader of its own: the daemon and the model read the same world without disturbing each
   * other.
   */
  reader(): CountingReader {
    return new CountingReader(this);
  }
}

export class CountingReader implements ProcessReader {
  /** Look-ups of a namespace: one for each full look-up of an identity. */
  lookups = 0;
  readonly #table: ProcessTable;
  #lookedUpPid = 0;

  constructor(table: ProcessTable) {
    this.#table = table;
  }

  startTime(pid: number): number {
    const process = this.#table.find(pid);
    const swapped = this.#table.swappedInLookup.get(pid);
    const isAfterLookup = this.#lookedUpPid === pid;
    this.#lookedUpPid = 0;
    if (process === undefined || !process.statReadable) return Number.NaN;
    return swapped !== undefined && isAfterLookup ? swapped : process.startTime;
  }

  hasEnded(pid: number, startTime: number): boolean {
    const process = this.#table.find(pid);
    return process === undefined || (process.statReadable && process.startTime !== startTime);
  }

  realUid(pid: number): number {
    const process = this.#table.find(pid);
    return process?.statReadable === true ? process.uid : Number.NaN;
  }

  innermostPid(pid: number): number {
    const process = this.#table.find(pid);
    return process?.statReadable === true ? process.innermostPid : Number.NaN;
  }

  namespaceInode(pid: number, observerInode: number): number {
    this.lookups += 1;
    this.#lookedUpPid = pid;
    const process = this.#table.find(pid);
    if (process === undefined || process.namespaceRead === "unreadable") return Number.NaN;
    if (process.namespaceRead === "readable") return process.inode;
    if (Number.isNaN(observerInode)) return Number.NaN;
    return process.inode === OWN_INODE ? observerInode : 0;
  }
}
