// The line about a time in which no agent could be heard: one a minute at most. Short pauses are
// everyday life on a busy machine; they move deadlines like the long ones, and the page counts
// them.
import { wholeMsFromNs, NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { Log } from "./log.ts";
import type { PauseCauseWord } from "./pause_evidence.ts";

/** Pauses above this are logged. */
const TOLD_NS_MIN = 100 * NS_PER_MS;
const LINE_EVERY_NS = 60 * NS_PER_S;

interface ToldPause {
  readonly ns: number;
  readonly deadlinesMoved: number;
  /** Undefined = it is not known. */
  readonly cause: PauseCauseWord | undefined;
}

export class PauseReports {
  readonly #log: Log;
  #nextLineNs = Number.NEGATIVE_INFINITY;
  /** Since the last line. */
  #untoldCount = 0;
  #longestNs = 0;
  #deadlinesMoved = 0;
  #cause: PauseCauseWord | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** It ended at `nowNs`; `deadlinesMoved` agents waited for their deadline. */
  paused({ ns, deadlinesMoved, cause }: ToldPause, nowNs: number): void {
    if (ns <= TOLD_NS_MIN) return;
    this.#untoldCount += 1;
    if (ns > this.#longestNs) {
      this.#longestNs = ns;
      this.#deadlinesMoved = deadlinesMoved;
      this.#cause = cause;
    }
    this.maintain(nowNs);
  }

  /** When the pauses that were not logged are due; +Infinity if there are none. */
  nextDeadlineNs(): number {
    return this.#untoldCount > 0 ? this.#nextLineNs : Number.POSITIVE_INFINITY;
  }

  maintain(nowNs: number): void {
    if (nowNs < this.nextDeadlineNs()) return;
    this.#log.warn("observer paused", {
      cause: this.#cause,
      length_ms: wholeMsFromNs(this.#longestNs),
      deadlines_moved: this.#deadlinesMoved,
      pauses: this.#untoldCount === 1 ? undefined : this.#untoldCount,
      hint: "the daemon or its machine stood still; no silence of that time counts",
    });
    this.#nextLineNs = nowNs + LINE_EVERY_NS;
    this.#untoldCount = 0;
    this.#longestNs = 0;
  }
}
