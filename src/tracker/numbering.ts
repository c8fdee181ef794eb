// Agents that number their beats from the beginning again although their process is the same: one
// that replaced itself by exec, or one that was restarted on another host. To the order of nonces
// all their beats are old, so the agent would look silent while it beats. What tells them from old
// beats is the clock of the agent, where kernel or key vouch for the sender, and else a run of
// rising numbers that begins at 1 (spec 03 section 4.4).
import { RESTART_RUN } from "../base/limits.ts";
import { u64Greater } from "../base/u64.ts";
import {
  frameIsTerminal,
  WORD_NONCE_HI,
  WORD_NONCE_LO,
  WORD_TIMESTAMP_HI,
  WORD_TIMESTAMP_LO,
} from "../wire/frame.ts";
import { SLOT_HAS_REFUSALS, type Slots } from "./slots.ts";

/** Nobody vouches for the sender: a run from 1 is all there is. */
export const VOUCHED_NOT = 0;
/** The kernel names the sender: both rules hold, since nobody else can have sent the frame. */
export const VOUCHED_BY_KERNEL = 1;
/** The sender has a key: the clock alone, since anybody may have recorded a run. */
export const VOUCHED_BY_KEY = 2;

/**
 * True if the frame at word `w`, whose nonce is too low for `slot`, begins a numbering anew.
 * Changes nothing.
 */
export function beginsAnew(
  slots: Slots,
  slot: number,
  words: Uint32Array,
  w: number,
  vouched: number,
): boolean {
  if (frameIsTerminal(words, w)) return false;
  if (vouched !== VOUCHED_NOT && clockWentOn(slots, slot, words, w)) return true;
  if (vouched === VOUCHED_BY_KEY) return false;
  return runAfter(slots, slot, words, w) >= RESTART_RUN;
}

/**
 * A frame whose nonce was too low for `slot` was refused, and counted so: the run goes on, begins
 * or ends.
 */
export function followRun(slots: Slots, slot: number, words: Uint32Array, w: number): void {
  slots.runCount[slot] = runAfter(slots, slot, words, w);
  slots.runNonce[slot] = words[w + WORD_NONCE_LO]!;
}

function clockWentOn(slots: Slots, slot: number, words: Uint32Array, w: number): boolean {
  const hi = words[w + WORD_TIMESTAMP_HI]!;
  const lo = words[w + WORD_TIMESTAMP_LO]!;
  return u64Greater(hi, lo, slots.timestampHi[slot]!, slots.timestampLo[slot]!);
}

/** Length of the run that ends with this frame; 0 = it belongs to none. */
function runAfter(slots: Slots, slot: number, words: Uint32Array, w: number): number {
  if (words[w + WORD_NONCE_HI]! !== 0) return 0;
  const lo = words[w + WORD_NONCE_LO]!;
  if (lo === 1) return 1;
  const count = (slots.flags[slot]! & SLOT_HAS_REFUSALS) === 0 ? 0 : slots.runCount[slot]!;
  return count > 0 && lo > slots.runNonce[slot]! ? count + 1 : 0;
}
