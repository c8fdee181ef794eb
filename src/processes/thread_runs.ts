// Whether a process gets on with anything (spec 18 section 6.1): how often its threads were put on
// a processor, by /proc/PID/task/TID/schedstat. Each beat that an agent tries to send is such a
// time at least; one that sleeps for good has none. What cannot be read is NaN.
import { readdirSync } from "node:fs";
import { KernelFiles } from "./kernel_files.ts";
import type { SpareDescriptors } from "./spare_descriptors.ts";

const LINE_BYTES_MAX = 128;
/** Of a process with more threads these, which are its oldest. */
const THREADS_MAX = 64;

export class ThreadRuns {
  readonly #proc: string;
  readonly #files: KernelFiles;

  /** `proc` is a directory of the same shape in a test. */
  constructor(spares?: SpareDescriptors, proc = "/proc") {
    this.#proc = proc;
    this.#files = new KernelFiles(spares);
  }

  /** A sum that another look finds changed if one of its threads has run meanwhile. */
  of(pid: number): number {
    const directory = `${this.#proc}/${pid}/task`;
    let sum = Number.NaN;
    for (const thread of threadsIn(directory)) {
      const line = this.#files.text(`${directory}/${thread}/schedstat`, LINE_BYTES_MAX);
      // Time on a processor, time waited for one, times that it was put on one.
      const runs = /^\d+ \d+ (\d+)$/m.exec(line)?.[1];
      if (runs !== undefined) sum = (Number.isNaN(sum) ? 0 : sum) + Number(runs);
    }
    return sum;
  }
}

function threadsIn(directory: string): string[] {
  try {
    return readdirSync(directory).slice(0, THREADS_MAX);
  } catch {
    return [];
  }
}
