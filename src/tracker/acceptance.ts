// Whether a datagram may be one of the member that its slot has (spec 03 section 4.1, rows 4 to 9):
// first whose it is, then whether it is newer than what came before. What is refused is counted
// here, with the slot that it names.
import { type Datagram, VOUCHED_BY_KERNEL, VOUCHED_NOT } from "../events/datagram.ts";
import {
  REJECT_NAMESPACE_CONFLICT,
  REJECT_ORIGIN_CONFLICT,
  REJECT_OUT_OF_ORDER,
} from "../base/reject_reason.ts";
import { CONTROL_HELLO } from "../wire/control_datagram.ts";
import { TRACKER } from "./counters.ts";
import { NONCE_REFUSED, NONCE_WRAPS, nonceAcceptance } from "./nonce_order.ts";
import { beginsAnew, followRun } from "./numbering.ts";
import type { SlotTable } from "./slot_table.ts";
import {
  UPDATE_NAMESPACE_CONFLICT,
  UPDATE_ORIGIN_CONFLICT,
  UPDATE_OUT_OF_ORDER,
  UPDATE_REFRESHED,
} from "./updates.ts";

/** UPDATE_REFRESHED if the beat may refresh its slot, else the refusal. */
export function beatRefusal(table: SlotTable, datagram: Datagram): number {
  const { slots, counters } = table;
  const { slot, nowNs, vouched } = datagram;
  const conflict = conflictOf(table, datagram);
  if (conflict !== UPDATE_REFRESHED) {
    const isOrigin = conflict === UPDATE_ORIGIN_CONFLICT;
    const rejected = isOrigin ? REJECT_ORIGIN_CONFLICT : REJECT_NAMESPACE_CONFLICT;
    slots.refuse(slot, rejected, false, nowNs);
    return conflict;
  }
  // Nothing after this can refuse the frame, so a wrap is counted here.
  const order = nonceAcceptance(slots, datagram);
  if (order === NONCE_WRAPS) counters.add(TRACKER.nonceWrap);
  if (order !== NONCE_REFUSED) return UPDATE_REFRESHED;
  // Another process under the pid would look the same: only a start time that is known to be the
  // old one shows it.
  const isSame = Object.is(slots.generation[slot]!, datagram.generation);
  if (isSame && beginsAnew(slots, datagram)) {
    counters.add(TRACKER.nonceRestart);
    return UPDATE_REFRESHED;
  }
  counters.add(TRACKER.outOfOrder);
  slots.refuse(slot, REJECT_OUT_OF_ORDER, isSame && vouched !== VOUCHED_NOT, nowNs);
  followRun(slots, datagram);
  return UPDATE_OUT_OF_ORDER;
}

/**
 * The same of a hello or a bye. It is no beat: nothing of it is remembered with the slot. A program
 * that replaced itself numbers from 1 again, and has no clock in its hello to show it: its word is
 * the kernel's.
 */
export function controlRefusal(table: SlotTable, datagram: Datagram): number {
  const { slots, counters } = table;
  const conflict = conflictOf(table, datagram);
  if (conflict !== UPDATE_REFRESHED) return conflict;
  if (nonceAcceptance(slots, datagram) !== NONCE_REFUSED) return UPDATE_REFRESHED;
  const { control, vouched, nonceHi, nonceLo } = datagram;
  const isFirst = control === CONTROL_HELLO && nonceHi === 0 && nonceLo === 1;
  if (isFirst && vouched === VOUCHED_BY_KERNEL) return UPDATE_REFRESHED;
  counters.add(TRACKER.outOfOrder);
  return UPDATE_OUT_OF_ORDER;
}

/** UPDATE_REFRESHED, or the pin of the slot that the datagram does not fit. */
function conflictOf({ slots, counters }: SlotTable, datagram: Datagram): number {
  const { slot, namespaceInode } = datagram;
  if (slots.origin[slot]! !== datagram.origin) {
    counters.add(TRACKER.originConflicts);
    return UPDATE_ORIGIN_CONFLICT;
  }
  const pinned = slots.namespaceInode[slot]!;
  if (Number.isNaN(pinned) || namespaceInode === pinned) return UPDATE_REFRESHED;
  // A dying process is often gone from /proc when its last beat is read, so its namespace may
  // be unknown.
  if (datagram.isTerminal && Number.isNaN(namespaceInode)) return UPDATE_REFRESHED;
  counters.add(TRACKER.namespaceConflicts);
  return UPDATE_NAMESPACE_CONFLICT;
}
