// The check order for one datagram (spec 04 section 5): every consumed datagram ends here as accepted or under exactly
// one reject reason, and makes at most one event row. It never throws, blocks or allocates.
import { IP_WORDS } from "../base/ip_text.ts";
import { PID_MAX_FALLBACK, PROOF_LOOK_NS } from "../base/limits.ts";
import * as reason from "../base/reject_reason.ts";
import { REJECT_REASON_COUNT } from "../base/reject_reason.ts";
import { saturatingSub } from "../base/saturating.ts";
import { U32_MAX } from "../base/u64.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import * as event from "../events/event_batch.ts";
import { decodeRefusal, type Refusals } from "../events/refusals.ts";
import type { Listener } from "../listener/listener.ts";
import { type ReceivedBatch, VERDICT_PASS } from "../listener/received_batch.ts";
import { NO_KEY } from "../tracker/member_key.ts";
import { NONCE_REFUSED, nonceAcceptance, terminalAdvances } from "../tracker/nonce_order.ts";
import {
  beginsAnew,
  VOUCHED_BY_KERNEL,
  VOUCHED_BY_KEY,
  VOUCHED_NOT,
} from "../tracker/numbering.ts";
import {
  type Tracker,
  UPDATE_CAPACITY_EXCEEDED,
  UPDATE_NAMESPACE_CONFLICT,
  UPDATE_ORIGIN_CONFLICT,
  UPDATE_OUT_OF_ORDER,
  UPDATE_REFRESHED,
} from "../tracker/tracker.ts";
import { decodeFrame } from "../wire/decode.ts";
import * as frame from "../wire/frame.ts";
import type { Admission } from "./admission.ts";
import { EventRows } from "./event_rows.ts";
import type { IdentityResolver } from "./identity.ts";
import { SharedPids } from "./shared_pids.ts";
import { SteadyBeats } from "./steady_beats.ts";

/**
 * What became of the global token of a beat: it was taken, there was none, or the beat needs none.
 */
const TOKEN_PAID = 0;
const TOKEN_WANTED = 1;
const TOKEN_UNPAID = 2;

export interface IntakeOptions {
  readonly tracker: Tracker;
  readonly identity: IdentityResolver;
  readonly admission: Admission;
  readonly accounting: DatagramAccounting;
  readonly refusals: Refusals;
  readonly rows: event.EventBatch;
  /** The observer's own namespace inode; NaN = unknown. */
  readonly observerInode: number;
  readonly thresholdNs: number;
  readonly allowCrossNamespace: boolean;
}

export class Intake {
  readonly rows: EventRows;
  pidMax = PID_MAX_FALLBACK;
  admission: Admission;
  thresholdNs: number;
  allowCrossNamespace: boolean;
  /** When the sockets must have been looked at, so that the next beat of a sender can prove it; Infinity = no matter. */
  lookNs = Number.POSITIVE_INFINITY;
  readonly shared = new SharedPids();
  readonly #tracker: Tracker;
  readonly #identity: IdentityResolver;
  readonly #accounting: DatagramAccounting;
  readonly #refusals: Refusals;
  readonly #observerInode: number;
  readonly #steady: SteadyBeats;
  /** Of the datagram in hand, for the example of a refusal: its pid, and by the kernel's word that of its sender. */
  #framePid = 0;
  #peerPid = 0;
  #peerUid = 0;

  constructor(options: IntakeOptions) {
    this.#tracker = options.tracker;
    this.#identity = options.identity;
    this.admission = options.admission;
    this.#accounting = options.accounting;
    this.#refusals = options.refusals;
    this.rows = new EventRows(options.rows);
    this.#observerInode = options.observerInode;
    this.#steady = new SteadyBeats(options.tracker, options.observerInode);
    this.thresholdNs = options.thresholdNs;
    this.allowCrossNamespace = options.allowCrossNamespace;
  }

  /** To be called after a receive and before `takeSteady`. */
  prepare(listener: Listener, count: number, nowNs: number): void {
    this.#steady.prepare(listener, count, nowNs, this.pidMax);
  }

  /**
   * Takes the datagrams from `i` up to `count` of the prepared batch as long as they are plain
   * beats; returns how many, 0 if the next one is for `take`.
   */
  takeSteady(listenerNumber: number, i: number, count: number): number {
    const taken = this.#steady.take(i, count, this.admission, this.thresholdNs);
    if (taken === 0) return 0;
    this.#accounting.received[listenerNumber]! += taken;
    this.#accounting.accepted[listenerNumber]! += taken;
    const { rows } = this;
    this.#steady.write(rows.batch, rows.count, i, taken, listenerNumber);
    rows.count += taken;
    return taken;
  }

  /** Takes datagram `i` of the last batch of `listener`, received at `nowNs`. */
  take(listenerNumber: number, listener: Listener, i: number, nowNs: number): void {
    this.#accounting.received[listenerNumber]!++;
    const { batch } = listener;
    this.#framePid = 0;
    this.#peerPid = batch.peerPid[i]!;
    this.#peerUid = batch.peerUid[i]!;
    const verdict = batch.verdict[i]!;
    if (verdict !== VERDICT_PASS) {
      this.#listenerRejected(listenerNumber, batch, i, verdict, nowNs);
      return;
    }
    const { words } = batch;
    const w = batch.frameWord[i]!;
    const code = decodeFrame(words, w);
    if (code === 0) this.#takeFrame(listenerNumber, listener, i, words, w, nowNs);
    else this.#decodeFailed(listenerNumber, code, words, w, nowNs);
  }

  /** A receive of listener `listenerNumber` that took no datagram: only an event, without a limit. */
  receiveFailed(listenerNumber: number, errno: number, nowNs: number): void {
    this.rows.failure(event.EVENT_IO, listenerNumber, errno, nowNs);
  }

  // Rows L1 to L4: the listener has already decided; some of its reasons pay a token and raise an event.
  #listenerRejected(
    listenerNumber: number,
    batch: ReceivedBatch,
    i: number,
    verdict: number,
    nowNs: number,
  ): void {
    const noisy =
      verdict === reason.REJECT_CTRL_TRUNCATED || verdict === reason.REJECT_NO_CREDENTIALS;
    if (noisy) {
      if (!this.#pay(listenerNumber, nowNs)) return;
      const kind =
        verdict === reason.REJECT_CTRL_TRUNCATED ? event.EVENT_CTRL_TRUNCATED : event.EVENT_IO;
      this.rows.failure(kind, listenerNumber, 0, nowNs);
    }
    this.#reject(listenerNumber, verdict);
    // It was opened, so its pid is known; but a recording says nothing about whether its sender
    // lives.
    if (verdict !== reason.REJECT_REPLAY) return;
    const pid = batch.words[batch.frameWord[i]! + frame.WORD_PID]!;
    const key = this.#tracker.keyOf(pid, undefined, 0);
    this.#remember(this.#tracker.slotOf(key), verdict, false, nowNs);
  }

  #decodeFailed(
    listenerNumber: number,
    code: number,
    words: Uint32Array,
    w: number,
    nowNs: number,
  ): void {
    if (!this.#pay(listenerNumber, nowNs)) return;
    this.rows.decodeFailed(listenerNumber, code, words, w, nowNs);
    this.#reject(listenerNumber, reason.REJECT_DECODE, decodeRefusal(code));
  }

  #takeFrame(
    listenerNumber: number,
    listener: Listener,
    i: number,
    words: Uint32Array,
    w: number,
    nowNs: number,
  ): void {
    const { batch } = listener;
    const pid = words[w + frame.WORD_PID]!;
    const peerPid = batch.peerPid[i]!;
    this.#framePid = pid;
    if (peerPid !== 0) {
      const { allowList } = listener;
      if (allowList !== undefined && !allowList.allows(batch.peerUid[i]!, batch.peerGid[i]!)) {
        this.#authFailed(listenerNumber, event.AUTH_REASON_UID, reason.REJECT_UID, pid, nowNs);
        return;
      }
      if (peerPid !== pid) {
        this.#authFailed(listenerNumber, event.AUTH_REASON_PID, reason.REJECT_PID, pid, nowNs);
        return;
      }
    }
    if (pid > this.pidMax) {
      if (this.#pay(listenerNumber, nowNs))
        this.#reject(listenerNumber, reason.REJECT_PID_ABOVE_MAX);
      return;
    }
    const key = this.#keyOf(listener, i, pid);
    if (key === NO_KEY) {
      this.#reject(listenerNumber, reason.REJECT_CAPACITY);
      return;
    }
    const slot = this.#tracker.slotOf(key);
    const terminalEdge = slot >= 0 && this.#isTerminalEdge(slot, words, w);
    // News of an agent's decline is never shed: without it the last thing heard of it would be that
    // all is well. Each of them needs a better status before it, which had to pass the limits, so
    // there are at most two for every such beat.
    const worsens = slot >= 0 && frame.frameStatus(words, w) > this.#tracker.slots.status[slot]!;
    const debt = this.#debtAfter(slot, nowNs);
    const isItself = this.#isVouched(listener, i, slot);
    if (debt > this.admission.allowance.debtMax && !terminalEdge && !worsens) {
      this.#reject(listenerNumber, reason.REJECT_RATE_PER_PID);
      this.#remember(slot, reason.REJECT_RATE_PER_PID, isItself, nowNs);
      return;
    }
    const paid = this.#payForBeat(listener, i, slot, words, w, nowNs, terminalEdge, worsens);
    if (paid === TOKEN_WANTED) {
      this.#reject(listenerNumber, reason.REJECT_RATE_GLOBAL);
      this.#remember(slot, reason.REJECT_RATE_GLOBAL, isItself, nowNs);
      return;
    }
    this.#track(listenerNumber, listener, i, key, slot, words, w, nowNs, paid === TOKEN_PAID, debt);
  }

  // The last beat of an agent that panics passes by the bucket once, and news of a decline passes
  // an empty one, if the kernel (or, for the news, a key) vouches for it.
  #payForBeat(
    listener: Listener,
    i: number,
    slot: number,
    words: Uint32Array,
    w: number,
    nowNs: number,
    terminalEdge: boolean,
    worsens: boolean,
  ): number {
    if (terminalEdge && listener.batch.peerPid[i] !== 0) return TOKEN_UNPAID;
    const known = this.#isKnown(listener, i, slot, words, w);
    const { bucket, reserve } = this.admission;
    if (bucket.tryTake(nowNs, known ? 0 : reserve)) return TOKEN_PAID;
    return worsens && known ? TOKEN_UNPAID : TOKEN_WANTED;
  }

  #track(
    listenerNumber: number,
    listener: Listener,
    i: number,
    key: number,
    slot: number,
    words: Uint32Array,
    w: number,
    nowNs: number,
    paid: boolean,
    debt: number,
  ): void {
    const { batch } = listener;
    const origin = batch.origin[i]!;
    const pid = words[w + frame.WORD_PID]!;
    let inode = Number.NaN;
    let generation = Number.NaN;
    let wasRead = false;
    let proven = false;
    const isAttested = batch.peerPid[i] !== 0;
    if (isAttested) {
      const identity = this.#identity;
      identity.resolve(words, w, pid, slot, nowNs, this.thresholdNs, listener, i);
      inode = identity.namespaceInode;
      generation = identity.generation;
      wasRead = identity.wasRead;
      proven = identity.proven;
      if (!this.allowCrossNamespace && !Number.isNaN(inode) && inode !== this.#observerInode) {
        if (wasRead && slot >= 0) this.#tracker.slots.identityReadNs[slot] = nowNs;
        this.#remember(slot, reason.REJECT_CROSS_NAMESPACE, false, nowNs);
        if (paid || this.#pay(listenerNumber, nowNs))
          this.#crossNamespace(listenerNumber, pid, inode, nowNs);
        return;
      }
    }
    const tracker = this.#tracker;
    const wasStalled = slot >= 0 && tracker.slots.isLatched(slot);
    const { thresholdNs } = this;
    const uid = isAttested ? batch.peerUid[i]! : Number.NaN;
    const vouched = vouchedFor(listener, i);
    const update = tracker.record(
      words,
      w,
      nowNs,
      thresholdNs,
      origin,
      inode,
      generation,
      uid,
      vouched,
      key,
    );
    const at = tracker.lastSlot;
    if (wasRead && at >= 0) tracker.slots.identityReadNs[at] = nowNs;
    if (update >= UPDATE_OUT_OF_ORDER) {
      this.#notAccepted(listenerNumber, update, origin, inode, pid, at, nowNs, paid);
      return;
    }
    tracker.slots.listener[at] = listenerNumber;
    const sources = isAttested ? undefined : batch.sources;
    if (sources !== undefined) tracker.slots.setSource(at, sources, i * IP_WORDS);
    const { beatCost, debtMax } = this.admission.allowance;
    tracker.slots.debt[at] = update === UPDATE_REFRESHED ? Math.min(debt, debtMax) : beatCost;
    if (proven) tracker.slots.prove(at);
    else if (!Number.isNaN(generation)) this.#doubt(listener, nowNs);
    this.#accounting.accepted[listenerNumber]!++;
    const { rows } = this;
    const row = rows.beat(listenerNumber, origin, inode, generation, words, w, nowNs);
    if (sources !== undefined) rows.setSource(row, key, sources, i * IP_WORDS);
    rows.batch.slot[row] = at;
    rows.batch.resumed[row] = wasStalled && update === UPDATE_REFRESHED ? 1 : 0;
  }

  // The next beat is to prove this sender: its socket is looked at once more before it, and the kernel may be asked.
  #doubt(listener: Listener, nowNs: number): void {
    this.lookNs = nowNs + PROOF_LOOK_NS;
    listener.doubtSender?.();
  }

  #notAccepted(
    listenerNumber: number,
    update: number,
    origin: number,
    inode: number,
    pid: number,
    slot: number,
    nowNs: number,
    paid: boolean,
  ): void {
    if (update === UPDATE_OUT_OF_ORDER) this.#reject(listenerNumber, reason.REJECT_OUT_OF_ORDER);
    else if (update === UPDATE_CAPACITY_EXCEEDED)
      this.#reject(listenerNumber, reason.REJECT_CAPACITY);
    else {
      const isOrigin = update === UPDATE_ORIGIN_CONFLICT;
      const rejected = isOrigin ? reason.REJECT_ORIGIN_CONFLICT : reason.REJECT_NAMESPACE_CONFLICT;
      const { origin: slotOrigin } = this.#tracker.slots;
      this.#reject(listenerNumber, rejected, rejected, isOrigin ? slotOrigin[slot]! : inode);
      // An unpaid conflict (terminal bypass) without a token left loses its event and nothing else.
      if (!paid && !this.admission.bucket.tryTake(nowNs, this.admission.reserve)) return;
      if (isOrigin) this.rows.originConflict(listenerNumber, pid, origin, slotOrigin[slot]!, nowNs);
      else {
        const both = !Number.isNaN(inode) && update === UPDATE_NAMESPACE_CONFLICT;
        this.rows.namespaceConflict(listenerNumber, pid, inode, both, nowNs);
      }
    }
  }

  #crossNamespace(listenerNumber: number, pid: number, inode: number, nowNs: number): void {
    const rejected = reason.REJECT_CROSS_NAMESPACE;
    this.#reject(listenerNumber, rejected, rejected, inode);
    this.rows.namespaceConflict(
      listenerNumber,
      pid,
      inode,
      !Number.isNaN(this.#observerInode),
      nowNs,
    );
  }

  #authFailed(
    listenerNumber: number,
    detail: number,
    rejected: number,
    pid: number,
    nowNs: number,
  ): void {
    const isPaid = this.#pay(listenerNumber, nowNs);
    const counted = isPaid ? rejected : reason.REJECT_RATE_GLOBAL;
    this.#remember(this.#tracker.slotOf(pid), counted, false, nowNs);
    if (!isPaid) return;
    this.rows.authFailed(listenerNumber, detail, pid, nowNs);
    this.#reject(listenerNumber, rejected);
  }

  // True once per step from regular to terminal frames: the slot's last nonce was regular and the timestamp advances.
  #isTerminalEdge(slot: number, words: Uint32Array, w: number): boolean {
    if (!frame.frameIsTerminal(words, w)) return false;
    const { slots } = this.#tracker;
    const wasTerminal =
      slots.observedNonceHi[slot] === U32_MAX && slots.observedNonceLo[slot] === U32_MAX;
    if (wasTerminal) return false;
    const hi = words[w + frame.WORD_TIMESTAMP_HI]!;
    return terminalAdvances(slots, slot, hi, words[w + frame.WORD_TIMESTAMP_LO]!);
  }

  // A pid that the kernel attests is one of this machine. Others may claim it from elsewhere: they
  // are told apart.
  #keyOf(listener: Listener, i: number, pid: number): number {
    if (listener.kind === "unix" || listener.batch.peerPid[i] !== 0) return pid;
    const tracker = this.#tracker;
    const { sources } = listener.batch;
    const key = tracker.keyOf(pid, sources, i * IP_WORDS);
    if (key !== pid)
      this.shared.note(pid, sources, i * IP_WORDS, tracker.slots, tracker.slotOf(pid));
    return key;
  }

  // What the beat would leave of the member's allowance; 0 for one that is not tracked, which the
  // global bucket limits.
  #debtAfter(slot: number, nowNs: number): number {
    if (slot < 0) return 0;
    const { debt, lastNs } = this.#tracker.slots;
    return this.admission.allowance.debtAfter(debt[slot]!, saturatingSub(nowNs, lastNs[slot]!));
  }

  // True for a beat that kernel or key vouch for and that its slot will take. In the long run no
  // member sends more of them than its rate, so few members alone do not drain the reserve. Anybody
  // can make those of plain UDP.
  #isKnown(listener: Listener, i: number, slot: number, words: Uint32Array, w: number): boolean {
    if (!this.#isVouched(listener, i, slot)) return false;
    const { slots } = this.#tracker;
    return (
      nonceAcceptance(slots, slot, words, w) !== NONCE_REFUSED ||
      beginsAnew(slots, slot, words, w, vouchedFor(listener, i))
    );
  }

  // True if kernel or key vouch that the member of `slot` itself has sent datagram `i`.
  #isVouched(listener: Listener, i: number, slot: number): boolean {
    if (slot < 0 || vouchedFor(listener, i) === VOUCHED_NOT) return false;
    return this.#tracker.slots.origin[slot] === listener.batch.origin[i];
  }

  // Notes a refused beat with the slot of its pid, if it has one.
  #remember(slot: number, rejected: number, isAlive: boolean, nowNs: number): void {
    if (slot >= 0) this.#tracker.slots.refuse(slot, rejected, isAlive, nowNs);
  }

  // Takes a global token and leaves `kept`; a failed try is the datagram's reject reason.
  #pay(listenerNumber: number, nowNs: number, kept: number = this.admission.reserve): boolean {
    if (this.admission.bucket.tryTake(nowNs, kept)) return true;
    this.#reject(listenerNumber, reason.REJECT_RATE_GLOBAL);
    return false;
  }

  // `refusal` is the reason in the finer division that a person is told, `detail` what there is to say about it.
  #reject(listenerNumber: number, rejected: number, refusal = rejected, detail = Number.NaN): void {
    this.#accounting.rejected[listenerNumber * REJECT_REASON_COUNT + rejected]!++;
    this.#refusals.note(
      listenerNumber,
      refusal,
      this.#framePid,
      this.#peerPid,
      this.#peerUid,
      detail,
    );
  }
}

/** Who says that datagram `i` comes from whom it names. Anybody can make those of plain UDP. */
function vouchedFor(listener: Listener, i: number): number {
  if (listener.batch.peerPid[i] !== 0) return VOUCHED_BY_KERNEL;
  return listener.kind === "secure-udp" ? VOUCHED_BY_KEY : VOUCHED_NOT;
}
