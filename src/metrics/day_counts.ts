// How often something has happened in the last 24 hours, by half-hours: what is counted is at most
// half an hour short of the whole day. Made when it happens first; most agents never need one.
import { NS_PER_S } from "../base/time.ts";

const PART_NS = 1_800 * NS_PER_S;
const PARTS = 48;

export class DayCounts {
  readonly #counts = new Uint32Array(PARTS);
  /** The half-hour of observer time that was counted last. */
  #part = Number.NEGATIVE_INFINITY;

  add(nowNs: number): void {
    this.#forget(nowNs);
    this.#counts[this.#part % PARTS]! += 1;
  }

  count(nowNs: number): number {
    this.#forget(nowNs);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** The clock of the observer never goes back. */
  #forget(nowNs: number): void {
    const part = Math.max(this.#part, Math.floor(nowNs / PART_NS));
    for (let at = Math.max(this.#part + 1, part - PARTS + 1); at <= part; at++)
      this.#counts[at % PARTS] = 0;
    this.#part = part;
  }
}
