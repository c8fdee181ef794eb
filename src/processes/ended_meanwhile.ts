// Which of many processes have ended, asked at a start that must not take long (spec 18 section 6):
// the first ones are looked at one by one, which takes 10 us each, until the time for that is used
// up. Of the others it is asked whether anybody has the pid, which takes 0.2 us; one whose pid
// another process has by now is found when it is watched, a moment later.
import { nobodyHas } from "../../ffi/process.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { ProcessReader } from "./process_reader.ts";

const LOOKS_NS_MAX = NS_PER_MS;

export class EndedMeanwhile {
  readonly #processes: Pick<ProcessReader, "hasEnded">;
  readonly #monotonicNs: () => number;
  readonly #endNs: number;
  readonly #isFree: (pid: number) => boolean;
  #hasTime = true;

  constructor(
    processes: Pick<ProcessReader, "hasEnded">,
    monotonicNs: () => number,
    isFree = nobodyHas,
  ) {
    this.#processes = processes;
    this.#monotonicNs = monotonicNs;
    this.#isFree = isFree;
    this.#endNs = monotonicNs() + LOOKS_NS_MAX;
  }

  /** True if the process of this start time has certainly ended. */
  hasEnded(pid: number, startTime: number): boolean {
    if (this.#hasTime) this.#hasTime = this.#monotonicNs() <= this.#endNs;
    return this.#hasTime ? this.#processes.hasEnded(pid, startTime) : this.#isFree(pid);
  }
}
