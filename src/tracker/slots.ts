// The columns of the tracker: one row per watched process, rows 0..len-1 dense, all typed arrays
// made once (spec 03 section 2). NaN in a f64 column means unknown. A slot number that is kept
// across a record or a drain may be another member's: removal moves the last row into the hole.
import { RULE_NONE } from "../agents/rules.ts";
import { IP_WORDS, ipText } from "../base/ip_text.ts";
import { U32_MAX } from "../base/u64.ts";
import type { Datagram } from "../events/datagram.ts";
import type { RefusalCount } from "../events/stall.ts";
import {
  columnTable,
  f64,
  fresh,
  i32,
  u16,
  u32,
  u8,
  type ReadonlyColumns,
} from "../tables/columns.ts";
import { REFUSAL_COLUMN, REFUSAL_COLUMNS, refusalCounts } from "./refusals.ts";

/** At least one regular (not terminal) nonce was accepted. */
export const SLOT_HAS_REGULAR_NONCE = 1;
/** `terminalTimestamp*` holds the highest terminal timestamp so far. */
export const SLOT_HAS_TERMINAL_TIMESTAMP = 2;
/** The latch: the stall of the current silence run was surfaced. */
export const SLOT_STALL_EMITTED = 4;
/**
 * The process of `generation` has sent a beat itself: it did not merely take over the pid of who
 * sent it. A fresh slot is not proven.
 */
export const SLOT_PROVEN = 8;
/** No beat has come since the one that took the slot. */
export const SLOT_BEAT_ONCE = 16;
/** Beats were refused since the last accepted one. */
export const SLOT_HAS_REFUSALS = 32;
/** It beats by plain UDP, from `source`. */
export const SLOT_HAS_SOURCE = 64;
/** Its process has ended; it waits for its deadline, or for its recovery. */
export const SLOT_ENDED = 128;
/** It has said that it is about to end, and has not beaten since. */
export const SLOT_GOODBYE = 256;
/** It has said hello, and has not beaten yet: it owes no beats before its first one. */
export const SLOT_UNBEATEN = 512;
/** Its next judgement was moved at its own word. */
export const SLOT_MOVED = 1024;
/** It got stricter terms, and no silence of before is judged by them. */
const SLOT_MERCY = 2048;
/** It is to be judged as soon as its grace is over, whatever its silence is. */
export const SLOT_TRIGGERED = 4096;

const OWES_NO_BEATS = SLOT_GOODBYE | SLOT_UNBEATEN;
const IS_ABSENT = OWES_NO_BEATS | SLOT_ENDED;
const BEATS_NOT = IS_ABSENT | SLOT_STALL_EMITTED;
/** While it has one of them, its grace is none by its rule. */
export const GRACE_LENT = OWES_NO_BEATS | SLOT_MOVED | SLOT_MERCY | SLOT_TRIGGERED;

/** `lane` of a slot that is given to no member. */
export const LANE_NONE = 0xffff;
/** `prev` of a slot that waits for no deadline. */
export const LINK_NONE = -2;
/** `gracePlace` of a slot that is not in the heap of graces. */
export const PLACE_NONE = 0xffff_ffff;

/** Said once: a column is made, moved with its slot and, where it says so, made fresh from here. */
export const SLOT_COLUMNS = {
  pid: u32(),
  /** Under which the index has it: the pid, unless another source holds that, see member_key.ts. */
  key: u32(),
  /** Number of its agent, see agent_table.ts, and index of its rule. */
  agent: u32(),
  rule: fresh(RULE_NONE, u16()),
  /** Where its beats come from, valid with SLOT_HAS_SOURCE or `hasAddress`. */
  source: u32(IP_WORDS),
  /** 1 = a key vouches for it, and its first beat came from `source`. */
  hasAddress: fresh(0, u8()),
  /** Observer time of the last accepted beat. */
  lastNs: f64(),
  /**
   * Of its first beat, and when it may be judged, both without pauses; -Infinity = at any time. And
   * its place in the heap of graces. Written by DeadlineLanes and GraceHeap only.
   */
  firstNs: f64(),
  graceEndNs: fresh(Number.NEGATIVE_INFINITY, f64()),
  gracePlace: fresh(PLACE_NONE, u32()),
  /** How long its grace is by its rule; 0 as long as nobody has looked at it. */
  graceNs: fresh(0, f64()),
  /**
   * Observer time of its goodbye, valid with SLOT_GOODBYE; and the end of the grace that it has by
   * its rule, valid with GRACE_LENT.
   */
  goodbyeNs: f64(),
  ownGraceEndNs: f64(),
  /** The threshold that it has asked for last, whatever its rule makes of it; 0 = none. */
  askedNs: fresh(0, f64()),
  /** Beats taken ahead of the rate as of `lastNs`, see BeatAllowance. */
  debt: f64(),
  /** Status and payload of the last accepted beat, and the number of the listener that took it. */
  status: u8(),
  payload: u32(),
  listener: u8(),
  /** Accepted beats that its agent does not have on its account yet, see AgentBeats. */
  beats: fresh(0, f64()),
  /** Those that its agent has on its account. */
  beatsTaken: fresh(0, f64()),
  /** The last walk over all members that has seen this one; moves with it. */
  walk: fresh(0, u32()),
  /** Pinned trust class. */
  origin: u8(),
  /** Pinned pid namespace; 0 = foreign with its inode hidden. */
  namespaceInode: f64(),
  /** Pinned start time of the process in clock ticks. */
  generation: f64(),
  /**
   * The number of the process in its own namespace, if it was let in by that as a program of a
   * container; 0 = it was not.
   */
  innerPid: fresh(0, u32()),
  /** Uid that the kernel attested for the beat that took the slot; NaN = none. */
  uid: f64(),
  /** Gid that the kernel attested for the same beat; NaN = none. */
  gid: f64(),
  /** Observer time of the last identity look-up. */
  identityReadNs: fresh(Number.NEGATIVE_INFINITY, f64()),
  /** Last accepted regular nonce, valid with SLOT_HAS_REGULAR_NONCE. */
  lastNonceHi: fresh(0, u32()),
  lastNonceLo: fresh(0, u32()),
  /** Last accepted nonce of any kind. */
  observedNonceHi: u32(),
  observedNonceLo: u32(),
  /** Valid with SLOT_HAS_TERMINAL_TIMESTAMP. */
  terminalTimestampHi: fresh(0, u32()),
  terminalTimestampLo: fresh(0, u32()),
  /** Timestamp of the last accepted regular beat. */
  timestampHi: fresh(0, u32()),
  timestampLo: fresh(0, u32()),
  /**
   * Length and last nonce of a run of rising numbers from 1 that were refused, see numbering.ts; as
   * `refused`.
   */
  runCount: u8(),
  runNonce: u32(),
  /** Beats refused since the last accepted one, by REFUSAL_COLUMN; valid with SLOT_HAS_REFUSALS. */
  refused: u32(REFUSAL_COLUMNS),
  /**
   * Observer time of the last refused beat that showed the member alive; -Infinity = none since the
   * last accepted one.
   */
  aliveNs: f64(),
  flags: fresh(SLOT_BEAT_ONCE, u16()),
  /**
   * The row of the lane that has the member's threshold, and the links in it, -1 = end; `prev` is
   * LINK_NONE while the slot waits for no deadline or for its grace. Written by DeadlineLanes only.
   */
  lane: u16(),
  prev: i32(),
  next: i32(),
  /** The row of the uid and the links of its list; written by UidShare only. -1 = end. */
  holder: u16(),
  newer: i32(),
  older: i32(),
  /**
   * Observer time of the last look at who the member is, -Infinity = none; the mark of the program
   * that it ran then, 0 = it could not be read; and the links of its list. Written by LookOrder
   * and SlotTable only. -1 = end.
   */
  lookedNs: fresh(Number.NEGATIVE_INFINITY, f64()),
  program: fresh(0, u32()),
  lookPrev: i32(),
  lookNext: i32(),
};

/** The slots for all but the tracker: no other file writes a column. */
export type SlotsView = ReadonlyColumns<typeof SLOT_COLUMNS> &
  Pick<
    Slots,
    | "isLatched"
    | "hasSource"
    | "hasEnded"
    | "isProven"
    | "saidGoodbye"
    | "hasBeaten"
    | "owesNoBeats"
    | "isBeating"
    | "isGraceLent"
    | "wasTriggered"
  >;

export class Slots extends columnTable(SLOT_COLUMNS) {
  /** Rows that are reserved, whether they may be used or not. */
  get rowCount(): number {
    return this.pid.length;
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

  /** Notes from where the first beat of `slot` came, for which a key vouches. */
  setAddress(slot: number, addresses: Uint32Array, at: number): void {
    for (let word = 0; word < IP_WORDS; word++)
      this.source[slot * IP_WORDS + word] = addresses[at + word]!;
    this.hasAddress[slot] = 1;
  }

  hasEnded(slot: number): boolean {
    return (this.flags[slot]! & SLOT_ENDED) !== 0;
  }

  saidGoodbye(slot: number): boolean {
    return (this.flags[slot]! & SLOT_GOODBYE) !== 0;
  }

  hasBeaten(slot: number): boolean {
    return (this.flags[slot]! & SLOT_UNBEATEN) === 0;
  }

  owesNoBeats(slot: number): boolean {
    return (this.flags[slot]! & OWES_NO_BEATS) !== 0;
  }

  /** It counts for what is expected of its agent: it runs, has beaten and said no goodbye since. */
  isPresent(slot: number): boolean {
    return (this.flags[slot]! & IS_ABSENT) === 0;
  }

  /** It is present, and not stalled. */
  isBeating(slot: number): boolean {
    return (this.flags[slot]! & BEATS_NOT) === 0;
  }

  /** Its grace is another one than its rule gives it. */
  isGraceLent(slot: number): boolean {
    return (this.flags[slot]! & GRACE_LENT) !== 0;
  }

  /** It has asked to be judged at once, and not beaten since. */
  wasTriggered(slot: number): boolean {
    return (this.flags[slot]! & SLOT_TRIGGERED) !== 0;
  }

  /** It has a grace until `endNs` and its next beat, if that is later than the one that it has. */
  giveMercy(slot: number, endNs: number): void {
    if (!(endNs > this.graceEndNs[slot]!)) return;
    if (!this.isGraceLent(slot)) this.ownGraceEndNs[slot] = this.graceEndNs[slot]!;
    this.flags[slot]! |= SLOT_MERCY;
    this.graceEndNs[slot] = endNs;
  }

  /** When its grace is over by a rule; while it has another one, that is kept for later. */
  graceEndBy(slot: number, graceNs: number): number {
    this.graceNs[slot] = graceNs;
    const endNs = graceNs > 0 ? this.firstNs[slot]! + graceNs : Number.NEGATIVE_INFINITY;
    if (!this.isGraceLent(slot)) return endNs;
    this.ownGraceEndNs[slot] = endNs;
    return this.graceEndNs[slot]!;
  }

  prove(slot: number): void {
    this.flags[slot]! |= SLOT_PROVEN;
  }

  isProven(slot: number): boolean {
    return (this.flags[slot]! & SLOT_PROVEN) !== 0;
  }
}

/** Makes one list of the first `count` slots, in the order of their numbers; -1 = its ends. */
export function linkInOrder(before: Int32Array, after: Int32Array, count: number): void {
  for (let slot = 0; slot < count; slot++) {
    before[slot] = slot - 1;
    after[slot] = slot + 1;
  }
  after[count - 1] = -1;
}

type TextColumns = Pick<ReadonlyColumns<typeof SLOT_COLUMNS>, "flags" | "source" | "refused">;

/**
 * The address from which the member in `row` beats by plain UDP; "" = kernel or key vouch for it.
 */
export function sourceOf({ flags, source }: Omit<TextColumns, "refused">, row: number): string {
  return (flags[row]! & SLOT_HAS_SOURCE) === 0 ? "" : ipText(source, row * IP_WORDS);
}

/** The address from which the member in `slot` beats over a network; "" = it is on this machine. */
export function addressOf(slots: SlotsView, slot: number): string {
  if (slots.hasAddress[slot] === 1) return ipText(slots.source, slot * IP_WORDS);
  return sourceOf(slots, slot);
}

/**
 * A key vouches for the datagram, and it comes from another address than the first beat of the
 * member in its slot. (What nothing vouches for has its address in its key.)
 */
export function isFromElsewhere({ source, hasAddress }: SlotsView, datagram: Datagram): boolean {
  const { slot, addresses, sourceAt } = datagram;
  if (addresses === undefined || hasAddress[slot] !== 1) return false;
  for (let word = 0; word < IP_WORDS; word++)
    if (source[slot * IP_WORDS + word]! !== addresses[sourceAt + word]!) return true;
  return false;
}

/** Beats of the member in `row` that were refused since the last accepted one, most first. */
export function refusalsOf(
  { flags, refused }: Omit<TextColumns, "source">,
  row: number,
): readonly RefusalCount[] {
  const isEmpty = (flags[row]! & SLOT_HAS_REFUSALS) === 0;
  return isEmpty ? [] : refusalCounts(refused, row * REFUSAL_COLUMNS);
}
