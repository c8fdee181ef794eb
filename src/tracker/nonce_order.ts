// The order of nonces and terminal timestamps (spec 03 section 4.3): what makes a frame newer than
// what its slot has seen.
import { U32_MAX, u64Greater } from "../base/u64.ts";
import type { Datagram } from "../events/datagram.ts";
import { SLOT_HAS_REGULAR_NONCE, SLOT_HAS_TERMINAL_TIMESTAMP, type SlotsView } from "./slots.ts";

/** How near both ends of u64 a nonce must be to count as wrapped. */
const NONCE_WRAP_DISTANCE = 2 ** 20;

export const NONCE_REFUSED = 0;
export const NONCE_ADVANCES = 1;
/** The counter of the agent ran over the top: accepted, and counted. */
export const NONCE_WRAPS = 2;

/** The lower words of 2^64-1-2^20 and 2^20; their upper words are all-ones and zero. */
const WRAP_TOP_LO = U32_MAX - NONCE_WRAP_DISTANCE;
const WRAP_BOTTOM_LO = NONCE_WRAP_DISTANCE;

/** How a datagram follows what its slot accepted before: a NONCE code. */
export function nonceAcceptance(slots: SlotsView, datagram: Datagram): number {
  const { slot, nonceHi, nonceLo } = datagram;
  if (datagram.isUnnumbered) return NONCE_ADVANCES;
  if (datagram.isTerminal) {
    const { timestampHi, timestampLo } = datagram;
    const advances = terminalAdvances(slots, slot, timestampHi, timestampLo);
    return advances ? NONCE_ADVANCES : NONCE_REFUSED;
  }
  if ((slots.flags[slot]! & SLOT_HAS_REGULAR_NONCE) === 0) return NONCE_ADVANCES;
  return nonceOrder(slots.lastNonceHi[slot]!, slots.lastNonceLo[slot]!, nonceHi, nonceLo);
}

/**
 * True once per step from regular to terminal datagrams: the last nonce of the slot was regular and
 * the timestamp advances.
 */
export function isTerminalEdge(slots: SlotsView, datagram: Datagram): boolean {
  const { slot, isTerminal, timestampHi, timestampLo } = datagram;
  if (slot < 0 || !isTerminal) return false;
  const wasTerminal =
    slots.observedNonceHi[slot] === U32_MAX && slots.observedNonceLo[slot] === U32_MAX;
  return !wasTerminal && terminalAdvances(slots, slot, timestampHi, timestampLo);
}

/** Terminal frames share one nonce, so only their timestamps order them. */
export function terminalAdvances(slots: SlotsView, slot: number, hi: number, lo: number): boolean {
  if ((slots.flags[slot]! & SLOT_HAS_TERMINAL_TIMESTAMP) === 0) return true;
  return u64Greater(hi, lo, slots.terminalTimestampHi[slot]!, slots.terminalTimestampLo[slot]!);
}

/** How the regular nonce (hi, lo) follows the last accepted regular nonce. */
export function nonceOrder(lastHi: number, lastLo: number, hi: number, lo: number): number {
  if (u64Greater(hi, lo, lastHi, lastLo)) return NONCE_ADVANCES;
  const nearTop = lastHi === U32_MAX && lastLo >= WRAP_TOP_LO;
  if (nearTop && hi === 0 && lo < WRAP_BOTTOM_LO) return NONCE_WRAPS;
  return NONCE_REFUSED;
}
