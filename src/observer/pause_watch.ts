// Notices that nobody could be heard for a while, before anybody is judged for it (spec 12 section 8): from one look at a
// socket to the next there was more time than the wait that was planned between them. Without a limit it notices nothing,
// which is the rule of a library's poll(): its caller decides how often it looks.
import { PAUSE_WAIT_GAPS } from "../base/limits.ts";
import type { Pauses } from "../tracker/pauses.ts";

export class PauseWatch {
  /** The longest pause since it was last set to 0: what is to be told. */
  longestNs = 0;
  #count = 0;
  #totalNs = 0;
  /** The longest gap that is no pause. */
  readonly gapNsMax: number;
  readonly #pauses: Pauses;
  #listenedNs = Number.NaN;
  #plannedNs = 0;
  #waitCountedNs = Number.NEGATIVE_INFINITY;

  /** A gap above `gapNsMax` is a pause; +Infinity = none is. */
  constructor(pauses: Pauses, gapNsMax: number) {
    this.#pauses = pauses;
    this.gapNsMax = gapNsMax;
  }

  /** A wait of at most `ns` comes before the next look. */
  plan(ns: number): void {
    this.#plannedNs = ns;
  }

  /** The observer looks at a socket, or is about to judge, at `nowNs`. */
  listen(nowNs: number): void {
    const elapsedNs = nowNs - this.#listenedNs;
    const gapNs = elapsedNs - this.#plannedNs;
    this.#listenedNs = nowNs;
    this.#plannedNs = 0;
    // NaN, before the first look, is no gap.
    if (!(gapNs > this.gapNsMax)) return;
    const ns = this.#countsWait(nowNs) ? elapsedNs : gapNs;
    this.#pauses.add(nowNs, ns);
    this.#count += 1;
    this.#totalNs += ns;
    if (ns > this.longestNs) this.longestNs = ns;
  }

  /** Pauses since the last call. */
  takeCount(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }

  /** Their sum. */
  takeTotalNs(): number {
    const totalNs = this.#totalNs;
    this.#totalNs = 0;
    return totalNs;
  }

  // Nobody knows when in its wait the observer was stopped, so all of the wait counts: else the agent that was due first
  // would be judged at once, without a chance to beat. But not each time: on a machine that is late at every wake-up no
  // deadline would ever come nearer.
  #countsWait(nowNs: number): boolean {
    if (nowNs - this.#waitCountedNs < PAUSE_WAIT_GAPS * this.gapNsMax) return false;
    this.#waitCountedNs = nowNs;
    return true;
  }
}
