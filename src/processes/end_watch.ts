// Sees processes end that are no children of ours (spec 14 section 1): a process descriptor for
// each, all of them in one epoll descriptor that the loop waits for. Kept by pid and start time,
// never by slot. A process that runs costs nothing; descriptors and the ends of a turn are bounded.
import { POLLHUP, POLLIN } from "../../ffi/constants.ts";
import { makeRoomForDescriptors } from "../../ffi/limits.ts";
import { pidfdOpen, pidfdWaitStatus } from "../../ffi/pidfd.ts";
import { closeFd } from "../../ffi/pipe.ts";
import { openReadiness, type Readiness } from "../../ffi/readiness.ts";
import { NS_PER_S } from "../base/time.ts";
import type { ProcReader } from "./proc_reader.ts";

/** Open files that are left to others: connections, files, children of recoveries. */
export const DESCRIPTORS_SPARED = 512;
/** How long a process that has ended may be unreaped before its status counts as unknown. */
const END_STATUS_NS_MAX = NS_PER_S;
/** Ends taken in one turn, of about 20 us each. */
const ENDS_PER_TURN_MAX = 128;
/** Processes that `watchLeftOut` tries at once, of about 30 us each. */
const LEFT_OUT_TRIES_MAX = 64;
/** Processes that wait for a descriptor at most; of the others nothing is kept. */
const LEFT_OUT_MAX = 16_384;

/** Descriptors that are no processes: the connection to systemd. */
const OTHERS_MAX = 1;

/** What `watch` says. */
export const WATCH_BEGUN = 0;
/** The process has ended already, or another one has its pid: there is nothing to watch. */
export const WATCH_GONE = 1;
/** There is no descriptor for it: its end is found out when it falls silent. */
export const WATCH_REFUSED = 2;

/** The process that had `pid` and started at `generation` has ended. */
export interface ProcessEnd {
  readonly pid: number;
  readonly generation: number;
  /** As wait(2) writes it; NaN = unknown. */
  readonly waitStatus: number;
  /** When the end was seen; its status may have come later. */
  readonly seenNs: number;
}

type EndSink = (end: ProcessEnd) => void;

interface WatchedProcess {
  readonly pid: number;
  readonly generation: number;
  readonly pidfd: number;
  /** It has ended: until then its status may come. +Infinity while it runs. */
  statusDueNs: number;
}

export interface EndWatchOptions {
  readonly processes: Pick<ProcReader, "startTime" | "zombieStatus">;
  /** Most descriptors of processes. */
  readonly pidfdsMax: number;
  /** The soft limit of open files; Infinity = none. */
  readonly openFilesMax: number;
  /** The kernel says how a process ended that was reaped. */
  readonly kernelTells: boolean;
}

export class EndWatch {
  /** Processes that have a descriptor at most. */
  readonly capacity: number;
  /** Processes that got none since the start. */
  refused = 0;
  readonly #processes: EndWatchOptions["processes"];
  readonly #kernelTells: boolean;
  readonly #readiness: Readiness;
  readonly #byPid = new Map<number, WatchedProcess>();
  readonly #byFd = new Map<number, WatchedProcess>();
  /** By pid, their start times: those that got no descriptor and are not forgotten. */
  readonly #leftOut = new Map<number, number>();
  /** Other descriptors in the same wait. */
  readonly #others = new Map<number, () => void>();
  /** Those that have ended and whose status may still come, the one that waits longest first. */
  readonly #unreaped = new Set<WatchedProcess>();

  constructor({ processes, pidfdsMax, openFilesMax, kernelTells }: EndWatchOptions) {
    this.#processes = processes;
    this.#kernelTells = kernelTells;
    this.capacity = Math.max(0, Math.min(pidfdsMax, openFilesMax - DESCRIPTORS_SPARED));
    this.#readiness = openReadiness(this.capacity + OTHERS_MAX, ENDS_PER_TURN_MAX);
    // At the start no beat waits for it.
    if (this.fd >= 0) makeRoomForDescriptors(this.fd, this.capacity + DESCRIPTORS_SPARED);
  }

  /** Readable when a process has ended; -1 = it cannot be waited for. */
  get fd(): number {
    return this.#readiness.fd;
  }

  /** Processes that are watched. */
  get count(): number {
    return this.#byPid.size;
  }

  isWatching(pid: number, generation: number): boolean {
    return this.#byPid.get(pid)?.generation === generation;
  }

  /** Watches the process that has `pid` and started at `generation`; a WATCH code. */
  watch(pid: number, generation: number): number {
    const result = this.#tryWatch(pid, generation);
    if (result === WATCH_REFUSED) {
      this.refused += 1;
      if (this.capacity > 0 && this.#leftOut.size < LEFT_OUT_MAX)
        this.#leftOut.set(pid, generation);
    }
    return result;
  }

  /** Some of those that got no descriptor get one, if there is room by now. */
  watchLeftOut(): void {
    let tries = 0;
    for (const [pid, generation] of this.#leftOut) {
      if (this.count >= this.capacity || tries === LEFT_OUT_TRIES_MAX) return;
      tries += 1;
      if (this.#tryWatch(pid, generation) === WATCH_REFUSED) return;
      this.#leftOut.delete(pid);
    }
  }

  #tryWatch(pid: number, generation: number): number {
    const known = this.#byPid.get(pid);
    if (known?.generation === generation) return WATCH_BEGUN;
    if (known !== undefined) this.#drop(known);
    if (this.count >= this.capacity) return WATCH_REFUSED;
    const pidfd = pidfdOpen(pid);
    if (pidfd < 0)
      return this.#processes.startTime(pid) === generation ? WATCH_REFUSED : WATCH_GONE;
    // Read after the descriptor was opened: the two then are of one process.
    if (this.#processes.startTime(pid) !== generation) {
      closeFd(pidfd);
      return WATCH_GONE;
    }
    if (this.#readiness.add(pidfd, POLLIN) < 0) {
      closeFd(pidfd);
      return WATCH_REFUSED;
    }
    const watched = { pid, generation, pidfd, statusDueNs: Number.POSITIVE_INFINITY };
    this.#byPid.set(pid, watched);
    this.#byFd.set(pidfd, watched);
    return WATCH_BEGUN;
  }

  /**
   * The process has ended, as is known otherwise: how, as far as can be known now, and its
   * descriptor is given up. NaN = unknown.
   */
  take(pid: number, generation: number): number {
    this.#wantNoMore(pid, generation);
    const watched = this.#byPid.get(pid);
    if (watched?.generation !== generation) return this.#processes.zombieStatus(pid, generation);
    const waitStatus = this.#waitStatus(watched, false);
    this.#drop(watched);
    return waitStatus;
  }

  /** Gives up the descriptor of `pid`: its member is forgotten. */
  forget(pid: number, generation: number): void {
    this.#wantNoMore(pid, generation);
    const watched = this.#byPid.get(pid);
    if (watched?.generation === generation) this.#drop(watched);
  }

  /** When a status that did not come is given up; +Infinity if none is waited for. */
  nextDeadlineNs(): number {
    for (const { statusDueNs } of this.#unreaped) return statusDueNs;
    return Number.POSITIVE_INFINITY;
  }

  /**
   * Hands those that ended to `sink`, which may not call back. What one look has no room for stays
   * readable for the next.
   */
  look(nowNs: number, sink: EndSink): void {
    const ready = Math.max(0, this.#readiness.look());
    for (let index = 0; index < ready; index++) {
      const fd = this.#readiness.readyFd(index);
      const watched = this.#byFd.get(fd);
      if (watched === undefined) this.#others.get(fd)?.();
      else this.#ended(watched, (this.#readiness.readyEvents(index) & POLLHUP) !== 0, nowNs, sink);
    }
    for (const watched of this.#unreaped) {
      if (nowNs < watched.statusDueNs) break;
      this.#tell(watched, Number.NaN, watched.statusDueNs - END_STATUS_NS_MAX, sink);
    }
  }

  /** `isReady` is called in each look in which `fd` is readable; false = it cannot be watched. */
  attend(fd: number, isReady: () => void): boolean {
    if (this.#readiness.add(fd, POLLIN) < 0) return false;
    this.#others.set(fd, isReady);
    return true;
  }

  /** Before `fd` is closed. */
  leave(fd: number): void {
    if (this.#others.delete(fd)) this.#readiness.remove(fd);
  }

  close(): void {
    for (const watched of this.#byPid.values()) this.#drop(watched);
    this.#readiness.close();
  }

  #ended(watched: WatchedProcess, isReaped: boolean, nowNs: number, sink: EndSink): void {
    const waitStatus = this.#waitStatus(watched, isReaped);
    if (Number.isNaN(waitStatus) && !isReaped && this.#kernelTells) {
      // It stays readable until it is reaped, and the loop would spin: only that is waited for.
      this.#readiness.change(watched.pidfd, 0);
      watched.statusDueNs = nowNs + END_STATUS_NS_MAX;
      this.#unreaped.add(watched);
      return;
    }
    const seenNs = Math.min(nowNs, watched.statusDueNs - END_STATUS_NS_MAX);
    this.#tell(watched, waitStatus, seenNs, sink);
  }

  #tell(watched: WatchedProcess, waitStatus: number, seenNs: number, sink: EndSink): void {
    this.#drop(watched);
    sink({ pid: watched.pid, generation: watched.generation, waitStatus, seenNs });
  }

  #waitStatus({ pid, generation, pidfd }: WatchedProcess, isReaped: boolean): number {
    const told = pidfdWaitStatus(pidfd);
    if (told >= 0) return told;
    return isReaped ? Number.NaN : this.#processes.zombieStatus(pid, generation);
  }

  #drop(watched: WatchedProcess): void {
    this.#byPid.delete(watched.pid);
    this.#byFd.delete(watched.pidfd);
    this.#unreaped.delete(watched);
    // A child that was just forked may still hold it open, and epoll would go on with it.
    this.#readiness.remove(watched.pidfd);
    closeFd(watched.pidfd);
  }

  #wantNoMore(pid: number, generation: number): void {
    if (this.#leftOut.get(pid) === generation) this.#leftOut.delete(pid);
  }
}
