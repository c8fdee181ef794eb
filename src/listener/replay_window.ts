// Whether an authentic frame is new (spec 02 section 5): the state machine of one sender over the
// columns of the sender table. Its key is the pid inside the frame; where a datagram came from
// means nothing, since what was captured can be sent from anywhere. A refusal leaves the state as
// it is.
import { saturatingSub } from "../base/saturating.ts";
import { u64Greater } from "../base/u64.ts";
import {
  frameIsTerminal,
  WORD_NONCE_HI,
  WORD_NONCE_LO,
  WORD_TIMESTAMP_HI,
  WORD_TIMESTAMP_LO,
} from "../wire/frame.ts";
import type { SenderTable } from "./sender_table.ts";

/**
 * What the state machine reads in a frame, beside the sender's state; one object for all frames.
 */
export class Arrival {
  ivLow = 0;
  ivHigh = 0;
  counter = 0;
  /** The frame lies at word `w` of `words`. */
  words: Uint32Array;
  w = 0;
  /** Instant of the listener's own clock. */
  instantNs = 0;
  /** The observer's clock. */
  nowNs = 0;

  constructor(words: Uint32Array) {
    this.words = words;
  }
}

/**
 * First frame of a sender, or of a new session of it: the state begins with it and knows nothing
 * else.
 */
export function beginWindow(table: SenderTable, slot: number, arrival: Arrival): void {
  begin(table, slot, arrival);
  observe(table, slot, arrival);
}

/** The same with a hello or a bye, which says nothing of the nonces and the clock of its sender. */
export function beginControlWindow(table: SenderTable, slot: number, arrival: Arrival): void {
  begin(table, slot, arrival);
  touch(table, slot, arrival);
}

/**
 * True if the hello or bye of a known sender is new, by the counter of a session that is known. It
 * has no clock, so it never begins a session: the first beat does.
 */
export function advanceControlWindow(table: SenderTable, slot: number, arrival: Arrival): boolean {
  if (counterOrder(table, slot, arrival) <= 0) return false;
  touch(table, slot, arrival);
  return true;
}

function begin(table: SenderTable, slot: number, arrival: Arrival): void {
  table.ivLow[slot] = arrival.ivLow;
  table.ivHigh[slot] = arrival.ivHigh;
  table.lastCounter[slot] = arrival.counter;
  table.previousIvLow[slot] = 0;
  table.previousIvHigh[slot] = 0;
  table.previousLastCounter[slot] = 0;
  table.nonceMaxHi[slot] = 0;
  table.nonceMaxLo[slot] = 0;
  table.timestampMaxHi[slot] = 0;
  table.timestampMaxLo[slot] = 0;
  table.terminalSeen[slot] = 0;
}

/**
 * True if the frame of a known sender is new; the state has then moved on. `restartGapNs` of
 * +Infinity: no sender may begin again by silence alone.
 */
export function advanceWindow(
  table: SenderTable,
  slot: number,
  arrival: Arrival,
  restartGapNs: number,
): boolean {
  const { ivLow, ivHigh } = arrival;
  const order = counterOrder(table, slot, arrival);
  if (order !== 0) {
    if (order > 0) observe(table, slot, arrival);
    return order > 0;
  }
  if (table.retired.has(ivLow, ivHigh)) return false;
  if (isNewest(table, slot, arrival)) {
    rotate(table, slot, arrival);
    observe(table, slot, arrival);
    return true;
  }
  const isOver = table.rotated.has(ivLow, ivHigh);
  const isNew = !isOver && mayRestart(table, slot, arrival, restartGapNs);
  if (!hasRestarted(table, slot, arrival) && !isNew) return false;
  retire(table, slot);
  beginWindow(table, slot, arrival);
  return true;
}

/**
 * 1 if the counter is above that of its prefix, which it then is; -1 if not; 0 = the prefix is not
 * known.
 */
function counterOrder(table: SenderTable, slot: number, arrival: Arrival): number {
  const { ivLow, ivHigh, counter } = arrival;
  if (ivLow === table.ivLow[slot]! && ivHigh === table.ivHigh[slot]!) {
    if (counter <= table.lastCounter[slot]!) return -1;
    table.lastCounter[slot] = counter;
    return 1;
  }
  // One prefix back, for frames that overtook each other while the sender changed its prefix.
  if (ivLow !== table.previousIvLow[slot]! || ivHigh !== table.previousIvHigh[slot]!) return 0;
  if (counter <= table.previousLastCounter[slot]!) return -1;
  table.previousLastCounter[slot] = counter;
  return 1;
}

// A prefix that is not known is new or old by what the agent itself counts: the nonce, or
// the timestamp of a terminal frame, whose nonce is always the same. Its clock must not have gone
// back meanwhile: the nonces of a session that was recorded may be above those of the present one.
function isNewest(table: SenderTable, slot: number, arrival: Arrival): boolean {
  const { words, w } = arrival;
  if (timestampOrder(table, slot, arrival) < 0) return false;
  if (frameIsTerminal(words, w))
    return (
      table.terminalSeen[slot] === 0 ||
      u64Greater(
        words[w + WORD_TIMESTAMP_HI]!,
        words[w + WORD_TIMESTAMP_LO]!,
        table.terminalTimestampHi[slot]!,
        table.terminalTimestampLo[slot]!,
      )
    );
  return u64Greater(
    words[w + WORD_NONCE_HI]!,
    words[w + WORD_NONCE_LO]!,
    table.nonceMaxHi[slot]!,
    table.nonceMaxLo[slot]!,
  );
}

// A new process on the same machine numbers from the beginning, but the clock of the machine went
// on: no frame of before can have a later timestamp.
function hasRestarted(table: SenderTable, slot: number, arrival: Arrival): boolean {
  return !frameIsTerminal(arrival.words, arrival.w) && timestampOrder(table, slot, arrival) > 0;
}

/**
 * 1, 0 or -1: whether the frame is later than every one seen that was not terminal, as late as the
 * latest, or earlier.
 */
function timestampOrder(table: SenderTable, slot: number, { words, w }: Arrival): number {
  const hi = words[w + WORD_TIMESTAMP_HI]!;
  const lo = words[w + WORD_TIMESTAMP_LO]!;
  const maxHi = table.timestampMaxHi[slot]!;
  const maxLo = table.timestampMaxLo[slot]!;
  if (u64Greater(hi, lo, maxHi, maxLo)) return 1;
  return hi === maxHi && lo === maxLo ? 0 : -1;
}

/** The sessions that the state knows are over: what comes of them from now on is a recording. */
function retire(table: SenderTable, slot: number): void {
  table.retired.add(table.ivLow[slot]!, table.ivHigh[slot]!);
  table.retired.add(table.previousIvLow[slot]!, table.previousIvHigh[slot]!);
}

function rotate(table: SenderTable, slot: number, arrival: Arrival): void {
  table.rotated.add(table.previousIvLow[slot]!, table.previousIvHigh[slot]!);
  table.previousIvLow[slot] = table.ivLow[slot]!;
  table.previousIvHigh[slot] = table.ivHigh[slot]!;
  table.previousLastCounter[slot] = table.lastCounter[slot]!;
  table.ivLow[slot] = arrival.ivLow;
  table.ivHigh[slot] = arrival.ivHigh;
  table.lastCounter[slot] = arrival.counter;
}

// A new process under an old pid on another or a rebooted machine counts and dates from the
// beginning, exactly as an old frame would: only silence tells them apart. Never for a terminal
// frame, which would take the high-water mark of the nonces with it.
function mayRestart(
  table: SenderTable,
  slot: number,
  arrival: Arrival,
  restartGapNs: number,
): boolean {
  if (frameIsTerminal(arrival.words, arrival.w)) return false;
  return saturatingSub(arrival.nowNs, table.lastSeenNs[slot]!) >= restartGapNs;
}

function observe(table: SenderTable, slot: number, arrival: Arrival): void {
  const { words, w } = arrival;
  if (frameIsTerminal(words, w)) observeTerminal(table, slot, words, w);
  else {
    observeNonce(table, slot, words[w + WORD_NONCE_HI]!, words[w + WORD_NONCE_LO]!);
    observeTimestamp(table, slot, arrival);
  }
  touch(table, slot, arrival);
}

function touch(table: SenderTable, slot: number, { instantNs, nowNs }: Arrival): void {
  table.lastSeenInstantNs[slot] = instantNs;
  table.lastSeenNs[slot] = nowNs;
}

function observeTerminal(table: SenderTable, slot: number, words: Uint32Array, w: number): void {
  const hi = words[w + WORD_TIMESTAMP_HI]!;
  const lo = words[w + WORD_TIMESTAMP_LO]!;
  const maxHi = table.terminalTimestampHi[slot]!;
  const maxLo = table.terminalTimestampLo[slot]!;
  if (table.terminalSeen[slot] === 1 && !u64Greater(hi, lo, maxHi, maxLo)) return;
  table.terminalSeen[slot] = 1;
  table.terminalTimestampHi[slot] = hi;
  table.terminalTimestampLo[slot] = lo;
}

function observeNonce(table: SenderTable, slot: number, hi: number, lo: number): void {
  if (!u64Greater(hi, lo, table.nonceMaxHi[slot]!, table.nonceMaxLo[slot]!)) return;
  table.nonceMaxHi[slot] = hi;
  table.nonceMaxLo[slot] = lo;
}

function observeTimestamp(table: SenderTable, slot: number, arrival: Arrival): void {
  if (timestampOrder(table, slot, arrival) <= 0) return;
  const { words, w } = arrival;
  table.timestampMaxHi[slot] = words[w + WORD_TIMESTAMP_HI]!;
  table.timestampMaxLo[slot] = words[w + WORD_TIMESTAMP_LO]!;
}
