// Which datagrams are worth a trial of the keys. A trial costs as much as ten datagrams that are
// only read, so a flood of forgeries would take the processor and, with it, the place of genuine
// beats in the buffer. Failures are paid from budgets, and while they last, everything is tried: a
// known prefix has one for where its sender beat from last and one for all other places, a stranger
// pays from that of its source and from that of all strangers together. A source can be forged, so
// none is ever shut out for good: a budget fills again, and no stranger can use up that of a known
// sender (spec 02 section 4.1).
import {
  FORGERIES_BURST_SENDER,
  FORGERIES_BURST_SOURCE,
  FORGERIES_BURST_STRANGERS,
  FORGERIES_PER_S_SENDER,
  FORGERIES_PER_S_SOURCE,
  FORGERIES_PER_S_STRANGERS,
} from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import { TokenBucket } from "../tables/token_bucket.ts";
import { prefixHash } from "./retired_prefixes.ts";
import type { SenderTable } from "./sender_table.ts";

/**
 * Of these, what is left to sources of which fewer than so many came lately: a new sender is one of
 * them.
 */
const FORGERIES_KEPT = 1_000;
const FORGERIES_FEW = FORGERIES_PER_S_SOURCE;
/** Sources remembered, by a hash of address and port. A power of two. */
const FORGERY_SOURCES_MAX = 4_096;

/**
 * In the place of a word where an address lies: the system does not say it, and all strangers are
 * one source.
 */
export const NO_SOURCE = -1;
/** Words of a sender's address: family and port, IPv4 address or flow, IPv6 address. */
const NAME_WORDS = 6;
/** Places for prefixes per sender state: two prefixes each, and room. */
const PREFIX_PLACES_PER_SENDER = 16;

/**
 * Which budget pays for a failure: a sender that is known, where it is and elsewhere, or a
 * stranger.
 */
const SENDER_AT_HOME = 0;
const SENDER_ELSEWHERE = 1;
const STRANGER = 2;

export class ForgeryGate {
  readonly #senders: SenderTable;
  /**
   * Slot + 1 of the sender whose prefix leads here; the sender's own columns say whether that is
   * still so.
   */
  readonly #slotOfPrefix: Uint32Array;
  readonly #prefixMask: number;
  /** Where each sender beat from last, as a hash. */
  readonly #lastSource: Uint32Array;
  readonly #homeBudget: Budgets;
  readonly #elsewhereBudget: Budgets;
  readonly #sourceBudget = new Budgets(
    FORGERY_SOURCES_MAX,
    FORGERIES_PER_S_SOURCE,
    FORGERIES_BURST_SOURCE,
  );
  readonly #sourceOf = new Uint32Array(FORGERY_SOURCES_MAX);
  readonly #strangers = new TokenBucket(FORGERIES_PER_S_STRANGERS, FORGERIES_BURST_STRANGERS);
  // Of the datagram in hand.
  #source = 0;
  #sourcePlace = 0;
  #slot = -1;
  #payer = STRANGER;

  constructor(senders: SenderTable) {
    const places = 2 ** Math.ceil(Math.log2(senders.capacity * PREFIX_PLACES_PER_SENDER));
    this.#senders = senders;
    this.#slotOfPrefix = new Uint32Array(places);
    this.#prefixMask = places - 1;
    this.#lastSource = new Uint32Array(senders.capacity);
    const { capacity } = senders;
    this.#homeBudget = new Budgets(capacity, FORGERIES_PER_S_SENDER, FORGERIES_BURST_SENDER);
    this.#elsewhereBudget = new Budgets(capacity, FORGERIES_PER_S_SENDER, FORGERIES_BURST_SENDER);
  }

  /**
   * Whether to try the keys on a datagram with that prefix, whose sender's address lies at word
   * `nameAt`.
   */
  mayTry(
    words: Uint32Array,
    nameAt: number,
    ivLow: number,
    ivHigh: number,
    instantNs: number,
  ): boolean {
    this.#source = nameAt === NO_SOURCE ? 0 : sourceHash(words, nameAt);
    this.#sourcePlace = this.#source & (FORGERY_SOURCES_MAX - 1);
    this.#slot = this.#slotUsing(ivLow, ivHigh);
    this.#payer = this.#payerFor(this.#slot);
    switch (this.#payer) {
      case SENDER_AT_HOME:
        return this.#homeBudget.has(this.#slot, instantNs);
      case SENDER_ELSEWHERE:
        return this.#elsewhereBudget.has(this.#slot, instantNs);
      default:
        return this.#sourceHas(instantNs) && this.#strangersHave(instantNs);
    }
  }

  /** The datagram in hand was forged, or was there before. */
  failed(): void {
    if (this.#payer === SENDER_AT_HOME) this.#homeBudget.spend(this.#slot);
    else if (this.#payer === SENDER_ELSEWHERE) this.#elsewhereBudget.spend(this.#slot);
    else {
      this.#sourceBudget.spend(this.#sourcePlace);
      this.#strangers.spend(1);
    }
  }

  /** The datagram in hand is a new beat of the sender in `slot`. */
  passed(slot: number): void {
    const { ivLow, ivHigh } = this.#senders;
    const hash = prefixHash(ivLow[slot]!, ivHigh[slot]!);
    this.#lastSource[slot] = this.#source;
    this.#slotOfPrefix[hash & this.#prefixMask] = slot + 1;
    this.#slotOfPrefix[rotated(hash) & this.#prefixMask] = slot + 1;
  }

  // A stranger who sees a prefix on its way can send under it, too: from elsewhere that uses up
  // nothing that its sender needs.
  #payerFor(slot: number): number {
    if (slot < 0) return STRANGER;
    return this.#lastSource[slot] === this.#source ? SENDER_AT_HOME : SENDER_ELSEWHERE;
  }

  // Two places for each prefix: two senders that share one rarely share the other.
  #slotUsing(ivLow: number, ivHigh: number): number {
    const hash = prefixHash(ivLow, ivHigh);
    const first = this.#slotOfPrefix[hash & this.#prefixMask]! - 1;
    if (first >= 0 && this.#uses(first, ivLow, ivHigh)) return first;
    const second = this.#slotOfPrefix[rotated(hash) & this.#prefixMask]! - 1;
    return second >= 0 && this.#uses(second, ivLow, ivHigh) ? second : -1;
  }

  #uses(slot: number, low: number, high: number): boolean {
    const { ivLow, ivHigh, previousIvLow, previousIvHigh } = this.#senders;
    return (
      (ivLow[slot] === low && ivHigh[slot] === high) ||
      (previousIvLow[slot] === low && previousIvHigh[slot] === high)
    );
  }

  // A place is taken over by the source that comes last: one that rotates its address meets the
  // budget of all strangers.
  #sourceHas(instantNs: number): boolean {
    const place = this.#sourcePlace;
    if (this.#sourceOf[place] !== this.#source) {
      this.#sourceOf[place] = this.#source;
      this.#sourceBudget.takeOver(place, instantNs);
    }
    return this.#sourceBudget.has(place, instantNs);
  }

  // A flood from some hundred ports uses up what all strangers have: so what is refused here is
  // paid by its source as well, and the last of the budget is for sources that paid for few. A new
  // sender, or one that began again, beats a few times a second and is one of them.
  #strangersHave(instantNs: number): boolean {
    const place = this.#sourcePlace;
    const isFew = this.#sourceBudget.left(place) > FORGERIES_BURST_SOURCE - FORGERIES_FEW;
    const kept = isFew ? 0 : FORGERIES_KEPT;
    if (this.#strangers.available(instantNs) > kept) return true;
    this.#sourceBudget.spend(place);
    return false;
  }
}

/** A row of small token buckets, in columns. */
class Budgets {
  readonly #tokens: Float64Array;
  readonly #filledNs: Float64Array;
  readonly #perNs: number;
  readonly #burst: number;

  constructor(count: number, perSecond: number, burst: number) {
    this.#tokens = new Float64Array(count).fill(burst);
    this.#filledNs = new Float64Array(count);
    this.#perNs = perSecond / NS_PER_S;
    this.#burst = burst;
  }

  /**
   * For another owner. Full, unless the last one is just gone: two that send much may share a
   * place, and neither is to look like one that sends little.
   */
  takeOver(at: number, nowNs: number): void {
    const isIdle = nowNs - this.#filledNs[at]! >= NS_PER_S;
    this.#tokens[at] = isIdle ? this.#burst : this.#burst - 2 * this.#perNs * NS_PER_S;
    this.#filledNs[at] = nowNs;
  }

  has(at: number, nowNs: number): boolean {
    const sinceNs = Math.max(0, nowNs - this.#filledNs[at]!);
    this.#tokens[at] = Math.min(this.#burst, this.#tokens[at]! + sinceNs * this.#perNs);
    this.#filledNs[at] = nowNs;
    return this.#tokens[at]! >= 1;
  }

  /** What was there at the last look. */
  left(at: number): number {
    return this.#tokens[at]!;
  }

  spend(at: number): void {
    this.#tokens[at]! -= 1;
  }
}

function sourceHash(words: Uint32Array, nameAt: number): number {
  let hash = 0;
  for (let i = 0; i < NAME_WORDS; i++) {
    hash = Math.imul(hash ^ words[nameAt + i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

function rotated(hash: number): number {
  return (hash >>> 16) | (hash << 16);
}
