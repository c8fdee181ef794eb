// How long nobody could be heard within the last minute: a daemon that is away for more than a
// tenth of its time is a fault of its host (spec 12 section 8). Kept by parts of a minute, so that
// a row of many short pauses counts as a long one does.
import { NS_PER_S } from "../base/time.ts";

const PARTS = 12;
const MINUTE_NS = 60 * NS_PER_S;
const PART_NS = MINUTE_NS / PARTS;

export class PausedMinute {
  /** Of part p of all time, at p modulo their number: what ended in it, and which part that is. */
  readonly #ns = new Float64Array(PARTS);
  readonly #part = new Float64Array(PARTS).fill(-1);

  add(endNs: number, ns: number): void {
    const part = Math.floor(endNs / PART_NS);
    const at = part % PARTS;
    if (this.#part[at] !== part) this.#ns[at] = 0;
    this.#part[at] = part;
    this.#ns[at]! += ns;
  }

  /** Of pauses that ended in the minute before `nowNs`, 5 s more or less. */
  totalNs(nowNs: number): number {
    const now = Math.floor(nowNs / PART_NS);
    let sumNs = 0;
    for (let at = 0; at < PARTS; at++) if (this.#part[at]! > now - PARTS) sumNs += this.#ns[at]!;
    return Math.min(MINUTE_NS, sumNs);
  }
}
