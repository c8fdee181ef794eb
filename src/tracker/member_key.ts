// Under which key the tracker keeps a sender. A pid names one process of one machine, but a network
// has many machines, and in containers all of them have the same small pids: two sources that claim
// one pid by plain UDP must not hide each other's death. The first who claims a pid has it as its
// key; another source gets a key of its own, above all pids, made from source and pid. Keys are
// found by a few probes, so a sender that chooses sources to make them collide is refused (spec 03
// section 4.6).
import { IP_WORDS } from "../base/ip_text.ts";
import { isNetworkOrigin } from "../base/origin.ts";
import type { Datagram } from "../events/datagram.ts";
import { hashU32 } from "../tables/bounded_index.ts";
import type { SlotTable } from "./slot_table.ts";
import type { SlotsView } from "./slots.ts";

/**
 * Keys tried for a source whose pid another one holds: that four of 2^31 are all taken by others
 * happens only on purpose.
 */
const MEMBER_KEY_PROBES_MAX = 4;

/** There is no key left for this source. */
export const NO_KEY = -1;

/** Pids are below: 2^22 at most on Linux. */
const SHARED = 0x8000_0000;

/**
 * The key of the sender of a datagram that no kernel attests; without a source, a key vouches for
 * it.
 */
export function memberKey(table: SlotTable, datagram: Datagram): number {
  const { slots } = table;
  const { pid } = datagram;
  const slot = table.slotOf(pid);
  if (slot >= 0) {
    if (isMember(slots, slot, datagram)) return pid;
    // A conflict of two transports, which is for the tracker to refuse.
    if (!isNetworkOrigin(slots.origin[slot]!)) return pid;
  } else if (table.sharedCount === 0) return pid;
  const key = sharedKey(table, datagram);
  // A pid that no member holds any more goes to the next new one.
  return slot < 0 && (key === NO_KEY || table.slotOf(key) < 0) ? pid : key;
}

/** True if `key` is none that a pid could be. */
export function isShared(key: number): boolean {
  return key >= SHARED;
}

function sharedKey(table: SlotTable, datagram: Datagram): number {
  const hash = hashOf(datagram);
  let free = NO_KEY;
  for (let probe = 0; probe < MEMBER_KEY_PROBES_MAX; probe++) {
    const key = ((hash + probe) | SHARED) >>> 0;
    const slot = table.slotOf(key);
    if (slot < 0) {
      if (free === NO_KEY) free = key;
    } else if (isMember(table.slots, slot, datagram)) return key;
  }
  return free;
}

function isMember(slots: SlotsView, slot: number, { pid, sources, sourceAt }: Datagram): boolean {
  if (slots.pid[slot]! !== pid) return false;
  const hasSource = slots.hasSource(slot);
  if (sources === undefined || !hasSource) return sources === undefined && !hasSource;
  const own = slot * IP_WORDS;
  for (let word = 0; word < IP_WORDS; word++)
    if (slots.source[own + word]! !== sources[sourceAt + word]!) return false;
  return true;
}

function hashOf({ pid, sources, sourceAt }: Datagram): number {
  let hash = hashU32(pid);
  if (sources === undefined) return hash;
  for (let word = 0; word < IP_WORDS; word++) hash = hashU32(hash ^ sources[sourceAt + word]!);
  return hash;
}
