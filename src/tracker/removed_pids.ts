// Members that the tracker dropped by eviction or retirement, for those who keep something per
// member (spec 03 section 6.3). A bounded stack, last in first out. A consumer must check that the
// member is not tracked again before it drops anything.
import { columnTable } from "../tables/columns.ts";
import { SLOT_COLUMNS, SLOT_ENDED, type SlotsView, sourceOf } from "./slots.ts";

const { pid, key, source, flags } = SLOT_COLUMNS;

/** What is kept of a slot whose member was dropped. */
class RemovedRows extends columnTable({ pid, key, source, flags }) {}

export class RemovedPids {
  readonly #rows: RemovedRows;
  #count = 0;

  constructor(capacity: number) {
    this.#rows = new RemovedRows(capacity);
  }

  /** Notes the member of `slot`. False if the stack is full: it is not remembered. */
  push(slots: SlotsView, slot: number): boolean {
    if (this.#count === this.#rows.pid.length) return false;
    this.#rows.copyRow(slots, slot, this.#count++);
    return true;
  }

  /** The pid of the youngest removed member, or -1. */
  pop(): number {
    if (this.#count === 0) return -1;
    this.#count -= 1;
    return this.#rows.pid[this.#count]!;
  }

  /** The key of the member that `pop` has just returned. */
  get poppedKey(): number {
    return this.#rows.key[this.#count]!;
  }

  /** Its end was reported: nothing more is to be said of it. */
  get poppedHasEnded(): boolean {
    return (this.#rows.flags[this.#count]! & SLOT_ENDED) !== 0;
  }

  /** Its source; "" = none. */
  get poppedSource(): string {
    return sourceOf(this.#rows, this.#count);
  }
}
