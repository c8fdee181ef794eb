// A window of a second for log lines about single agents: a mass stall gets a bounded number of
// them, and the end of the window says how many were left out.
import { NS_PER_S } from "../base/time.ts";
import type { Deadline } from "./deadline.ts";
import type { Log } from "./log.ts";

/**
 * Lines about single agents per second; a person reads no more, and the journal would drop them.
 */
const LINES_PER_S_MAX = 200;

export class LineWindow implements Deadline {
  readonly #log: Pick<Log, "warn">;
  readonly #nowNs: () => number;
  readonly #about: string;
  #endNs = 0;
  #lines = 0;
  #heldBack = 0;

  /** `about` says which lines were left out. */
  constructor(log: Pick<Log, "warn">, nowNs: () => number, about = "agents stalled or back") {
    this.#log = log;
    this.#nowNs = nowNs;
    this.#about = about;
  }

  /** Whether one more line may be written now. */
  mayWrite(): boolean {
    const nowNs = this.#nowNs();
    if (nowNs >= this.#endNs) this.#begin(nowNs);
    if (this.#lines >= LINES_PER_S_MAX) {
      this.#heldBack++;
      return false;
    }
    this.#lines++;
    return true;
  }

  /** When a window ends that held lines back; else +Infinity. */
  nextDeadlineNs(): number {
    return this.#heldBack > 0 ? this.#endNs : Number.POSITIVE_INFINITY;
  }

  /** Logs how many lines the last window left out, though no agent may stall or come back again. */
  maintain(nowNs: number): void {
    if (nowNs >= this.nextDeadlineNs()) this.#begin(nowNs);
  }

  #begin(nowNs: number): void {
    if (this.#heldBack > 0)
      this.#log.warn("lines left out", {
        about: this.#about,
        count: this.#heldBack,
        limit_per_s: LINES_PER_S_MAX,
      });
    this.#endNs = nowNs + NS_PER_S;
    this.#lines = 0;
    this.#heldBack = 0;
  }
}
