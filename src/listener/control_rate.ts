// How many control datagrams of one pid are taken (spec 01 section 9.3): four a second, four at
// once. The state of a pid is the one time at which its whole allowance is there again; a row that
// has passed it says nothing that an empty one would not, so rows are never swept. It is exact, and
// never allocates.
import { assert } from "../base/assert.ts";
import { NS_PER_S } from "../base/time.ts";

const CONTROL_PER_SECOND_MAX = 4;
const CONTROL_BURST = 4;
/** A power of two: the upper bits of a product choose the row. */
const CONTROL_RATE_ROWS = 4096;
const CONTROL_RATE_PROBES = 8;

const COST_NS = NS_PER_S / CONTROL_PER_SECOND_MAX;
/** What a pid may have spent ahead before the one that it asks for. */
const AHEAD_NS_MAX = (CONTROL_BURST - 1) * COST_NS;

export class ControlRate {
  readonly #pid = new Uint32Array(CONTROL_RATE_ROWS);
  /** Observer time at which the pid has its whole allowance again. */
  readonly #wholeNs = new Float64Array(CONTROL_RATE_ROWS);

  /** Takes one of `pid` at `nowNs`; false = it had its share, or there is no room to count it. */
  tryTake(pid: number, nowNs: number): boolean {
    const row = this.#rowOf(pid, nowNs);
    if (row < 0) return false;
    const wholeNs = Math.max(this.#wholeNs[row]!, nowNs);
    if (wholeNs - nowNs > AHEAD_NS_MAX) return false;
    this.#pid[row] = pid;
    this.#wholeNs[row] = wholeNs + COST_NS;
    return true;
  }

  /** Its own row, else a free one, made its own; -1 = none of those that it may have is free. */
  #rowOf(pid: number, nowNs: number): number {
    const first = Math.imul(pid, 0x9e37_79b1) >>> (32 - Math.log2(CONTROL_RATE_ROWS));
    let free = -1;
    for (let probe = 0; probe < CONTROL_RATE_PROBES; probe++) {
      const row = (first + probe) % CONTROL_RATE_ROWS;
      const isFree = this.#wholeNs[row]! <= nowNs;
      if (!isFree && this.#pid[row]! === pid) return row;
      if (isFree && free < 0) free = row;
    }
    return free;
  }
}

assert((CONTROL_RATE_ROWS & (CONTROL_RATE_ROWS - 1)) === 0, "rows are a power of two");
