// What is done to members whose processes have ended (spec 14 section 4.2). Who they are, and
// whether their end is an alarm, is decided by those who see it; until they follow ends, nothing
// here acts.
import { u64Greater } from "../base/u64.ts";
import type { Bye } from "./farewells.ts";
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

  /**
   * The member of `slot`, on another machine, said bye. True if that was its last word: then what
   * it sent before is refused for a while. A beat that the bye has overtaken did not take it back.
   */
  saidBye(slot: number, bye: Bye, nowNs: number): boolean {
    const { slots, farewells } = this.#table;
    if (slots.isLatched(slot)) return false;
    const hi = slots.lastNonceHi[slot]!;
    const lo = slots.lastNonceLo[slot]!;
    if (!slots.saidGoodbye(slot) && !u64Greater(bye.nonceHi, bye.nonceLo, hi, lo)) return false;
    farewells.note(slots, slot, bye, nowNs);
    return true;
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
