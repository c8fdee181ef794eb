// The pids of a page in ascending order, sorted in small steps: a million rows must not hold up a
// beat, and the engine's own sort cannot be interrupted. A radix sort over digits of 11 bits; Linux
// pids fit into two.
import type { PidRows } from "./pid_rows.ts";

const DIGIT_BITS = 11;
const DIGIT_COUNT = 2 ** DIGIT_BITS;
const DIGIT_MASK = DIGIT_COUNT - 1;
/** Elements moved between two readings of the clock: about 20 us. */
const STEP_ELEMENTS = 4_096;

export class PidOrder {
  /** Pids collected; the first `count` entries of `pids` are sorted once `step` returned true. */
  count = 0;
  pids: Uint32Array;
  #other: Uint32Array;
  readonly #rows: PidRows;
  /** Elements per digit, then the place of the next element with that digit. */
  readonly #places = new Uint32Array(DIGIT_COUNT);
  #pidMax = 0;
  #row = 0;
  #shift = 0;
  #position = 0;
  #placing = false;

  constructor(rows: PidRows) {
    this.#rows = rows;
    this.pids = new Uint32Array(rows.rowCount);
    this.#other = new Uint32Array(rows.rowCount);
  }

  /** Forgets the last order and starts to collect. */
  begin(): void {
    this.count = 0;
    this.#pidMax = 0;
    this.#row = 0;
    this.#shift = 0;
    this.#position = 0;
    this.#placing = false;
    this.#places.fill(0);
  }

  /** Does one small piece of work; true when the order is complete. */
  step(): boolean {
    if (this.#row < this.#rows.rowsUsed) {
      this.#collect();
      return false;
    }
    if (this.#isSorted()) return true;
    if (this.#placing) this.#place();
    else this.#countDigits();
    return this.#isSorted();
  }

  #isSorted(): boolean {
    return this.#shift >= 32 || this.#pidMax / 2 ** this.#shift < 1;
  }

  #collect(): void {
    const rows = this.#rows;
    const end = Math.min(this.#row + STEP_ELEMENTS, rows.rowsUsed);
    for (let row = this.#row; row < end; row++) {
      const pid = rows.pidAt(row);
      if (pid === 0) continue;
      this.pids[this.count] = pid;
      this.count += 1;
      if (pid > this.#pidMax) this.#pidMax = pid;
    }
    this.#row = end;
  }

  #countDigits(): void {
    const pids = this.pids;
    const places = this.#places;
    const shift = this.#shift;
    const end = Math.min(this.#position + STEP_ELEMENTS, this.count);
    for (let i = this.#position; i < end; i++) places[(pids[i]! >>> shift) & DIGIT_MASK]! += 1;
    this.#position = end;
    if (end < this.count) return;
    let place = 0;
    for (let digit = 0; digit < DIGIT_COUNT; digit++) {
      const elements = places[digit]!;
      places[digit] = place;
      place += elements;
    }
    this.#position = 0;
    this.#placing = true;
  }

  #place(): void {
    const pids = this.pids;
    const other = this.#other;
    const places = this.#places;
    const shift = this.#shift;
    const end = Math.min(this.#position + STEP_ELEMENTS, this.count);
    for (let i = this.#position; i < end; i++) {
      const pid = pids[i]!;
      const digit = (pid >>> shift) & DIGIT_MASK;
      other[places[digit]!] = pid;
      places[digit]! += 1;
    }
    this.#position = end;
    if (end < this.count) return;
    this.pids = other;
    this.#other = pids;
    this.#shift += DIGIT_BITS;
    this.#position = 0;
    this.#placing = false;
    places.fill(0);
  }
}
