// What is done to members whose processes have ended (spec 14 section 4.2). Who they are, and
// whether their end is an alarm, is decided by those who see it; until they follow ends, nothing
// here acts.
import { Newcomers } from "./newcomers.ts";
import type { SlotTable } from "./slot_table.ts";
import type { StallScan, StallSink } from "./stall_scan.ts";

export class EndedMembers {
  readonly #table: SlotTable;
  readonly #scan: StallScan;

  constructor(table: SlotTable, scan: StallScan) {
    this.#table = table;
    this.#scan = scan;
  }

  /**
   * Ends are followed from now on: members that are new are noted in what is returned, and
   * `excuses` is asked before a slot that is due is a stall; true = it leaves without one. It must
   * not call the tracker back.
   */
  follow(excuses: (slot: number) => boolean): Newcomers {
    this.#scan.excuses = excuses;
    this.#table.newcomers ??= new Newcomers();
    return this.#table.newcomers;
  }

  /** The process of `slot` has ended. */
  note(slot: number): void {
    this.#table.end(slot);
  }

  /** The member of `slot` leaves the table, and nothing more is said of it. */
  leave(slot: number): void {
    this.#scan.leave(slot);
  }

  /** The member of `slot` was silent for so long that it is watched no more. */
  forget(slot: number): void {
    this.#scan.forget(slot);
  }

  /** The member of `slot` is stalled, whatever its silence. */
  judge(slot: number, sink: StallSink): void {
    if (this.#table.slots.isLatched(slot)) return;
    this.#table.latch(slot);
    sink.onStall(slot);
  }
}
