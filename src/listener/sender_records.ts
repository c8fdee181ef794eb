// Replay states of the senders of one secure listener as records for the state file, and back (spec
// 18 section 3): a restart must not make recordings new again. Cold side: it makes objects.
import type { PrefixRecord, SenderRecord } from "../snapshot/records.ts";
import type { SenderTable } from "./sender_table.ts";

export function* senderRecords(table: SenderTable, listener: string): Iterable<SenderRecord> {
  for (const [slot, pid] of table.senders())
    yield {
      listener,
      pid,
      ivLow: table.ivLow[slot]!,
      ivHigh: table.ivHigh[slot]!,
      lastCounter: table.lastCounter[slot]!,
      previousIvLow: table.previousIvLow[slot]!,
      previousIvHigh: table.previousIvHigh[slot]!,
      previousLastCounter: table.previousLastCounter[slot]!,
      nonceMaxHi: table.nonceMaxHi[slot]!,
      nonceMaxLo: table.nonceMaxLo[slot]!,
      timestampMaxHi: table.timestampMaxHi[slot]!,
      timestampMaxLo: table.timestampMaxLo[slot]!,
      terminalSeen: table.terminalSeen[slot]!,
      terminalTimestampHi: table.terminalTimestampHi[slot]!,
      terminalTimestampLo: table.terminalTimestampLo[slot]!,
      lastSeenNs: table.lastSeenNs[slot]!,
    };
}

export function* prefixRecords(table: SenderTable, listener: string): Iterable<PrefixRecord> {
  for (const kind of ["retired", "rotated"] as const)
    for (const [ivLow, ivHigh] of table[kind].all()) yield { listener, kind, ivLow, ivHigh };
}

/**
 * False if there is no room for it. `instantNs` is now by the listener's own clock: the sender has
 * all its time from the start on before its state is dropped.
 */
export function restoreSender(
  table: SenderTable,
  record: SenderRecord,
  instantNs: number,
): boolean {
  const slot = table.slotOf(record.pid) >= 0 ? -1 : table.insert(record.pid);
  if (slot < 0) return false;
  table.ivLow[slot] = record.ivLow;
  table.ivHigh[slot] = record.ivHigh;
  table.lastCounter[slot] = record.lastCounter;
  table.previousIvLow[slot] = record.previousIvLow;
  table.previousIvHigh[slot] = record.previousIvHigh;
  table.previousLastCounter[slot] = record.previousLastCounter;
  table.nonceMaxHi[slot] = record.nonceMaxHi;
  table.nonceMaxLo[slot] = record.nonceMaxLo;
  table.timestampMaxHi[slot] = record.timestampMaxHi;
  table.timestampMaxLo[slot] = record.timestampMaxLo;
  table.terminalSeen[slot] = record.terminalSeen;
  table.terminalTimestampHi[slot] = record.terminalTimestampHi;
  table.terminalTimestampLo[slot] = record.terminalTimestampLo;
  table.lastSeenNs[slot] = record.lastSeenNs;
  table.lastSeenInstantNs[slot] = instantNs;
  return true;
}

export function restorePrefix(table: SenderTable, { kind, ivLow, ivHigh }: PrefixRecord): void {
  table[kind].add(ivLow, ivHigh);
}
