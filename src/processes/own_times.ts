// Where the time of this process went, by the totals that the kernel keeps: what it ran, what it
// waited for a processor, what others were given of the machine, for how long its disks and its
// control group stood still. Five small files, read once a second and after a pause. NaN = not
// known here.
import { availableParallelism } from "node:os";
import { suspendedNs } from "../../ffi/clock.ts";
import { NS_PER_MS } from "../base/time.ts";
import { GENERATION_NS } from "./generation.ts";
import { KernelFiles } from "./kernel_files.ts";

/** Totals that only grow, in ns. */
export interface OwnTimes {
  /** Its main thread ran. */
  readonly cpuNs: number;
  /** Its main thread was ready and got no processor. */
  readonly runDelayNs: number;
  /** Of each processor of this virtual machine, what the host gave to others. */
  readonly stealNs: number;
  /** Nobody on the machine got on, because of disks. */
  readonly diskNs: number;
  /** Its control group was frozen. */
  readonly frozenNs: number;
  /** The machine was suspended. */
  readonly suspendedNs: number;
}

const FILE_BYTES_MAX = 4_096;
const NS_PER_US = NS_PER_MS / 1_000;
const CGROUP_ROOT = "/sys/fs/cgroup";

export class OwnTimesReader {
  readonly #files = new KernelFiles();
  readonly #proc: string;
  readonly #frozenFile: string;

  constructor(proc = "/proc", cgroupRoot = CGROUP_ROOT) {
    this.#proc = proc;
    const cgroup = /^0::(.*)$/m.exec(this.#files.text(`${proc}/self/cgroup`, FILE_BYTES_MAX))?.[1];
    this.#frozenFile = `${cgroupRoot}${cgroup ?? ""}/cgroup.stat.local`;
  }

  read(): OwnTimes {
    const proc = this.#proc;
    const [cpu, delay] = this.#figures(`${proc}/self/schedstat`, /^(\d+) (\d+) /);
    const [steal] = this.#figures(`${proc}/stat`, /^cpu +(?:\d+ +){7}(\d+)/);
    const [disk] = this.#figures(`${proc}/pressure/io`, /^full .*total=(\d+)/m);
    const [frozen] = this.#figures(this.#frozenFile, /^frozen_usec (\d+)/m);
    return {
      cpuNs: cpu!,
      runDelayNs: delay ?? Number.NaN,
      stealNs: (steal! * GENERATION_NS) / availableParallelism(),
      diskNs: disk! * NS_PER_US,
      frozenNs: frozen! * NS_PER_US,
      suspendedNs: suspendedNs(),
    };
  }

  #figures(file: string, pattern: RegExp): number[] {
    const found = pattern.exec(this.#files.text(file, FILE_BYTES_MAX));
    return found === null ? [Number.NaN] : found.slice(1).map(Number);
  }
}
