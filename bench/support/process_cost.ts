// What a process costs: its CPU clock, which the kernel keeps in nanoseconds over all threads that
// ever ran, and its resident memory.
import { readFileSync } from "node:fs";
import { clockNs } from "../../ffi/clock.ts";

/** CPU clock of this thread. */
const CLOCK_THREAD_CPUTIME_ID = 3;
/**
 * The low bits of the clock id of a process, as in clock_getcpuclockid(3): the scheduler's own
 * count, of all threads.
 */
const CPUCLOCK_SCHED = 2;

/** CPU time of process `pid`, user and system, in ns. */
export function processCpuNs(pid: number): number {
  return clockNs((~pid << 3) | CPUCLOCK_SCHED);
}

/** How long the first thread of process `pid` was ready and had no core; NaN = not counted here. */
export function waitedForCoreNs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]);
  } catch {
    return Number.NaN;
  }
}

/** CPU time of the calling thread, in ns. */
export function threadCpuNs(): number {
  return clockNs(CLOCK_THREAD_CPUTIME_ID);
}

export interface Memory {
  readonly residentMib: number;
  /** Without the pages of files, such as the program itself. */
  readonly anonymousMib: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return { residentMib: mib(text, "Rss"), anonymousMib: mib(text, "Anonymous") };
}

function mib(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
}
