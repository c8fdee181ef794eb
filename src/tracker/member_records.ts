// Members as plain records for the state file, and back into slots (spec 18 sections 3 and 6). Cold
// side: it makes objects. A walk goes from the last slot down, so that a removal, which moves the
// last row into a hole, hides no member from it; one may be seen twice.
import { AGENT_NEW } from "../agents/agent_table.ts";
import { IP_WORDS } from "../base/ip_text.ts";
import type { HeldWord } from "../events/held_words.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { MemberRecord } from "../snapshot/records.ts";
import type { RestoredMember } from "../snapshot/restored_members.ts";
import { isShared } from "./member_key.ts";
import type { SlotTable } from "./slot_table.ts";
import {
  SLOT_BEAT_ONCE,
  SLOT_HAS_REGULAR_NONCE,
  SLOT_HAS_SOURCE,
  SLOT_HAS_TERMINAL_TIMESTAMP,
} from "./slots.ts";

export type StallRecord = Pick<MemberRecord, "verdict" | "stalledNs" | "isRecovering">;

/** What the tracker does not have of a member. */
export interface MemberNames {
  readonly ruleName: (rule: number) => string;
  readonly listenerName: (listener: number) => string;
  /** Of its stall; NaN = it has none that was reported. */
  readonly stallOf: (slot: number) => StallRecord;
  /** Of the stall of a key. */
  readonly heldOf: (key: number) => HeldWord;
}

export function* memberRecords(table: SlotTable, names: MemberNames): Iterable<MemberRecord> {
  // Members may go between two steps: what is above `len` by then was moved below, or is gone.
  for (let slot = table.len - 1; slot >= 0; slot--)
    if (slot < table.len) yield recordOf(table, slot, names);
}

function recordOf(table: SlotTable, slot: number, names: MemberNames): MemberRecord {
  const { slots, lanes, agents } = table;
  const flags = slots.flags[slot]!;
  const identity = table.facts[slot]?.identity;
  const stall = names.stallOf(slot);
  return {
    pid: slots.pid[slot]!,
    key: slots.key[slot]!,
    origin: slots.origin[slot]!,
    generation: slots.generation[slot]!,
    namespaceInode: slots.namespaceInode[slot]!,
    innerPid: slots.innerPid[slot]!,
    uid: slots.uid[slot]!,
    gid: slots.gid[slot]!,
    isProven: slots.isProven(slot),
    isFirstBeat: (flags & SLOT_BEAT_ONCE) !== 0,
    isStalled: slots.isLatched(slot) && !Number.isNaN(stall.stalledNs),
    hasEnded: slots.hasEnded(slot),
    agent: agents.nameOf(slots.agent[slot]!),
    rule: names.ruleName(slots.rule[slot]!),
    listener: names.listenerName(slots.listener[slot]!),
    hasSource: slots.hasSource(slot),
    hasAddress: slots.hasAddress[slot] === 1,
    source: sourceWords(table, slot),
    // The lanes have it without the pauses.
    firstNs: slots.firstNs[slot]! + lanes.pauses.totalNs,
    lastNs: slots.lastNs[slot]!,
    status: slots.status[slot]!,
    payload: slots.payload[slot]!,
    beats: slots.beats[slot]! + slots.beatsTaken[slot]!,
    hasRegularNonce: (flags & SLOT_HAS_REGULAR_NONCE) !== 0,
    lastNonceHi: slots.lastNonceHi[slot]!,
    lastNonceLo: slots.lastNonceLo[slot]!,
    observedNonceHi: slots.observedNonceHi[slot]!,
    observedNonceLo: slots.observedNonceLo[slot]!,
    hasTerminalTimestamp: (flags & SLOT_HAS_TERMINAL_TIMESTAMP) !== 0,
    terminalTimestampHi: slots.terminalTimestampHi[slot]!,
    terminalTimestampLo: slots.terminalTimestampLo[slot]!,
    timestampHi: slots.timestampHi[slot]!,
    timestampLo: slots.timestampLo[slot]!,
    user: table.facts[slot]?.user ?? "",
    comm: identity?.comm ?? "",
    exe: identity?.exe ?? "",
    script: identity?.script ?? "",
    program: slots.program[slot]!,
    unit: identity?.unit ?? "",
    unitUser: identity?.unitUser ?? "",
    container: identity?.container ?? "",
    ...stall,
    held: names.heldOf(slots.key[slot]!),
  };
}

/** The words of its address; none if it has no address. */
function sourceWords({ slots }: SlotTable, slot: number): number[] {
  if (!slots.hasSource(slot) && slots.hasAddress[slot] !== 1) return [];
  return Array.from({ length: IP_WORDS }, (_, word) => slots.source[slot * IP_WORDS + word]!);
}

/**
 * Gives a member of the daemon before this one a slot, not yet identified: -1 if there is no room,
 * or if it cannot be as it says. `listener` is the number that its listener has now. Members are
 * best restored in the order of their last beats, the oldest first.
 */
export function restoreSlot(table: SlotTable, restored: RestoredMember, listener: number): number {
  const { record } = restored;
  const { key, pid } = record;
  if (key !== pid && !isShared(key)) return -1;
  if (table.len >= table.capacity || table.slotOf(key) >= 0) return -1;
  const slot = table.append(key);
  if (slot < 0) return -1;
  table.slots.freshen(slot);
  storeRecord(table, slot, record, listener);
  table.agents.join(AGENT_NEW);
  table.lanes.enter(slot, restored.lastNs, table.thresholdNs);
  table.slots.firstNs[slot] = table.lanes.pauses.awakeNs(restored.firstNs);
  table.share.entered(slot);
  table.looks.entered(slot);
  if (record.isStalled) table.latch(slot);
  if (record.hasEnded) table.end(slot);
  else if (record.origin === ORIGIN_KERNEL_ATTESTED && !restored.diedUnseen)
    table.newcomers?.push(pid);
  return slot;
}

function storeRecord(
  { slots }: SlotTable,
  slot: number,
  record: MemberRecord,
  listener: number,
): void {
  slots.key[slot] = record.key;
  slots.pid[slot] = record.pid;
  slots.agent[slot] = AGENT_NEW;
  slots.origin[slot] = record.origin;
  slots.namespaceInode[slot] = record.namespaceInode;
  slots.generation[slot] = record.generation;
  slots.innerPid[slot] = record.innerPid;
  slots.uid[slot] = record.uid;
  slots.gid[slot] = record.gid;
  slots.listener[slot] = listener;
  slots.status[slot] = record.status;
  slots.payload[slot] = record.payload;
  slots.debt[slot] = 0;
  if (!Number.isNaN(record.beats)) slots.beatsTaken[slot] = record.beats;
  slots.lastNonceHi[slot] = record.lastNonceHi;
  slots.lastNonceLo[slot] = record.lastNonceLo;
  slots.observedNonceHi[slot] = record.observedNonceHi;
  slots.observedNonceLo[slot] = record.observedNonceLo;
  slots.terminalTimestampHi[slot] = record.terminalTimestampHi;
  slots.terminalTimestampLo[slot] = record.terminalTimestampLo;
  slots.timestampHi[slot] = record.timestampHi;
  slots.timestampLo[slot] = record.timestampLo;
  slots.flags[slot] =
    (record.isFirstBeat ? SLOT_BEAT_ONCE : 0) |
    (record.hasRegularNonce ? SLOT_HAS_REGULAR_NONCE : 0) |
    (record.hasTerminalTimestamp ? SLOT_HAS_TERMINAL_TIMESTAMP : 0);
  if (record.isProven) slots.prove(slot);
  if (record.source.length !== IP_WORDS) return;
  slots.source.set(record.source, slot * IP_WORDS);
  if (record.hasAddress) slots.hasAddress[slot] = 1;
  if (record.hasSource) slots.flags[slot]! |= SLOT_HAS_SOURCE;
}
