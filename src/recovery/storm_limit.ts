// How many recoveries may begin in a window over all agents (spec 10 section 3). When half of a
// machine falls silent at once, the agents are not the cause, and restarting all of them would be
// the next outage. A storm begins with the first refusal and is over when a whole window has passed
// without one, so that it is logged in two lines.
import type { StormRecord } from "../snapshot/records.ts";

interface StormSettings {
  /** 0 = no limit. */
  readonly stormLimit: number;
  readonly stormWindowNs: number;
}

export class StormLimit {
  limit!: number;
  windowNs!: number;
  /** Times of the starts in the window, oldest first, from `#first` on. */
  #starts: number[] = [];
  #first = 0;
  #firstRefusedNs = NaN;
  #lastRefusedNs = NaN;
  #refused = 0;
  /** Recoveries that began or were refused. */
  changes = 0;

  constructor(settings: StormSettings) {
    this.change(settings);
  }

  /** What has begun within the window counts on, as far as it was counted before. */
  change({ stormLimit, stormWindowNs }: StormSettings): void {
    this.limit = stormLimit === 0 ? Infinity : stormLimit;
    this.windowNs = stormWindowNs;
  }

  /** What the next daemon has to know. */
  record(): StormRecord {
    return {
      starts: this.#starts.slice(this.#first),
      firstRefusedNs: this.#firstRefusedNs,
      lastRefusedNs: this.#lastRefusedNs,
      refused: this.#refused,
    };
  }

  /** What the daemon before this one knew, in times of this one; before anything has started. */
  restore({ starts, firstRefusedNs, lastRefusedNs, refused }: StormRecord): void {
    if (this.limit !== Infinity) this.#starts = [...starts];
    this.#firstRefusedNs = firstRefusedNs;
    this.#lastRefusedNs = lastRefusedNs;
    this.#refused = refused;
  }

  /** Starts that the daemon before this one noted: its state of `stateNs` may have some of them. */
  hold(startsNs: readonly number[], stateNs: number): void {
    const known = this.#starts.filter((ns) => ns >= stateNs).length;
    for (const ns of startsNs.slice(known)) this.started(ns);
  }

  /** True if one more recovery may begin. */
  isOpen(nowNs: number): boolean {
    this.#forget(nowNs);
    return this.#starts.length - this.#first < this.limit;
  }

  /** A recovery has begun. */
  started(nowNs: number): void {
    if (this.limit !== Infinity) this.#starts.push(nowNs);
    this.changes += 1;
  }

  /** A recovery was refused for the limit; true if a storm begins with it. */
  refused(nowNs: number): boolean {
    const begins = Number.isNaN(this.#lastRefusedNs);
    if (begins) this.#firstRefusedNs = nowNs;
    this.#lastRefusedNs = nowNs;
    this.#refused += 1;
    this.changes += 1;
    return begins;
  }

  /** When the next recovery may begin, while none may; -Infinity while one may. */
  nextOpenNs(): number {
    const excess = this.#starts.length - this.#first - this.limit;
    return excess < 0 ? -Infinity : this.#starts[this.#first + excess]! + this.windowNs;
  }

  /** When the present storm began, or the last one. */
  get beganNs(): number {
    return this.#firstRefusedNs;
  }

  /** When the storm is over if nothing is refused any more; Infinity if there is none. */
  get endNs(): number {
    return Number.isNaN(this.#lastRefusedNs) ? Infinity : this.#lastRefusedNs + this.windowNs;
  }

  /** Ends a storm that is over: how many were refused in it; 0 if there is none to end. */
  takeEnd(nowNs: number): number {
    if (nowNs < this.endNs) return 0;
    const refused = this.#refused;
    this.#lastRefusedNs = NaN;
    this.#refused = 0;
    return refused;
  }

  #forget(nowNs: number): void {
    while (
      this.#first < this.#starts.length &&
      nowNs - this.#starts[this.#first]! >= this.windowNs
    ) {
      this.#first += 1;
    }
    if (this.#first > 1_024 && this.#first * 2 > this.#starts.length) {
      this.#starts = this.#starts.slice(this.#first);
      this.#first = 0;
    }
  }
}
