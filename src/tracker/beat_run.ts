// The steady state of the tracker: kernel-attested beats, one after the other, of agents that it
// knows and that nothing is wrong with. They are nearly all beats, so they are taken in one loop
// over plain views, which the engine checks once per run instead of once per beat (measured: 15 ns
// per beat with its look-up, against 50 ns by `record`). The first frame that needs a decision ends
// the run: nothing here refuses, counts or removes, and `record` would have done the same.
import { BATCH_SIZE } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { U32_MAX } from "../base/u64.ts";
import {
  WORD_HEAD,
  WORD_NONCE_HI,
  WORD_NONCE_LO,
  WORD_PAYLOAD,
  WORD_TIMESTAMP_HI,
  WORD_TIMESTAMP_LO,
} from "../wire/frame.ts";
import { BeatAllowance } from "./beat_allowance.ts";
import type { SlotTable } from "./slot_table.ts";
import {
  SLOT_BEAT_ONCE,
  GRACE_LENT,
  SLOT_HAS_REFUSALS,
  SLOT_HAS_REGULAR_NONCE,
  SLOT_PROVEN,
  SLOT_STALL_EMITTED,
} from "./slots.ts";

/**
 * For `record` is an agent without a number before it, one that may be another than the sender, a
 * second beat, one that was reported silent, and the first beat after refused ones, a goodbye
 * or a word that moved its judgement.
 */
const STEADY = SLOT_HAS_REGULAR_NONCE | SLOT_PROVEN;
const LOOKED_AT = STEADY | SLOT_BEAT_ONCE | SLOT_STALL_EMITTED | SLOT_HAS_REFUSALS | GRACE_LENT;

/** A received batch as the tracker reads it: columns by datagram, and what all of them share. */
export class BeatRun {
  words: Uint32Array = new Uint32Array(0);
  /** Word offset of the frame of datagram i. */
  frameWord = new Uint32Array(BATCH_SIZE);
  /** Pid of the frame, which the kernel attests; 0 = the datagram is not for this loop. */
  readonly pid = new Uint32Array(BATCH_SIZE);
  /**
   * Slot of the pid when the batch came in, -1 if none. It is compared with its row before it is
   * used.
   */
  readonly slot = new Int32Array(BATCH_SIZE);
  listenerNumber = 0;
  nowNs = 0;
  allowance = new BeatAllowance(0);
  /** The pid namespace in which a pinned agent must be. */
  namespaceInode = Number.NaN;
}

/** Takes datagrams `from` up to `to` of `run` while they are steady; returns how many. */
export function refreshRun(table: SlotTable, run: BeatRun, from: number, to: number): number {
  const { words, frameWord, listenerNumber, nowNs } = run;
  const { ratePerSecond, beatCost, debtMax } = run.allowance;
  const runPid = run.pid;
  const runSlot = run.slot;
  const ownInode = run.namespaceInode;
  const { pid, lastNs, debt, status, payload, listener, origin, flags } = table.slots;
  const { namespaceInode, generation } = table.slots;
  const { lastNonceHi, lastNonceLo, observedNonceHi, observedNonceLo } = table.slots;
  const { timestampHi, timestampLo, beats, lane: laneOf, prev, next } = table.slots;
  const { head, tail: tails, steadyNs: steadyOf } = table.lanes;
  const { len } = table;
  // The lane in hand, whose tail is the youngest of its members, is written back when a member of
  // another one comes.
  let lane = -1;
  let tail = -1;
  let steadyNs = 0;
  let i = from;
  for (; i < to; i++) {
    const slot = runSlot[i]!;
    if (slot < 0 || slot >= len || pid[slot]! !== runPid[i]!) break;
    if ((flags[slot]! & LOOKED_AT) !== STEADY) break;
    if (origin[slot]! !== ORIGIN_KERNEL_ATTESTED || namespaceInode[slot]! !== ownInode) break;
    if (Number.isNaN(generation[slot]!)) break;
    if (laneOf[slot]! !== lane) {
      if (lane >= 0) {
        next[tail] = -1;
        tails[lane] = tail;
      }
      lane = laneOf[slot]!;
      tail = tails[lane]!;
      steadyNs = steadyOf[lane]!;
      if (nowNs < lastNs[tail]!) break;
    }
    const silenceNs = nowNs - lastNs[slot]!;
    if (!(silenceNs >= 0 && silenceNs < steadyNs)) break;
    // As BeatAllowance.debtAfter.
    const left = debt[slot]! - silenceNs * ratePerSecond;
    const debtAfter = (left > 0 ? left : 0) + beatCost;
    if (debtAfter > debtMax) break;

    const w = frameWord[i]!;
    const hi = words[w + WORD_NONCE_HI]!;
    const lo = words[w + WORD_NONCE_LO]!;
    const lastHi = lastNonceHi[slot]!;
    if (hi === U32_MAX || hi < lastHi || (hi === lastHi && lo <= lastNonceLo[slot]!)) break;

    lastNs[slot] = nowNs;
    debt[slot] = debtAfter;
    lastNonceHi[slot] = hi;
    lastNonceLo[slot] = lo;
    observedNonceHi[slot] = hi;
    observedNonceLo[slot] = lo;
    timestampHi[slot] = words[w + WORD_TIMESTAMP_HI]!;
    timestampLo[slot] = words[w + WORD_TIMESTAMP_LO]!;
    status[slot] = words[w + WORD_HEAD]! >>> 24;
    payload[slot] = words[w + WORD_PAYLOAD]!;
    listener[slot] = listenerNumber;
    beats[slot]! += 1;
    if (slot === tail) continue;
    // The move to the tail of DeadlineLanes.beat.
    const before = prev[slot]!;
    const after = next[slot]!;
    if (before < 0) head[lane] = after;
    else next[before] = after;
    prev[after] = before;
    next[tail] = slot;
    prev[slot] = tail;
    tail = slot;
  }
  if (lane >= 0) {
    next[tail] = -1;
    tails[lane] = tail;
  }
  return i - from;
}
