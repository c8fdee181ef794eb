// The check order for one datagram (spec 04 section 5): every consumed datagram ends here as
// accepted or under exactly one reject reason, and makes at most one event row. It never throws,
// blocks or allocates.
import { IP_WORDS } from "../base/ip_text.ts";
import { PID_MAX_FALLBACK, PROOF_LOOK_NS } from "../base/limits.ts";
import * as reason from "../base/reject_reason.ts";
import { REJECT_REASON_COUNT } from "../base/reject_reason.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import { Datagram } from "../events/datagram.ts";
import * as event from "../events/event_batch.ts";
import { decodeRefusal, type Refusals } from "../events/refusals.ts";
import type { Listener } from "../listener/listener.ts";
import { VERDICT_CONTROL, VERDICT_PASS } from "../listener/received_batch.ts";
import type { PlaceReader, ProcessReader } from "../processes/process_reader.ts";
import { NO_KEY } from "../tracker/member_key.ts";
import type { Tracker } from "../tracker/tracker.ts";
import {
  UPDATE_CAPACITY_EXCEEDED,
  UPDATE_ORIGIN_CONFLICT,
  UPDATE_OUT_OF_ORDER,
  UPDATE_REFRESHED,
} from "../tracker/updates.ts";
import { CONTROL_OK, decodeControl } from "../wire/control_datagram.ts";
import { decodeFrame, decodeInnerFrame } from "../wire/decode.ts";
import { DECODE_OK } from "../wire/decode_error.ts";
import { PID_INIT, PID_MIN, WORD_PID } from "../wire/frame.ts";
import { ADMITTED_PAID, type Admission, isVouched, SHED_PER_PID } from "./admission.ts";
import { EventRows } from "./event_rows.ts";
import { Greetings } from "./greetings.ts";
import type { IdentityResolver } from "./identity.ts";
import { NotifyTexts, TEXT_WITH_BEAT, TEXT_WITHOUT_BEAT } from "./notify_texts.ts";
import { InnerPids } from "./inner_pids.ts";
import { isAllowed, voucherOf } from "./senders.ts";
import type { SelfBeats } from "./self_beats.ts";
import { SharedPids } from "./shared_pids.ts";
import { SteadyBeats } from "./steady_beats.ts";

interface IntakeOptions {
  readonly tracker: Tracker;
  readonly identity: IdentityResolver;
  readonly processes: ProcessReader;
  /** Undefined = nobody speaks for another process. */
  readonly places: PlaceReader | undefined;
  readonly admission: Admission;
  readonly accounting: DatagramAccounting;
  readonly refusals: Refusals;
  readonly rows: event.EventBatch;
  /** The observer's own namespace inode; NaN = unknown. */
  readonly observerInode: number;
  readonly allowCrossNamespace: boolean;
  /** Beats of the daemon to itself; undefined = it sends none. */
  readonly selfBeats: SelfBeats | undefined;
}

/** Stated by no frame: a u32 is compared with it. */
const NO_PID = -1;

export class Intake {
  readonly rows: EventRows;
  pidMax = PID_MAX_FALLBACK;
  /**
   * When the sockets must have been read, so that the next beat of a sender can prove it;
   * Infinity = no matter.
   */
  lookNs = Number.POSITIVE_INFINITY;
  /** A pause is over, and what waited at its end is being read. */
  hearsOut = false;
  readonly shared = new SharedPids();
  readonly greetings = new Greetings();
  readonly texts: NotifyTexts;
  readonly #tracker: Tracker;
  readonly #identity: IdentityResolver;
  readonly #innerPids: InnerPids;
  readonly #admission: Admission;
  readonly #accounting: DatagramAccounting;
  readonly #refusals: Refusals;
  readonly #observerInode: number;
  readonly #allowCrossNamespace: boolean;
  readonly #steady: SteadyBeats;
  readonly #datagram = new Datagram();
  readonly #selfBeats: SelfBeats | undefined;
  /** Of the daemon's own frames; NO_PID = it sends none. */
  readonly #ownPid: number;

  constructor(options: IntakeOptions) {
    this.#tracker = options.tracker;
    this.#identity = options.identity;
    this.#innerPids = new InnerPids(options.processes, options.tracker);
    this.#admission = options.admission;
    this.#accounting = options.accounting;
    this.#refusals = options.refusals;
    this.rows = new EventRows(options.rows);
    this.#observerInode = options.observerInode;
    this.#steady = new SteadyBeats(options.tracker, options.observerInode);
    this.#allowCrossNamespace = options.allowCrossNamespace;
    this.#selfBeats = options.selfBeats;
    this.texts = new NotifyTexts(options);
    this.#ownPid = options.selfBeats?.pid ?? NO_PID;
  }

  /**
   * Listener `listenerNumber` has received `count` datagrams at `nowNs`, which are to be taken now.
   */
  prepare(listenerNumber: number, listener: Listener, count: number, nowNs: number): void {
    const datagram = this.#datagram;
    datagram.listenerNumber = listenerNumber;
    datagram.nowNs = nowNs;
    datagram.words = listener.batch.words;
    this.#steady.prepare(datagram, listener, count, this.pidMax);
  }

  /**
   * Takes the datagrams from `from` up to `to` of the prepared batch as long as they are plain
   * beats; returns how many, 0 if the next one is for `take`.
   */
  takeSteady(from: number, to: number): number {
    const taken = this.#steady.take(from, to, this.#admission);
    if (taken === 0) return 0;
    const { listenerNumber } = this.#datagram;
    this.#accounting.received[listenerNumber]! += taken;
    this.#accounting.accepted[listenerNumber]! += taken;
    this.#steady.write(this.rows, from, taken);
    return taken;
  }

  /**
   * Takes the datagram in row `batchRow` of the prepared batch, which is the last one of
   * `listener`.
   */
  take(listener: Listener, batchRow: number): void {
    const { batch } = listener;
    const datagram = this.#datagram;
    datagram.begin(batchRow);
    datagram.frameWord = batch.frameWord[batchRow]!;
    datagram.origin = batch.origin[batchRow]!;
    datagram.peerPid = batch.peerPid[batchRow]!;
    datagram.peerUid = batch.peerUid[batchRow]!;
    datagram.peerGid = batch.peerGid[batchRow]!;
    datagram.vouched = voucherOf(listener, datagram);
    datagram.sources = datagram.peerPid === 0 ? batch.sources : undefined;
    datagram.addresses = batch.addresses;
    datagram.sourceAt = batchRow * IP_WORDS;
    const verdict = batch.verdict[batchRow]!;
    const { words, frameWord } = datagram;
    const isText = batch.textLength !== undefined;
    if (verdict === VERDICT_PASS && !isText && this.#isSelfBeat(datagram)) return;
    this.#accounting.received[datagram.listenerNumber]!++;
    const isInner = listener.containers === true && datagram.peerPid !== 0;
    if (verdict !== VERDICT_PASS) {
      if (verdict === VERDICT_CONTROL) this.#takeControl(datagram, listener, isInner);
      else this.#listenerRejected(datagram, verdict);
      return;
    }
    if (isText) {
      this.#takeText(datagram, listener);
      return;
    }
    const code = isInner ? decodeInnerFrame(words, frameWord) : decodeFrame(words, frameWord);
    if (code === DECODE_OK) {
      datagram.readFrame();
      this.#takeRead(datagram, listener);
    } else this.#decodeFailed(datagram, code);
  }

  #takeText(datagram: Datagram, listener: Listener): void {
    const { texts } = this;
    if (!isAllowed(listener, datagram)) {
      this.#authFailed(datagram, reason.REJECT_UID, datagram.peerPid);
      return;
    }
    const code = texts.read(datagram, listener);
    if (code === TEXT_WITH_BEAT) this.#takeRead(datagram, listener);
    else if (code === TEXT_WITHOUT_BEAT) this.#accept(datagram);
    else this.#reject(datagram, code, code, texts.detail);
    if (datagram.isTaken) texts.obey(datagram, listener.batch);
  }

  #takeControl(datagram: Datagram, listener: Listener, isInner: boolean): void {
    const pidMin = isInner ? PID_INIT : PID_MIN;
    const code = decodeControl(listener.batch, datagram.frameWord, pidMin);
    if (code === CONTROL_OK) {
      datagram.readControl();
      this.#takeRead(datagram, listener);
    } else if (this.#pay(datagram)) {
      this.greetings.wasNone(code);
      this.#reject(datagram, reason.REJECT_DECODE, reason.REJECT_DECODE, code);
    }
  }

  #isSelfBeat(datagram: Datagram): boolean {
    const beats = this.#selfBeats;
    if (beats === undefined) return false;
    const { words, frameWord, listenerNumber } = datagram;
    const isOwn = words[frameWord + WORD_PID]! === this.#ownPid;
    if (isOwn && beats.takes(words, frameWord, listenerNumber)) return true;
    return beats.takesInherited(datagram);
  }

  /**
   * A receive of listener `listenerNumber` that took no datagram: only an event, without a limit.
   */
  receiveFailed(listenerNumber: number, errno: number, nowNs: number): void {
    const none = this.#datagram;
    none.listenerNumber = listenerNumber;
    none.nowNs = nowNs;
    this.rows.failure(event.EVENT_IO, none, errno);
  }

  // Rows L1 to L4: the listener has already decided; some of its reasons pay a token and raise an
  // event.
  #listenerRejected(datagram: Datagram, verdict: number): void {
    const isTruncated = verdict === reason.REJECT_CTRL_TRUNCATED;
    if (isTruncated || verdict === reason.REJECT_NO_CREDENTIALS) {
      if (!this.#pay(datagram)) return;
      const kind = isTruncated ? event.EVENT_CTRL_TRUNCATED : event.EVENT_IO;
      this.rows.failure(kind, datagram, 0);
    }
    this.#reject(datagram, verdict);
    // It was opened, so its pid is known; but a recording says nothing about whether its sender
    // lives.
    if (verdict !== reason.REJECT_REPLAY) return;
    datagram.readFrame();
    datagram.slot = this.#tracker.slotOf(this.#tracker.keyOf(datagram));
    this.#tracker.noteRefusal(datagram, verdict, false);
  }

  #decodeFailed(datagram: Datagram, code: number): void {
    if (!this.#pay(datagram)) return;
    this.rows.decodeFailed(datagram, code);
    this.#reject(datagram, reason.REJECT_DECODE, decodeRefusal(code));
  }

  #takeRead(datagram: Datagram, listener: Listener): void {
    const { pid, peerPid } = datagram;
    if (peerPid !== 0) {
      if (!isAllowed(listener, datagram)) {
        this.#authFailed(datagram, reason.REJECT_UID, pid);
        return;
      }
      if (peerPid !== pid) {
        if (listener.containers !== true || !this.#innerPids.claim(datagram, pid)) {
          // A number of a container is no member's here.
          const member = listener.containers === true ? peerPid : pid;
          this.#authFailed(datagram, reason.REJECT_PID, member);
          return;
        }
        datagram.pid = peerPid;
      }
    }
    if (datagram.pid > this.pidMax) {
      if (this.#pay(datagram)) this.#reject(datagram, reason.REJECT_PID_ABOVE_MAX);
      return;
    }
    datagram.key = this.#keyOf(datagram, listener);
    if (datagram.key === NO_KEY) {
      this.#reject(datagram, reason.REJECT_CAPACITY);
      return;
    }
    datagram.slot = this.#tracker.slotOf(datagram.key);
    const { slots } = this.#tracker;
    const admission = this.#admission;
    const isBeat = datagram.control === 0;
    const admitted = isBeat
      ? admission.admit(slots, datagram)
      : admission.admitControl(slots, datagram);
    if (admitted >= SHED_PER_PID && !this.#isLastWord(listener, datagram)) {
      const isPerPid = admitted === SHED_PER_PID;
      const rejected = isPerPid ? reason.REJECT_RATE_PER_PID : reason.REJECT_RATE_GLOBAL;
      this.#reject(datagram, rejected, rejected, datagram.control);
      this.#tracker.noteRefusal(datagram, rejected, isVouched(slots, datagram));
      return;
    }
    this.#track(datagram, listener, admitted === ADMITTED_PAID);
  }

  // After a pause a connection may hold more than the limits take at once, and its last frame is
  // how the member is.
  #isLastWord(listener: Listener, { batchRow }: Datagram): boolean {
    return this.hearsOut && listener.wasLast?.(batchRow) === true;
  }

  #track(datagram: Datagram, listener: Listener, isPaid: boolean): void {
    const tracker = this.#tracker;
    if (datagram.peerPid !== 0) {
      this.#identity.resolve(datagram, listener);
      if (listener.containers === true) {
        if (!datagram.isUnnumbered && !this.#isItsOwnNumber(datagram)) {
          tracker.noteIdentityRead(datagram);
          if (datagram.innerPid !== 0) datagram.pid = datagram.innerPid;
          this.#authFailed(datagram, reason.REJECT_PID, datagram.peerPid, isPaid);
          return;
        }
      } else if (!this.#allowCrossNamespace && this.#isForeign(datagram)) {
        tracker.noteIdentityRead(datagram);
        tracker.noteRefusal(datagram, reason.REJECT_CROSS_NAMESPACE, false);
        if (isPaid || this.#pay(datagram)) this.#crossNamespace(datagram);
        return;
      }
    }
    const { slot } = datagram;
    const wasStalled = slot >= 0 && tracker.slots.isLatched(slot);
    const isBeat = datagram.control === 0;
    const update = isBeat ? tracker.record(datagram) : tracker.recordControl(datagram);
    if (update >= UPDATE_OUT_OF_ORDER) {
      this.#notAccepted(datagram, update, isPaid);
      return;
    }
    if (!datagram.isProven && !Number.isNaN(datagram.generation)) this.#doubt(datagram, listener);
    this.#accept(datagram);
    if (!isBeat) this.greetings.took(datagram, listener.batch, tracker.table);
    else this.rows.beat(datagram, wasStalled && update === UPDATE_REFRESHED);
  }

  #accept(datagram: Datagram): void {
    datagram.isTaken = true;
    this.#accounting.accepted[datagram.listenerNumber]!++;
  }

  // The next beat is to prove this sender: its socket is read once more before it, and the
  // kernel may be asked.
  #doubt({ nowNs }: Datagram, listener: Listener): void {
    this.lookNs = nowNs + PROOF_LOOK_NS;
    listener.doubtSender?.();
  }

  #notAccepted(datagram: Datagram, update: number, isPaid: boolean): void {
    if (update === UPDATE_OUT_OF_ORDER) this.#reject(datagram, reason.REJECT_OUT_OF_ORDER);
    else if (update === UPDATE_CAPACITY_EXCEEDED) this.#reject(datagram, reason.REJECT_CAPACITY);
    else {
      const { slot, namespaceInode } = datagram;
      const isOrigin = update === UPDATE_ORIGIN_CONFLICT;
      const rejected = isOrigin ? reason.REJECT_ORIGIN_CONFLICT : reason.REJECT_NAMESPACE_CONFLICT;
      const slotOrigin = this.#tracker.slots.origin[slot]!;
      this.#reject(datagram, rejected, rejected, isOrigin ? slotOrigin : namespaceInode);
      // An unpaid conflict (terminal bypass) without a token left loses its event and nothing else.
      if (!isPaid && !this.#admission.pay(datagram)) return;
      if (isOrigin) this.rows.originConflict(datagram, slotOrigin);
      else this.rows.namespaceConflict(datagram, !Number.isNaN(namespaceInode));
    }
  }

  // What a container states is its own number, whatever else is allowed: the kernel's number of it
  // is not one that it could know.
  #isItsOwnNumber(datagram: Datagram): boolean {
    if (datagram.innerPid === 0 && this.#isForeign(datagram))
      if (!this.#innerPids.claim(datagram, datagram.pid)) return false;
    return datagram.innerPid === 0 || this.#innerPids.confirm(datagram);
  }

  #isForeign({ namespaceInode }: Datagram): boolean {
    return !Number.isNaN(namespaceInode) && namespaceInode !== this.#observerInode;
  }

  #crossNamespace(datagram: Datagram): void {
    const rejected = reason.REJECT_CROSS_NAMESPACE;
    this.#reject(datagram, rejected, rejected, datagram.namespaceInode);
    this.rows.namespaceConflict(datagram, !Number.isNaN(this.#observerInode));
  }

  // `member` is the pid whose beat this would have been.
  #authFailed(datagram: Datagram, rejected: number, member: number, wasPaid = false): void {
    const isPaid = wasPaid || this.#pay(datagram);
    datagram.slot = this.#tracker.slotOf(member);
    this.#tracker.noteRefusal(datagram, isPaid ? rejected : reason.REJECT_RATE_GLOBAL, false);
    if (!isPaid) return;
    const isUid = rejected === reason.REJECT_UID;
    this.rows.authFailed(datagram, isUid ? event.AUTH_REASON_UID : event.AUTH_REASON_PID);
    this.#reject(datagram, rejected);
  }

  // A pid that the kernel attests is one of this machine. Others may claim it from elsewhere: they
  // are told apart.
  #keyOf(datagram: Datagram, { kind }: Listener): number {
    const { pid } = datagram;
    if (kind === "unix" || datagram.peerPid !== 0) return pid;
    const tracker = this.#tracker;
    const key = tracker.keyOf(datagram);
    if (key !== pid) this.shared.note(datagram, tracker.slots, tracker.slotOf(pid));
    return key;
  }

  // Takes a global token and leaves the reserve; a failed try is the datagram's reject reason.
  #pay(datagram: Datagram): boolean {
    if (this.#admission.pay(datagram)) return true;
    this.#reject(datagram, reason.REJECT_RATE_GLOBAL);
    return false;
  }

  // `refusal` is the reason in the finer division that a person reads, `detail` what there is to
  // say about it.
  #reject(datagram: Datagram, rejected: number, refusal = rejected, detail = Number.NaN): void {
    this.#accounting.rejected[datagram.listenerNumber * REJECT_REASON_COUNT + rejected]!++;
    this.#refusals.note(datagram, refusal, detail);
  }
}
