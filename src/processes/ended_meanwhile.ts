// Which of many processes have ended, asked at a start that must not take long (spec 18 section 6):
// the first ones are looked at one by one, which takes 10 us each, until the time for that is used
// up. Of the others it is asked whether anybody has their pids, for all of them at once; one whose
// pid another process has by now is found when it is watched, a moment later.
import { readdirSync } from "node:fs";
import { NS_PER_MS } from "../base/time.ts";
import type { ProcessReader } from "./process_reader.ts";

const LOOKS_NS_MAX = 4 * NS_PER_MS;

export class EndedMeanwhile {
  readonly #processes: Pick<ProcessReader, "hasEnded">;
  readonly #monotonicNs: () => number;
  readonly #endNs: number;
  readonly #root: string;
  #present: ReadonlySet<string> | undefined;

  constructor(
    processes: Pick<ProcessReader, "hasEnded">,
    monotonicNs: () => number,
    root = "/proc",
  ) {
    this.#processes = processes;
    this.#monotonicNs = monotonicNs;
    this.#root = root;
    this.#endNs = monotonicNs() + LOOKS_NS_MAX;
  }

  /** True if the process of this start time has certainly ended. */
  hasEnded(pid: number, startTime: number): boolean {
    if (this.#present === undefined && this.#monotonicNs() > this.#endNs)
      this.#present = presentPids(this.#root);
    // What is not shown may be hidden.
    if (this.#present?.has(`${pid}`) === true) return false;
    return this.#processes.hasEnded(pid, startTime);
  }
}

/** Names of directories; those that are no pids are asked for by nobody. */
function presentPids(root: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(root));
  } catch {
    return new Set();
  }
}
