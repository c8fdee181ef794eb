// What a recovery asks of the system about the agent itself: a signal, whether it still lives, the unit that it runs in and
// whether that unit beats again. Every answer is about the process of one generation, never about a bare pid: a pid may
// have a new owner at any moment.
import { closeSync, openSync, readSync } from "node:fs";
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, ESRCH, IS_LINUX } from "../../ffi/constants.ts";
import { clockNs } from "../../ffi/clock.ts";
import { pidfdOpen, pidfdSendSignal } from "../../ffi/pidfd.ts";
import { closeFd } from "../../ffi/pipe.ts";
import { kill } from "../../ffi/process.ts";
import { generationAt, isOver, type ProcessReader } from "../processes/process_reader.ts";
import { NS_PER_US } from "../base/time.ts";
import { SpareDescriptors } from "../processes/spare_descriptors.ts";
import { type AgentUnit, parseUnit } from "../processes/unit_of_process.ts";
import { failureOf, lastingFailure, type StepFailure } from "./step_failure.ts";

export interface AgentHost {
  /** Sends `signal` to the process `pid` of `generation`, and to no other: undefined, or why it did not. */
  signal(pid: number, generation: number, signal: number): StepFailure | undefined;
  /** Whether a live process has `pid`, whoever it is: a HOLDER_* code. */
  holderOf(pid: number): number;
  /** True while that process runs, or may run again; a zombie does not. */
  isAlive(pid: number, generation: number): boolean;
  /** The unit of that process, or why there is none to name. */
  unitOf(pid: number, generation: number): AgentUnit | string;
  /** Now as a generation: processes that start from now on have at least this one. */
  nowGeneration(): number;
  /** Now on the clock that the service manager tells the ends of processes in, in microseconds. */
  monotonicUs(): number;
  /** True if a process of `unit` that started at `generation` or later beats. */
  hasSuccessor(unit: AgentUnit, generation: number): boolean;
}

/** No live process has the pid: nobody can be hurt by its number. */
export const HOLDER_NONE = 0;
/** One has it, and /proc shows it. */
export const HOLDER_SHOWN = 1;
/** One has it, and /proc does not show it to us. */
export const HOLDER_HIDDEN = 2;

/** Whether `pid` is tracked, beats, and is of `generation` or later. */
export type IsBeating = (pid: number, generation: number) => boolean;

const STAT_BYTES_MAX = 512;
const CGROUP_BYTES_MAX = 4_096;
/** Pids of a unit that are looked at: a service with more processes has beats of its own kind of trouble. */
const MEMBERS_BYTES_MAX = 32_768;

const CGROUP_ROOTS = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];

export class SystemAgentHost implements AgentHost {
  readonly #processes: ProcessReader;
  readonly #isBeating: IsBeating;
  readonly #spares: SpareDescriptors;
  readonly #ownUnit: AgentUnit | string;
  readonly #buffer = Buffer.alloc(MEMBERS_BYTES_MAX);

  constructor(processes: ProcessReader, isBeating: IsBeating, spares = new SpareDescriptors()) {
    this.#processes = processes;
    this.#isBeating = isBeating;
    this.#spares = spares;
    this.#ownUnit = parseUnit(this.#read("/proc/self/cgroup", CGROUP_BYTES_MAX));
  }

  signal(pid: number, generation: number, signal: number): StepFailure | undefined {
    if (Number.isNaN(generation)) return lastingFailure("its start time is unknown");
    if (pid === process.pid) return lastingFailure("it is the daemon itself");
    return this.#spares.use(
      () => this.#signal(pid, generation, signal),
      (failure) => failure?.isTransient ?? false,
    );
  }

  #signal(pid: number, generation: number, signal: number): StepFailure | undefined {
    const pidfd = pidfdOpen(pid);
    if (pidfd < 0) return signalFailure(-pidfd);
    try {
      // In this order: the descriptor holds on to whoever had the pid, and then its start time says who that is.
      const startTime = this.#processes.startTime(pid);
      if (Number.isNaN(startTime)) return this.#unreadable(pidfd);
      if (startTime !== generation) return lastingFailure("its pid belongs to another process");
      const result = pidfdSendSignal(pidfd, signal);
      return result === 0 ? undefined : signalFailure(-result);
    } finally {
      closeFd(pidfd);
    }
  }

  /** Why the start time of a process cannot be read: it has ended meanwhile, or it is kept from us. */
  #unreadable(pidfd: number): StepFailure {
    if (pidfdSendSignal(pidfd, 0) === -ESRCH) return signalFailure(ESRCH);
    return lastingFailure("its start time cannot be read any more");
  }

  holderOf(pid: number): number {
    // The kernel's word, whatever /proc may hide: only ESRCH means that there is none.
    if (kill(pid, 0) === -ESRCH) return HOLDER_NONE;
    const stat = this.#read(`/proc/${pid}/stat`, STAT_BYTES_MAX);
    if (stat === "") return kill(pid, 0) === -ESRCH ? HOLDER_NONE : HOLDER_HIDDEN;
    return isOver(stat) ? HOLDER_NONE : HOLDER_SHOWN;
  }

  isAlive(pid: number, generation: number): boolean {
    const stat = this.#read(`/proc/${pid}/stat`, STAT_BYTES_MAX);
    return !isOver(stat) && this.#processes.startTime(pid) === generation;
  }

  unitOf(pid: number, generation: number): AgentUnit | string {
    const unit = parseUnit(this.#read(`/proc/${pid}/cgroup`, CGROUP_BYTES_MAX));
    if (!this.isAlive(pid, generation)) return "it is gone";
    if (typeof unit === "string" || typeof this.#ownUnit === "string") return unit;
    return unit.name === this.#ownUnit.name ? `it runs in ${unit.name}, as the daemon does` : unit;
  }

  nowGeneration(): number {
    return IS_LINUX ? generationAt(clockNs(CLOCK_BOOTTIME)) : NaN;
  }

  monotonicUs(): number {
    return Math.floor(clockNs(CLOCK_MONOTONIC) / NS_PER_US);
  }

  hasSuccessor({ cgroup }: AgentUnit, generation: number): boolean {
    for (const root of CGROUP_ROOTS) {
      const text = this.#read(`${root}${cgroup}/cgroup.procs`, MEMBERS_BYTES_MAX);
      for (const line of text.split("\n")) {
        if (line !== "" && this.#isBeating(Number(line), generation)) return true;
      }
    }
    return false;
  }

  /** The beginning of a small file of the kernel; "" if it cannot be read. */
  #read(path: string, bytesMax: number): string {
    const result = this.#spares.use(
      () => this.#tryRead(path, bytesMax),
      (text) => text === undefined,
    );
    return result ?? "";
  }

  /** Undefined if there was no descriptor. */
  #tryRead(path: string, bytesMax: number): string | undefined {
    try {
      const fd = openSync(path, "r");
      try {
        return this.#buffer.toString("latin1", 0, readSync(fd, this.#buffer, 0, bytesMax, 0));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const { code } = error as { code?: unknown };
      return code === "EMFILE" || code === "ENFILE" ? undefined : "";
    }
  }
}

/** For an observer that sees beats and no processes: it signals nobody, and knows no units. */
export class BlindAgentHost implements AgentHost {
  holderOf(): number {
    return HOLDER_SHOWN;
  }

  signal(): StepFailure {
    return lastingFailure("this observer cannot signal processes");
  }

  isAlive(): boolean {
    return true;
  }

  unitOf(): AgentUnit | string {
    return "this observer knows no units";
  }

  nowGeneration(): number {
    return NaN;
  }

  monotonicUs(): number {
    return NaN;
  }

  hasSuccessor(): boolean {
    return false;
  }
}

function signalFailure(errno: number): StepFailure {
  return errno === ESRCH ? lastingFailure("it is gone") : failureOf(errno);
}
