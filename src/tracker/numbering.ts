// Agents that number their beats from the beginning again although their process is the same: one
// that replaced itself by exec, or one that was restarted on another host. To the order of nonces
// all their beats are old, so the agent would look silent while it beats. What tells them from old
// beats is the clock of the agent, where kernel or key vouch for the sender, and else a run of
// rising numbers that begins at 1 (spec 03 section 4.4).
import { u64Greater } from "../base/u64.ts";
import { type Datagram, VOUCHED_BY_KEY, VOUCHED_NOT } from "../events/datagram.ts";
import { SLOT_HAS_REFUSALS, type Slots, type SlotsView } from "./slots.ts";

/**
 * Rising numbers from 1 that are a restart: two could be old datagrams which a network delivered
 * late.
 */
const RESTART_RUN = 3;

/**
 * True if a datagram, whose nonce is too low for its slot, begins a numbering again. What the
 * kernel vouches for may do so by both rules, since no other process can have sent it; what a key
 * vouches for by the clock alone, since a run may have been recorded; and all else by a run from 1.
 * Changes nothing.
 */
export function beginsAnew(slots: SlotsView, datagram: Datagram): boolean {
  const { vouched } = datagram;
  if (datagram.isTerminal) return false;
  if (vouched !== VOUCHED_NOT && clockWentOn(slots, datagram)) return true;
  if (vouched === VOUCHED_BY_KEY) return false;
  return runAfter(slots, datagram) >= RESTART_RUN;
}

/**
 * A datagram whose nonce was too low for its slot was refused, and counted so: the run goes on,
 * begins or ends.
 */
export function followRun(slots: Slots, datagram: Datagram): void {
  const { slot } = datagram;
  slots.runCount[slot] = runAfter(slots, datagram);
  slots.runNonce[slot] = datagram.nonceLo;
}

function clockWentOn(slots: SlotsView, { slot, timestampHi, timestampLo }: Datagram): boolean {
  return u64Greater(timestampHi, timestampLo, slots.timestampHi[slot]!, slots.timestampLo[slot]!);
}

/** Length of the run that ends with this datagram; 0 = it belongs to none. */
function runAfter(slots: SlotsView, { slot, nonceHi, nonceLo }: Datagram): number {
  if (nonceHi !== 0) return 0;
  if (nonceLo === 1) return 1;
  const count = (slots.flags[slot]! & SLOT_HAS_REFUSALS) === 0 ? 0 : slots.runCount[slot]!;
  return count > 0 && nonceLo > slots.runNonce[slot]! ? count + 1 : 0;
}
