// What members have said of themselves, in the state file (spec 18 section 3): a record for each
// that has said anything, so that the others cost nothing.
import type { SaidRecord } from "../snapshot/records.ts";
import { extend, wasMoved } from "./extensions.ts";
import { noWords } from "./said_words.ts";
import type { SlotTable } from "./slot_table.ts";

/** From the last slot down, as members are. */
export function* saidRecords(table: SlotTable): Iterable<SaidRecord> {
  const { slots, lanes, said } = table;
  for (let slot = table.len - 1; slot >= 0; slot--) {
    if (slot >= table.len) continue;
    const isMoved = wasMoved(table, slot) && !slots.owesNoBeats(slot) && !slots.isLatched(slot);
    const words = said[slot];
    if (words === undefined && !isMoved) continue;
    const { status, isReloading, errno, isSpokenFor } = words ?? noWords();
    const movedNs = isMoved ? slots.graceEndNs[slot]! + lanes.pauses.totalNs : Number.NaN;
    const generation = slots.generation[slot]!;
    yield { key: slots.key[slot]!, generation, status, isReloading, errno, isSpokenFor, movedNs };
  }
}

/** `movedNs`: until when it is not judged, by the clock of this daemon; NaN = as ever. */
export function restoreSaid(table: SlotTable, record: SaidRecord, movedNs: number): void {
  const { key, generation, status, isReloading, errno, isSpokenFor } = record;
  const slot = table.slotOf(key);
  if (slot < 0 || !Object.is(table.slots.generation[slot], generation)) return;
  table.said[slot] = { ...noWords(), status, isReloading, errno, isSpokenFor };
  const isJudged = table.slots.isLatched(slot) || table.slots.hasEnded(slot);
  if (!Number.isNaN(movedNs) && !isJudged) extend(table, slot, movedNs);
}
