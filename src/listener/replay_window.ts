// Whether an authentic frame is new (spec 02 section 5): the state machine of one sender over the columns of the sender
// table. Its key is the pid inside the frame; where a datagram came from means nothing, since whoever captured it can send
// it from anywhere. A refusal leaves the state as it is.
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

/** What the state machine looks at in a frame, beside the sender's state; one object for all frames. */
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

/** First frame of a sender, or of one that restarted: the state begins with it and knows nothing else. */
export function beginWindow(table: SenderTable, slot: number, arrival: Arrival): void {
  table.ivLow[slot] = arrival.ivLow;
  table.ivHigh[slot] = arrival.ivHigh;
  table.lastCounter[slot] = arrival.counter;
  table.previousIvLow[slot] = 0;
  table.previousIvHigh[slot] = 0;
  table.previousLastCounter[slot] = 0;
  table.nonceMaxHi[slot] = 0;
  table.nonceMaxLo[slot] = 0;
  table.terminalSeen[slot] = 0;
  observe(table, slot, arrival);
}

/** True if the frame of a known sender is new; the state has then moved on. */
export function advanceWindow(
  table: SenderTable,
  slot: number,
  arrival: Arrival,
  restartGapNs: number,
): boolean {
  const { ivLow, ivHigh, counter } = arrival;
  if (ivLow === table.ivLow[slot]! && ivHigh === table.ivHigh[slot]!) {
    if (counter <= table.lastCounter[slot]!) return false;
    table.lastCounter[slot] = counter;
    observe(table, slot, arrival);
    return true;
  }
  // One prefix back, for frames that overtook each other while the sender changed its prefix.
  if (ivLow === table.previousIvLow[slot]! && ivHigh === table.previousIvHigh[slot]!) {
    if (counter <= table.previousLastCounter[slot]!) return false;
    table.previousLastCounter[slot] = counter;
    observe(table, slot, arrival);
    return true;
  }
  if (isNewest(table, slot, arrival)) {
    rotate(table, slot, arrival);
    observe(table, slot, arrival);
    return true;
  }
  if (!mayRestart(table, slot, arrival, restartGapNs)) return false;
  beginWindow(table, slot, arrival);
  return true;
}

// A prefix that fell out of the history is told from a new one by what the agent itself counts: the nonce, or the
// timestamp of a terminal frame, whose nonce is always the same.
function isNewest(table: SenderTable, slot: number, arrival: Arrival): boolean {
  const { words, w } = arrival;
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

function rotate(table: SenderTable, slot: number, arrival: Arrival): void {
  table.previousIvLow[slot] = table.ivLow[slot]!;
  table.previousIvHigh[slot] = table.ivHigh[slot]!;
  table.previousLastCounter[slot] = table.lastCounter[slot]!;
  table.ivLow[slot] = arrival.ivLow;
  table.ivHigh[slot] = arrival.ivHigh;
  table.lastCounter[slot] = arrival.counter;
}

// A new process under an old pid counts from the beginning, exactly as an old frame would: only silence tells them apart.
// Never for a terminal frame, which would take the high-water mark of the nonces with it.
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
  else observeNonce(table, slot, words[w + WORD_NONCE_HI]!, words[w + WORD_NONCE_LO]!);
  table.lastSeenInstantNs[slot] = arrival.instantNs;
  table.lastSeenNs[slot] = arrival.nowNs;
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
