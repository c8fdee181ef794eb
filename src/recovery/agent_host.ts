// What a recovery asks of the system about the agent itself: a signal, whether it still lives, the
// unit that it runs in and whether that unit beats again. Every answer is about the process of one
// generation, never about a bare pid: a pid may have a new owner at any moment.
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_MONOTONIC, ESRCH } from "../../ffi/constants.ts";
import { kill } from "../../ffi/process.ts";
import { NS_PER_US } from "../base/time.ts";
import { ControlGroups } from "../processes/control_groups.ts";
import { type Failure, failureOf, lastingFailure } from "../processes/failure.ts";
import { nowGeneration } from "../processes/generation.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import {
  SIGNAL_OTHER_PROCESS,
  SIGNAL_UNREADABLE,
  signalProcess,
} from "../processes/process_signal.ts";
import { SpareDescriptors } from "../processes/spare_descriptors.ts";
import type { AgentUnit } from "../processes/unit_of_process.ts";

export interface AgentHost {
  /**
   * Sends `signal` to the process `pid` of `generation`, and to no other: undefined, or why it did
   * not.
   */
  signal(pid: number, generation: number, signal: number): Failure | undefined;
  /** Whether any live process has `pid`: a HOLDER_* code. */
  holderOf(pid: number): number;
  /** True while that process runs, or may run again; a zombie does not. */
  isAlive(pid: number, generation: number): boolean;
  /** The unit of that process, or why there is none to name. */
  unitOf(pid: number, generation: number): AgentUnit | string;
  /** Now as a generation: processes that start from now on have at least this one. */
  nowGeneration(): number;
  /** Now on the clock that the service manager uses for the ends of processes, in microseconds. */
  monotonicUs(): number;
  /** True if a process of `unit` that started at `generation` or later beats. */
  hasSuccessor(unit: AgentUnit, generation: number): boolean;
}

/** No live process has the pid: no other process can be hurt by its number. */
export const HOLDER_NONE = 0;
/** One has it, and /proc shows it. */
export const HOLDER_SHOWN = 1;
/** One has it, and /proc does not show it. */
export const HOLDER_HIDDEN = 2;

/** Whether `pid` is tracked, beats, and is of `generation` or later. */
type IsBeating = (pid: number, generation: number) => boolean;

export class SystemAgentHost implements AgentHost {
  readonly #processes: ProcReader;
  readonly #isBeating: IsBeating;
  readonly #spares: SpareDescriptors;
  readonly #controlGroups: ControlGroups;
  readonly #ownUnit: AgentUnit | string;

  constructor(processes: ProcReader, isBeating: IsBeating, spares = new SpareDescriptors()) {
    this.#processes = processes;
    this.#isBeating = isBeating;
    this.#spares = spares;
    this.#controlGroups = new ControlGroups(spares);
    this.#ownUnit = processes.unitOf(process.pid);
  }

  signal(pid: number, generation: number, signal: number): Failure | undefined {
    if (Number.isNaN(generation)) return lastingFailure("its start time is unknown");
    if (pid === process.pid) return lastingFailure("it is the daemon itself");
    const means = { processes: this.#processes, spares: this.#spares };
    const result = signalProcess(means, { pid, startTime: generation, signal });
    return result === 0 ? undefined : signalFailure(result);
  }

  holderOf(pid: number): number {
    // The kernel's word, whatever /proc may hide: only ESRCH means that there is none.
    if (kill(pid, 0) === -ESRCH) return HOLDER_NONE;
    const isZombie = this.#processes.isZombie(pid);
    if (isZombie === undefined) return kill(pid, 0) === -ESRCH ? HOLDER_NONE : HOLDER_HIDDEN;
    return isZombie ? HOLDER_NONE : HOLDER_SHOWN;
  }

  isAlive(pid: number, generation: number): boolean {
    return this.#processes.isAlive(pid, generation);
  }

  unitOf(pid: number, generation: number): AgentUnit | string {
    const unit = this.#processes.unitOf(pid);
    if (!this.isAlive(pid, generation)) return "the process is gone";
    if (typeof unit === "string" || typeof this.#ownUnit === "string") return unit;
    return unit.name === this.#ownUnit.name ? `it runs in ${unit.name}, as the daemon does` : unit;
  }

  nowGeneration(): number {
    return nowGeneration();
  }

  monotonicUs(): number {
    return Math.floor(clockNs(CLOCK_MONOTONIC) / NS_PER_US);
  }

  hasSuccessor({ cgroup }: AgentUnit, generation: number): boolean {
    return this.#controlGroups.pidsIn(cgroup).some((pid) => this.#isBeating(pid, generation));
  }
}

/** For an observer that sees beats and no processes: it signals no process, and knows no units. */
export class BlindAgentHost implements AgentHost {
  holderOf(): number {
    return HOLDER_SHOWN;
  }

  signal(): Failure {
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

/** Why a signal was not sent, from the code of `signalProcess()`. */
function signalFailure(code: number): Failure {
  switch (code) {
    case SIGNAL_OTHER_PROCESS:
      return lastingFailure("its pid belongs to another process");
    case SIGNAL_UNREADABLE:
      return lastingFailure("its start time cannot be read any more");
    case -ESRCH:
      return lastingFailure("left out, the process is gone");
    default:
      return failureOf(-code);
  }
}
