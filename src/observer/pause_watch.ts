// Notices that no agent could be heard for a while, before one is judged for it (spec 12
// section 8): between two reads of the sockets there was more time than the planned wait. Without a
// limit it notices nothing, which is the rule of a library's poll(): its caller decides how often
// it looks.
import { block, Counters, counter } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";
import type { Pauses } from "../tracker/pauses.ts";
import { PausedMinute } from "./paused_minute.ts";

/**
 * A pause stands alone if it began so many gaps, two thresholds, after the end of the one before
 * it.
 */
const PAUSE_ALONE_GAPS = 8;
/** A queue is full because of a pause if that ended at most so many gaps ago: one threshold. */
const PAUSE_FILLS_GAPS = 4;

export const PAUSES = block({
  count: counter(
    "varta_observer_pauses_total",
    "Times in which nobody could be heard: the daemon or its machine stood still, or was busy.",
  ),
  seconds: counter(
    "varta_observer_paused_seconds_total",
    "Their sum; every deadline moved by that at least, so no silence of that time counts.",
    { decimals: 6, ask: (watch: { readonly totalNs: number }) => watch.totalNs / NS_PER_S },
  ),
});

export class PauseWatch {
  readonly counters = new Counters(PAUSES, this);
  /** The sum of all pauses. */
  totalNs = 0;
  /** The longest pause since it was last set to 0: what is to be reported. */
  longestNs = 0;
  readonly lastMinute = new PausedMinute();
  /** The longest gap that is no pause. */
  gapNsMax: number;
  readonly #pauses: Pauses;
  readonly #asleepNs: () => number;
  /** What it last said. */
  #sleptNs: number;
  #listenedNs = Number.NaN;
  #plannedNs = 0;
  /** End of the last pause. */
  #pausedNs = Number.NEGATIVE_INFINITY;

  /**
   * A gap above `gapNsMax` is a pause; +Infinity = none is. `asleepNs`: how much of observer time
   * the machine was suspended, which is silence: whoever wants that clock wants to be told.
   */
  constructor(pauses: Pauses, gapNsMax: number, asleepNs = () => 0) {
    this.#pauses = pauses;
    this.gapNsMax = gapNsMax;
    this.#asleepNs = asleepNs;
    this.#sleptNs = asleepNs();
  }

  /** A wait of at most `ns` comes before the next look. */
  plan(ns: number): void {
    this.#plannedNs = ns;
  }

  /**
   * The observer reads a socket, or is about to judge, at `nowNs`; true if there was a pause before
   * it.
   */
  listen(nowNs: number): boolean {
    const elapsedNs = nowNs - this.#listenedNs;
    const gapNs = elapsedNs - this.#plannedNs;
    this.#listenedNs = nowNs;
    this.#plannedNs = 0;
    // NaN, before the first look, is no gap.
    if (!(gapNs > this.gapNsMax)) return false;
    this.#add(nowNs, elapsedNs, gapNs);
    return true;
  }

  #add(nowNs: number, allNs: number, gapWithSleepNs: number): void {
    const asleepNs = this.#takeSleepNs();
    const elapsedNs = allNs - asleepNs;
    const gapNs = gapWithSleepNs - asleepNs;
    if (!(gapNs > this.gapNsMax)) return;
    const isAlone = nowNs - allNs - this.#pausedNs >= PAUSE_ALONE_GAPS * this.gapNsMax;
    this.#pausedNs = nowNs;
    const ns = isAlone ? elapsedNs : gapNs;
    this.#pauses.add(nowNs, ns);
    // When in its wait the observer was stopped is not known. And a beat that did not fit into the
    // queue is lost: the next one of its agent comes up to an interval after the pause. So every
    // agent has a whole threshold from here on. But not after a row of pauses: a death must be
    // reported in the end.
    if (isAlone) this.#pauses.beginAnew(nowNs);
    this.counters.add(PAUSES.count);
    this.totalNs += ns;
    this.lastMinute.add(nowNs, ns);
    if (ns > this.longestNs) this.longestNs = ns;
  }

  #takeSleepNs(): number {
    const sleptNs = this.#sleptNs;
    this.#sleptNs = this.#asleepNs();
    return this.#sleptNs - sleptNs;
  }

  /**
   * A queue was found full at `nowNs`: beats were refused, and the next ones of their agents come
   * an interval later. Soon after a pause that is its doing, so no silence of before is held
   * against anybody, within the same bound. At other times the queue is too short for its senders,
   * and nobody is told later for that.
   */
  foundFull(nowNs: number): void {
    // False also where nothing is called a pause.
    const isFilled = nowNs <= this.#pausedNs + PAUSE_FILLS_GAPS * this.gapNsMax;
    if (isFilled) this.#pauses.beginAnew(nowNs);
  }
}
