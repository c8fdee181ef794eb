// Gives the members of the daemon before this one their slots (spec 18 section 6). The table is
// empty then, so their rows are the first ones, and each of its columns is written in one loop: for
// ten thousand members that takes a tenth of the time of a row after the other.
import { AGENT_NEW } from "../agents/agent_table.ts";
import { assert } from "../base/assert.ts";
import { IP_WORDS } from "../base/ip_text.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { RestoredMembers } from "../snapshot/restored_members.ts";
import { sayGoodbye } from "./goodbyes.ts";
import { awaitFirstBeat } from "./hellos.ts";
import { isShared } from "./member_key.ts";
import type { SlotTable } from "./slot_table.ts";
import {
  linkInOrder,
  SLOT_BEAT_ONCE,
  SLOT_HAS_REGULAR_NONCE,
  SLOT_HAS_SOURCE,
  SLOT_HAS_TERMINAL_TIMESTAMP,
  SLOT_PROVEN,
} from "./slots.ts";

/** Columns that are the same in a slot and in the state, by their names. */
const U8_COLUMNS = ["origin", "status"] as const;
const U32_COLUMNS = [
  ...(["innerPid", "payload", "lastNonceHi", "lastNonceLo"] as const),
  ...(["observedNonceHi", "observedNonceLo", "timestampHi", "timestampLo"] as const),
  ...(["terminalTimestampHi", "terminalTimestampLo"] as const),
] as const;
const F64_COLUMNS = ["generation", "namespaceInode", "uid", "gid", "askedNs"] as const;
const FLAG_COLUMNS = [
  ["isFirstBeat", SLOT_BEAT_ONCE],
  ["hasRegularNonce", SLOT_HAS_REGULAR_NONCE],
  ["hasTerminalTimestamp", SLOT_HAS_TERMINAL_TIMESTAMP],
  ["isProven", SLOT_PROVEN],
] as const;

/**
 * The members that have got a slot, of which the first has slot 0 and so on, not yet identified;
 * there is none for those that cannot be as they say, and beyond the room that there is.
 * `listenerOf`: the number that the listener of that name has now, -1 = it is gone.
 */
export function restoreSlots(
  table: SlotTable,
  members: RestoredMembers,
  listenerOf: (name: string) => number,
): RestoredMembers {
  assert(table.len === 0, "members come back before others come");
  const { rows } = members;
  const listeners = Int32Array.from(rows.texts, ({ listener }) => listenerOf(listener));
  const restored = members.of(append(table, members, listeners));
  table.slots.freshenFirst(table.len);
  writeColumns(table, restored);
  writeAddresses(table, restored);
  writeAnnounced(table, restored);
  enter(table, restored);
  return restored;
}

/** Gives each its row: those that have got one, in the order of their slots. */
function append(
  table: SlotTable,
  { rows, rowOf }: RestoredMembers,
  listeners: Int32Array,
): Uint32Array {
  const { index, capacity } = table;
  const { key, pid, listener } = table.slots;
  const keys = rows.u32("key");
  const pids = rows.u32("pid");
  const { textsNumbers } = rows;
  const placed = new Uint32Array(Math.min(rowOf.length, capacity));
  let slot = 0;
  for (let at = 0; at < rowOf.length && slot < capacity; at++) {
    const row = rowOf[at]!;
    const ownKey = keys[row]!;
    const listenerNumber = listeners[textsNumbers[row]!]!;
    if (listenerNumber < 0) continue;
    if (ownKey !== pids[row]! && !isShared(ownKey)) continue;
    if (!index.insertNew(ownKey, slot)) continue;
    if (isShared(ownKey)) table.sharedCount += 1;
    key[slot] = ownKey;
    pid[slot] = pids[row]!;
    listener[slot] = listenerNumber;
    placed[slot++] = row;
  }
  table.len = slot;
  return placed.subarray(0, slot);
}

function writeColumns({ slots }: SlotTable, { rows, rowOf }: RestoredMembers): void {
  const starts = rows.startsOf(rowOf);
  for (const name of U8_COLUMNS) rows.takeU8(name, starts, slots[name]);
  for (const name of U32_COLUMNS) rows.takeU32(name, starts, slots[name]);
  for (const name of F64_COLUMNS) rows.takeF64(name, starts, slots[name]);
  slots.agent.fill(AGENT_NEW, 0, rowOf.length);
  slots.debt.fill(0, 0, rowOf.length);
  rows.takeF64("beats", starts, slots.beatsTaken);
  const beats = slots.beatsTaken.subarray(0, rowOf.length);
  if (beats.includes(Number.NaN)) for (let slot = 0; slot < beats.length; slot++) beats[slot] ||= 0;
  slots.flags.fill(0, 0, rowOf.length);
  for (const [name, flag] of FLAG_COLUMNS) rows.addFlag(name, starts, slots.flags, flag);
}

function writeAnnounced({ announced }: SlotTable, { rows, rowOf }: RestoredMembers): void {
  const { texts, textsNumbers } = rows;
  if (texts.every((text) => text.announced === "")) return;
  for (let slot = 0; slot < rowOf.length; slot++) {
    const text = texts[textsNumbers[rowOf[slot]!]!]!;
    if (text.announced !== "") announced[slot] = text.announced;
  }
}

function takeF64(from: Float64Array, rowOf: Uint32Array, into: Float64Array): void {
  for (let slot = 0; slot < rowOf.length; slot++) into[slot] = from[rowOf[slot]!]!;
}

function writeAddresses({ slots }: SlotTable, { rows, rowOf }: RestoredMembers): void {
  const hasSource = rows.u8("hasSource");
  const hasAddress = rows.u8("hasAddress");
  if (!hasSource.includes(1) && !hasAddress.includes(1)) return;
  for (let slot = 0; slot < rowOf.length; slot++) {
    const row = rowOf[slot]!;
    if ((hasSource[row]! | hasAddress[row]!) === 0) continue;
    const { source } = rows.record(row);
    if (source.length !== IP_WORDS) continue;
    slots.source.set(source, slot * IP_WORDS);
    slots.hasAddress[slot] = hasAddress[row]!;
    if (hasSource[row] === 1) slots.flags[slot]! |= SLOT_HAS_SOURCE;
  }
}

/** Into everything that links slots, in the order of their last beats. */
function enter(table: SlotTable, members: RestoredMembers): void {
  const { slots, lanes } = table;
  const { rows, rowOf } = members;
  const count = rowOf.length;
  const lastNs = new Float64Array(count);
  takeF64(members.lastNs, rowOf, lastNs);
  table.agents.joinMany(AGENT_NEW, count);
  enterLane(table, lastNs);
  takeF64(members.firstNs, rowOf, slots.firstNs);
  const pausedNs = -lanes.pauses.awakeNs(0);
  if (pausedNs !== 0) for (let slot = 0; slot < count; slot++) slots.firstNs[slot]! -= pausedNs;
  table.share.enteredFirst(count);
  table.looks.enteredFirst(count);
  const goodbyeNs = rows.f64("goodbyeNs");
  const isUnbeaten = rows.u8("isUnbeaten");
  const isStalled = rows.u8("isStalled");
  const hasEnded = rows.u8("hasEnded");
  const { diedUnseen } = members;
  const { origin, pid } = slots;
  const { newcomers } = table;
  for (let slot = 0; slot < count; slot++) {
    const row = rowOf[slot]!;
    if (hasEnded[row] === 0 && isUnbeaten[row] === 1) awaitFirstBeat(table, slot);
    if (hasEnded[row] === 0 && !Number.isNaN(goodbyeNs[row]!)) goOnLeaving(table, slot, members);
    if (isStalled[row] === 1) table.latch(slot);
    if (hasEnded[row] === 1) table.end(slot);
    else if (origin[slot] === ORIGIN_KERNEL_ATTESTED && diedUnseen[row] === 0)
      newcomers?.push(pid[slot]!);
  }
}

function goOnLeaving(table: SlotTable, slot: number, members: RestoredMembers): void {
  const { goodbyeNs, record } = members.at(slot);
  const { goodbyeLastsNs } = record;
  if (Number.isFinite(goodbyeNs + goodbyeLastsNs))
    sayGoodbye(table, slot, goodbyeNs, goodbyeLastsNs);
}

function enterLane({ slots, lanes, thresholdNs }: SlotTable, lastNs: Float64Array): void {
  const { length } = lastNs;
  if (length === 0) return;
  lanes.enter(0, lastNs[0]!, thresholdNs);
  const lane = slots.lane[0]!;
  slots.lane.fill(lane, 1, length);
  slots.lastNs.set(lastNs);
  linkInOrder(slots.prev, slots.next, length);
  lanes.tail[lane] = length - 1;
  lanes.count[lane]! += length - 1;
}
