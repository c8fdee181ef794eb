// Whether a frame comes from another process than the one its slot was made for (spec 03 section
// 4.1, rows 2 and 3). The answer comes before every other check: a new process owes nothing to the
// origin, namespace or nonce of the old one.
import { isNetworkOrigin } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import { u64Greater } from "../base/u64.ts";
import type { Datagram } from "../events/datagram.ts";
import type { SlotTable } from "./slot_table.ts";
import { SLOT_HAS_REGULAR_NONCE } from "./slots.ts";

/**
 * True if another process answers under the pid of the slot: its start time, or a restarted network
 * agent, says so.
 */
export function isRecycled({ slots, lanes }: SlotTable, datagram: Datagram): boolean {
  const { slot, generation, origin, nowNs, nonceHi, nonceLo } = datagram;
  const pinned = slots.generation[slot]!;
  if (!Number.isNaN(pinned)) return !Number.isNaN(generation) && generation !== pinned;
  if (!Number.isNaN(generation)) return false;
  if (origin !== slots.origin[slot]!) return false;
  if (!isNetworkOrigin(origin)) return false;
  if ((slots.flags[slot]! & SLOT_HAS_REGULAR_NONCE) === 0) return false;
  // The terminal nonce is greater than any regular one, so a dying process never looks like a
  // restarted one.
  if (u64Greater(nonceHi, nonceLo, slots.lastNonceHi[slot]!, slots.lastNonceLo[slot]!))
    return false;
  return saturatingSub(nowNs, slots.lastNs[slot]!) >= lanes.thresholdOf(slot);
}
