// The columns of the tracker: one row per watched process, rows 0..len-1 dense, all typed arrays made once (spec 03
// section 2). NaN in a f64 column means unknown. Whoever keeps a slot number across a record or a drain keeps a lie:
// removal moves the last row into the hole.
import { IP_WORDS } from "../base/ip_text.ts";
import { U32_MAX } from "../base/u64.ts";
import { REFUSAL_COLUMN, REFUSAL_COLUMNS } from "./refusals.ts";

/** At least one regular (not terminal) nonce was accepted. */
export const SLOT_HAS_REGULAR_NONCE = 1;
/** `terminalTimestamp*` holds the highest terminal timestamp so far. */
export const SLOT_HAS_TERMINAL_TIMESTAMP = 2;
/** The latch: the stall of the current silence run was surfaced. */
export const SLOT_STALL_EMITTED = 4;
/**
 * The process of `generation` has sent a beat itself: it did not merely take over the pid of who sent it. Set by the
 * observer; a fresh slot is not proven.
 */
export const SLOT_PROVEN = 8;
/** No beat has come since the one that took the slot. */
export const SLOT_BEAT_ONCE = 16;
/** Beats were refused since the last accepted one. */
export const SLOT_HAS_REFUSALS = 32;
/** It beats by plain UDP, from `source`. */
export const SLOT_HAS_SOURCE = 64;

/** `lane` of a slot that is given to no member. */
export const LANE_NONE = 255;
/** `prev` of a slot that waits for no deadline. */
export const LINK_NONE = -2;

export class Slots {
  readonly capacity: number;
  readonly pid: Uint32Array;
  /** Under which the index has it: the pid, unless another source holds that, see member_key.ts. */
  readonly key: Uint32Array;
  /**
   * IP_WORDS for each slot: where its beats come from, valid with SLOT_HAS_SOURCE; written by the
   * observer.
   */
  readonly source: Uint32Array;
  /** Observer time of the last accepted beat. */
  readonly lastNs: Float64Array;
  /** Beats taken ahead of the rate as of `lastNs`, see BeatAllowance; written by the observer. */
  readonly debt: Float64Array;
  /** Status and payload of the last accepted beat. */
  readonly status: Uint8Array;
  readonly payload: Uint32Array;
  /** Listener of the last accepted beat; written by the observer. */
  readonly listener: Uint8Array;
  /** Pinned trust class. */
  readonly origin: Uint8Array;
  /** Pinned pid namespace; 0 = foreign with its inode hidden. */
  readonly namespaceInode: Float64Array;
  /** Pinned start time of the process in clock ticks. */
  readonly generation: Float64Array;
  /** Uid that the kernel attested for the beat that took the slot; NaN = none. */
  readonly uid: Float64Array;
  /** Observer time of the last identity look-up; written by the observer; -Infinity in a fresh slot. */
  readonly identityReadNs: Float64Array;
  /** Last accepted regular nonce, valid with SLOT_HAS_REGULAR_NONCE. */
  readonly lastNonceHi: Uint32Array;
  readonly lastNonceLo: Uint32Array;
  /** Last accepted nonce of any kind. */
  readonly observedNonceHi: Uint32Array;
  readonly observedNonceLo: Uint32Array;
  /** Valid with SLOT_HAS_TERMINAL_TIMESTAMP. */
  readonly terminalTimestampHi: Uint32Array;
  readonly terminalTimestampLo: Uint32Array;
  /** Timestamp of the last accepted regular beat. */
  readonly timestampHi: Uint32Array;
  readonly timestampLo: Uint32Array;
  /**
   * Length and last nonce of a run of rising numbers from 1 that were refused, see numbering.ts; as
   * `refused`.
   */
  readonly runCount: Uint8Array;
  readonly runNonce: Uint32Array;
  /**
   * Beats refused since the last accepted one, REFUSAL_COLUMNS for each slot; valid with
   * SLOT_HAS_REFUSALS.
   */
  readonly refused: Uint32Array;
  /**
   * Observer time of the last refused beat that showed the member alive; -Infinity = none since the
   * last accepted one.
   */
  readonly aliveNs: Float64Array;
  readonly flags: Uint8Array;
  /**
   * The lane that has the member's threshold, and the links in it, -1 = end; `prev` is LINK_NONE
   * while the slot waits for no deadline. Written by DeadlineLanes only.
   */
  readonly lane: Uint8Array;
  readonly prev: Int32Array;
  readonly next: Int32Array;
  /** The row of the uid and the links of its list; written by UidShare only. -1 = end. */
  readonly holder: Uint16Array;
  readonly newer: Int32Array;
  readonly older: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.pid = new Uint32Array(capacity);
    this.key = new Uint32Array(capacity);
    this.source = new Uint32Array(capacity * IP_WORDS);
    this.lastNs = new Float64Array(capacity);
    this.debt = new Float64Array(capacity);
    this.status = new Uint8Array(capacity);
    this.payload = new Uint32Array(capacity);
    this.listener = new Uint8Array(capacity);
    this.origin = new Uint8Array(capacity);
    this.namespaceInode = new Float64Array(capacity);
    this.generation = new Float64Array(capacity);
    this.uid = new Float64Array(capacity);
    this.identityReadNs = new Float64Array(capacity);
    this.lastNonceHi = new Uint32Array(capacity);
    this.lastNonceLo = new Uint32Array(capacity);
    this.observedNonceHi = new Uint32Array(capacity);
    this.observedNonceLo = new Uint32Array(capacity);
    this.terminalTimestampHi = new Uint32Array(capacity);
    this.terminalTimestampLo = new Uint32Array(capacity);
    this.timestampHi = new Uint32Array(capacity);
    this.timestampLo = new Uint32Array(capacity);
    this.runCount = new Uint8Array(capacity);
    this.runNonce = new Uint32Array(capacity);
    this.refused = new Uint32Array(capacity * REFUSAL_COLUMNS);
    this.aliveNs = new Float64Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.lane = new Uint8Array(capacity);
    this.prev = new Int32Array(capacity);
    this.next = new Int32Array(capacity);
    this.holder = new Uint16Array(capacity);
    this.newer = new Int32Array(capacity);
    this.older = new Int32Array(capacity);
  }

  isLatched(slot: number): boolean {
    return (this.flags[slot]! & SLOT_STALL_EMITTED) !== 0;
  }

  /**
   * Counts a refused beat of the member for a reject reason; `isAlive`: it shows that the member
   * is.
   */
  refuse(slot: number, rejected: number, isAlive: boolean, nowNs: number): void {
    const column = REFUSAL_COLUMN[rejected]!;
    if (column < 0) return;
    if ((this.flags[slot]! & SLOT_HAS_REFUSALS) === 0) this.#clearRefusals(slot);
    const at = slot * REFUSAL_COLUMNS + column;
    if (this.refused[at]! < U32_MAX) this.refused[at]! += 1;
    if (isAlive) this.aliveNs[slot] = nowNs;
  }

  /** Forgets the refused beats: one was accepted, or the slot is given away. */
  forgetRefusals(slot: number): void {
    this.flags[slot]! &= ~SLOT_HAS_REFUSALS;
  }

  /** Writes the REFUSAL_COLUMNS counts of `slot` to `to` from index `at` on. */
  copyRefusals(slot: number, to: Uint32Array, at: number): void {
    const isEmpty = (this.flags[slot]! & SLOT_HAS_REFUSALS) === 0;
    const row = slot * REFUSAL_COLUMNS;
    for (let column = 0; column < REFUSAL_COLUMNS; column++)
      to[at + column] = isEmpty ? 0 : this.refused[row + column]!;
  }

  /** True if a beat was refused later than `sinceNs` that showed the member alive. */
  isAliveSince(slot: number, sinceNs: number): boolean {
    return (this.flags[slot]! & SLOT_HAS_REFUSALS) !== 0 && this.aliveNs[slot]! > sinceNs;
  }

  // Only when the first one comes: most slots never have any, and their columns are never touched.
  #clearRefusals(slot: number): void {
    const row = slot * REFUSAL_COLUMNS;
    this.refused.fill(0, row, row + REFUSAL_COLUMNS);
    this.aliveNs[slot] = Number.NEGATIVE_INFINITY;
    this.runCount[slot] = 0;
    this.flags[slot]! |= SLOT_HAS_REFUSALS;
  }

  hasSource(slot: number): boolean {
    return (this.flags[slot]! & SLOT_HAS_SOURCE) !== 0;
  }

  /** Notes that the beats of `slot` come from the address at index `at` of `sources`. */
  setSource(slot: number, sources: Uint32Array, at: number): void {
    for (let word = 0; word < IP_WORDS; word++)
      this.source[slot * IP_WORDS + word] = sources[at + word]!;
    this.flags[slot]! |= SLOT_HAS_SOURCE;
  }

  prove(slot: number): void {
    this.flags[slot]! |= SLOT_PROVEN;
  }

  isProven(slot: number): boolean {
    return (this.flags[slot]! & SLOT_PROVEN) !== 0;
  }

  /**
   * Copies row `from` over row `to`, links included: `moved` of DeadlineLanes and of UidShare must
   * follow.
   */
  copyRow(from: number, to: number): void {
    this.pid[to] = this.pid[from]!;
    this.key[to] = this.key[from]!;
    this.source.copyWithin(to * IP_WORDS, from * IP_WORDS, (from + 1) * IP_WORDS);
    this.lastNs[to] = this.lastNs[from]!;
    this.debt[to] = this.debt[from]!;
    this.status[to] = this.status[from]!;
    this.payload[to] = this.payload[from]!;
    this.listener[to] = this.listener[from]!;
    this.origin[to] = this.origin[from]!;
    this.namespaceInode[to] = this.namespaceInode[from]!;
    this.generation[to] = this.generation[from]!;
    this.uid[to] = this.uid[from]!;
    this.identityReadNs[to] = this.identityReadNs[from]!;
    this.lastNonceHi[to] = this.lastNonceHi[from]!;
    this.lastNonceLo[to] = this.lastNonceLo[from]!;
    this.observedNonceHi[to] = this.observedNonceHi[from]!;
    this.observedNonceLo[to] = this.observedNonceLo[from]!;
    this.terminalTimestampHi[to] = this.terminalTimestampHi[from]!;
    this.terminalTimestampLo[to] = this.terminalTimestampLo[from]!;
    this.timestampHi[to] = this.timestampHi[from]!;
    this.timestampLo[to] = this.timestampLo[from]!;
    this.runCount[to] = this.runCount[from]!;
    this.runNonce[to] = this.runNonce[from]!;
    const row = from * REFUSAL_COLUMNS;
    this.refused.copyWithin(to * REFUSAL_COLUMNS, row, row + REFUSAL_COLUMNS);
    this.aliveNs[to] = this.aliveNs[from]!;
    this.flags[to] = this.flags[from]!;
    this.lane[to] = this.lane[from]!;
    this.prev[to] = this.prev[from]!;
    this.next[to] = this.next[from]!;
    this.holder[to] = this.holder[from]!;
    this.newer[to] = this.newer[from]!;
    this.older[to] = this.older[from]!;
  }
}
