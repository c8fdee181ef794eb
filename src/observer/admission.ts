// The two limiters (spec 04 sections 6 and 7). The limit of one member is a bucket of its own and
// spends no global token; the global bucket is paid by everything that would cost work or make an
// event. A part of it is kept for agents that are known and vouched for: else a flood of rubbish
// would shed their beats, and they would look silent.
import { saturatingSub } from "../base/saturating.ts";
import { type Datagram, VOUCHED_NOT } from "../events/datagram.ts";
import { ControlRate } from "../listener/control_rate.ts";
import { TokenBucket } from "../tables/token_bucket.ts";
import { BeatAllowance } from "../tracker/beat_allowance.ts";
import { isTerminalEdge, NONCE_REFUSED, nonceAcceptance } from "../tracker/nonce_order.ts";
import { beginsAnew } from "../tracker/numbering.ts";
import type { SlotsView } from "../tracker/slots.ts";

/**
 * Part of the global burst that only beats of known agents may spend: a flood of anything else
 * never sheds them.
 */
const GLOBAL_RESERVE_PART = 1 / 4;

/**
 * What `admit` says of a beat: it paid a token, it needs none, or it came too early, or there was
 * no token for it.
 */
export const ADMITTED_PAID = 0;
const ADMITTED_UNPAID = 1;
export const SHED_PER_PID = 2;
const SHED_GLOBAL = 3;

export interface AdmissionOptions {
  /** Accepted beats per second and pid, an integer; 0 = off. */
  readonly perPidRate: number;
  readonly globalRate: number;
  readonly globalBurst: number;
}

export class Admission {
  allowance!: BeatAllowance;
  bucket!: TokenBucket;
  /** Tokens of the bucket that only a beat of a known agent may spend. */
  #reserve!: number;
  readonly #controlRate = new ControlRate();

  constructor(options: AdmissionOptions) {
    this.change(options);
  }

  /** The bucket is full; the debts of members stay. */
  change({ perPidRate, globalRate, globalBurst }: AdmissionOptions): void {
    this.allowance = new BeatAllowance(perPidRate);
    this.bucket = new TokenBucket(globalRate, globalBurst);
    this.#reserve = Math.floor(globalBurst * GLOBAL_RESERVE_PART);
  }

  /**
   * Takes a token for what makes an event or costs work, and leaves the reserve; false if there
   * is none.
   */
  pay({ nowNs }: Datagram): boolean {
    return this.bucket.tryTake(nowNs, this.#reserve);
  }

  /**
   * The same for the word of a member, whose slot it is: by uid, as the kernel attests it, before
   * anything is read of its process.
   */
  payWord({ uid }: SlotsView, slot: number, { nowNs, peerUid }: Datagram): boolean {
    const isOwn = slot >= 0 && uid[slot] === peerUid;
    return this.bucket.tryTake(nowNs, isOwn ? 0 : this.#reserve);
  }

  /**
   * Whether the limits let a beat in, by one of the codes above; writes into it what it leaves of
   * the allowance. The last beat of an agent that panics passes by the bucket once, and news of a
   * decline passes an empty one, if the kernel (or, for the news, a key) vouches for it.
   */
  admit(slots: SlotsView, datagram: Datagram): number {
    const { slot } = datagram;
    const terminalEdge = isTerminalEdge(slots, datagram);
    // News of an agent's decline is never shed: without it the last thing heard of it would be that
    // all is well. Each of them needs a better status before it, which had to pass the limits, so
    // there are at most two for every such beat.
    const worsens = slot >= 0 && datagram.status > slots.status[slot]!;
    const { debtMax, beatCost } = this.allowance;
    const debt = this.#debtAfter(slots, datagram);
    datagram.debt = Math.min(debt, debtMax);
    datagram.debtIfFirst = beatCost;
    if (debt > debtMax && !terminalEdge && !worsens) return SHED_PER_PID;
    if (terminalEdge && datagram.peerPid !== 0) return ADMITTED_UNPAID;
    const known = isKnown(slots, datagram);
    if (this.bucket.tryTake(datagram.nowNs, known ? 0 : this.#reserve)) return ADMITTED_PAID;
    return worsens && known ? ADMITTED_UNPAID : SHED_GLOBAL;
  }

  /**
   * The same of a hello or a bye, by the same codes. It has an allowance of its own, so that it
   * takes nothing from the beats of its member.
   */
  admitControl(slots: SlotsView, datagram: Datagram): number {
    const { pid, nowNs } = datagram;
    if (!this.#controlRate.tryTake(pid, nowNs)) return SHED_PER_PID;
    const leaves = isVouched(slots, datagram) ? 0 : this.#reserve;
    return this.bucket.tryTake(nowNs, leaves) ? ADMITTED_PAID : SHED_GLOBAL;
  }

  // 0 for a member that is not tracked, which the global bucket limits.
  #debtAfter({ debt, lastNs }: SlotsView, { slot, nowNs }: Datagram): number {
    if (slot < 0) return 0;
    return this.allowance.debtAfter(debt[slot]!, saturatingSub(nowNs, lastNs[slot]!));
  }
}

/** True if kernel or key vouch that the member of its slot itself has sent a datagram. */
export function isVouched({ origin }: SlotsView, datagram: Datagram): boolean {
  const { slot } = datagram;
  return slot >= 0 && datagram.vouched !== VOUCHED_NOT && origin[slot] === datagram.origin;
}

// True for a beat that kernel or key vouch for and that its slot will take. In the long run no
// member sends more of them than its rate, so few members alone do not drain the reserve. Any
// sender can make those of plain UDP.
function isKnown(slots: SlotsView, datagram: Datagram): boolean {
  if (!isVouched(slots, datagram)) return false;
  return nonceAcceptance(slots, datagram) !== NONCE_REFUSED || beginsAnew(slots, datagram);
}
