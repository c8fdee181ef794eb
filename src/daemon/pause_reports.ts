// The line about a time in which no agent could be heard: one a minute at most. Short pauses are
// everyday life on a busy machine; they move deadlines like the long ones, and the page counts
// them.
import { wholeMsFromNs, NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { Log } from "./log.ts";
import type { ToldPause } from "./pause_cause.ts";

/** Pauses above this are logged. */
const TOLD_NS_MIN = 100 * NS_PER_MS;
const LINE_EVERY_NS = 60 * NS_PER_S;

export class PauseReports {
  readonly #log: Log;
  #nextLineNs = Number.NEGATIVE_INFINITY;
  /** Since the last line. */
  #untoldCount = 0;
  #longest: ToldPause | undefined;
  /** By the longest. */
  #deadlinesMoved = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** One has ended; `deadlinesMoved` agents waited for their deadline. */
  paused(pause: ToldPause, deadlinesMoved: number): void {
    if (pause.ns <= TOLD_NS_MIN) return;
    this.#untoldCount += 1;
    if (pause.ns > (this.#longest?.ns ?? 0)) {
      this.#longest = pause;
      this.#deadlinesMoved = deadlinesMoved;
    }
    this.maintain(pause.endNs);
  }

  /** When the pauses that were not logged are due; +Infinity if there are none. */
  nextDeadlineNs(): number {
    return this.#untoldCount > 0 ? this.#nextLineNs : Number.POSITIVE_INFINITY;
  }

  maintain(nowNs: number): void {
    if (this.#longest === undefined || nowNs < this.#nextLineNs) return;
    const { ns, cause, stage, isSilence } = this.#longest;
    this.#log.warn("observer paused", {
      cause,
      stage,
      length_ms: wholeMsFromNs(ns),
      deadlines_moved: this.#deadlinesMoved,
      pauses: this.#untoldCount === 1 ? undefined : this.#untoldCount,
      hint: isSilence
        ? "the machine was suspended; observer.clock_source = boottime counts that as silence"
        : "the daemon or its machine stood still; no silence of that time counts",
    });
    this.#nextLineNs = nowNs + LINE_EVERY_NS;
    this.#untoldCount = 0;
    this.#longest = undefined;
  }
}
