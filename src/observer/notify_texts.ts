// Texts of sd_notify(3) on their way into the tracker (spec 20 sections 2 and 3): whose each is,
// and what is done beside a beat. The beat in it goes the way of every other one; a text without
// one makes no member, and moves what a member of that pid has. A text that is a plain beat costs
// no object; others are rare, and pay a token before anything is read for them.
import { memberPid } from "../agents/main_pid.ts";
import { askedOfUsec } from "../agents/asked_terms.ts";
import { block, Counters, counter } from "../base/counters.ts";
import { REJECT_MAINPID, REJECT_RATE_GLOBAL, REJECT_TEXT } from "../base/reject_reason.ts";
import type { Datagram } from "../events/datagram.ts";
import type { Listener } from "../listener/listener.ts";
import type { PlaceReader, ProcessReader } from "../processes/process_reader.ts";
import { awaitsJudgement, judgeNow } from "../tracker/extensions.ts";
import { goodbyeNsMax, sayGoodbye, takeGoodbyeBack } from "../tracker/goodbyes.ts";
import { noWords, type SaidWords } from "../tracker/said_words.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { PID_MIN, STATUS_CRITICAL, STATUS_OK } from "../wire/frame.ts";
import * as message from "../wire/notify_message.ts";
import type { Admission } from "./admission.ts";

/** What `read` made of a text, if it is not refused. */
export const TEXT_WITH_BEAT = -1;
export const TEXT_WITHOUT_BEAT = -2;

const SAID_ANY_BEAT = message.SAID_BEAT | message.SAID_TRIGGER;
/** What a hello says, too. */
const ASKS = message.SAID_NAME | message.SAID_WATCHDOG_USEC;
/** What is kept to be shown. */
const SHOWN =
  message.SAID_STATUS |
  message.SAID_READY |
  message.SAID_RELOADING |
  message.SAID_ERRNO |
  message.SAID_TRIGGER;

export const NOTIFY = block({
  taken: counter("varta_notify_messages_total", "Messages of notify listeners that were taken.", {
    label: "kind",
    values: ["beat", "words"],
  }),
});

interface NotifyTextsOptions {
  readonly tracker: Tracker;
  readonly admission: Admission;
  readonly processes: ProcessReader;
  /** Undefined = nobody speaks for another process. */
  readonly places: PlaceReader | undefined;
  readonly observerInode: number;
  /** Of the daemon; undefined = it sends no beats of its own. */
  readonly selfBeats: { readonly pid: number } | undefined;
}

export class NotifyTexts {
  readonly counters = new Counters(NOTIFY, this);
  /**
   * Of the text that was read last and refused: its fault, or the pid that it speaks for, below 0
   * if its sender had ended.
   */
  detail = Number.NaN;
  /** The beat of the text that was read last is another process's than its sender's. */
  #isSpokenFor = false;
  /** The member of the text that was read last is still to be judged for the trigger before it. */
  #isTriggered = false;
  readonly #options: NotifyTextsOptions;
  readonly #message = new message.NotifyMessage();
  readonly #decoder = new TextDecoder();

  constructor(options: NotifyTextsOptions) {
    this.#options = options;
  }

  /**
   * Reads the text of a datagram, whose sender may beat here: a TEXT code, or the reject reason.
   * With a beat, the datagram is then one as if it had been read from a frame.
   */
  read(datagram: Datagram, listener: Listener): number {
    const { batch } = listener;
    const { admission } = this.#options;
    const length = batch.textLength![datagram.batchRow]!;
    const fault = this.#message.read(batch.bytes, datagram.frameWord * 4, length);
    datagram.pid = datagram.peerPid;
    datagram.isUnnumbered = true;
    this.#isSpokenFor = false;
    this.#isTriggered = false;
    if (fault !== message.NOTIFY_OK) {
      this.detail = fault;
      return admission.pay(datagram) ? REJECT_TEXT : REJECT_RATE_GLOBAL;
    }
    const { said, mainPid } = this.#message;
    if ((said & SAID_ANY_BEAT) === 0) return this.#readWords(datagram);
    if ((said & message.SAID_MAINPID) !== 0 && mainPid !== datagram.peerPid) {
      const refused = this.#speakForMain(datagram, listener);
      if (refused >= 0) return refused;
    }
    this.#fillBeat(datagram);
    return TEXT_WITH_BEAT;
  }

  /** Does what the text beside its beat says; it was taken, and its slot is known. */
  obey({ slot, nowNs }: Datagram, batch: Listener["batch"]): void {
    const { said, extendUsec } = this.#message;
    const hasBeat = (said & SAID_ANY_BEAT) !== 0;
    this.counters.add(hasBeat ? NOTIFY.taken.beat : NOTIFY.taken.words);
    const { table } = this.#options.tracker;
    const known = slot < 0 ? undefined : table.said[slot];
    // Another process under the pid has said nothing yet.
    const isTriggered = this.#isTriggered && known !== undefined;
    if (known !== undefined && hasBeat && !isTriggered) known.hasTriggered = false;
    if (slot < 0 || (said === message.SAID_BEAT && !isTriggered)) return;
    if (isTriggered) table.slots.status[slot] = STATUS_CRITICAL;
    if (isTriggered || (said & message.SAID_TRIGGER) !== 0) judgeNow(table, slot, nowNs);
    if ((said & message.SAID_READY) !== 0) takeGoodbyeBack(table, slot, nowNs);
    if ((said & message.SAID_STOPPING) !== 0)
      sayGoodbye(table, slot, nowNs, goodbyeNsMax(table.slots.graceNs[slot]!));
    if ((said & ASKS) !== 0) this.#greet(slot, batch.bytes);
    if ((said & message.SAID_EXTEND_USEC) !== 0) table.askings?.askTime(slot, extendUsec, nowNs);
    if ((said & SHOWN) === 0 && !this.#isSpokenFor) return;
    const words = table.said[slot] ?? noWords();
    table.said[slot] = words;
    if (this.#isSpokenFor) words.isSpokenFor = true;
    this.#keep(words, batch.bytes, nowNs);
  }

  #keep(words: SaidWords, bytes: Uint8Array, nowNs: number): void {
    const { said, errno, statusAt, statusBytes } = this.#message;
    if ((said & message.SAID_TRIGGER) !== 0) {
      words.hasTriggered = true;
      words.triggeredNs = nowNs;
    }
    if ((said & message.SAID_READY) !== 0) words.isReloading = false;
    if ((said & message.SAID_RELOADING) !== 0) words.isReloading = true;
    if ((said & message.SAID_ERRNO) !== 0) words.errno = errno;
    if ((said & message.SAID_STATUS) !== 0)
      words.status = this.#decoder.decode(bytes.subarray(statusAt, statusAt + statusBytes));
  }

  /** As a hello does: a name, and a threshold of its own. */
  #greet(slot: number, bytes: Uint8Array): void {
    const { table } = this.#options.tracker;
    const { said, watchdogUsec, nameAt, nameBytes } = this.#message;
    const hasName = (said & message.SAID_NAME) !== 0;
    const name = hasName
      ? this.#decoder.decode(bytes.subarray(nameAt, nameAt + nameBytes))
      : (table.announced[slot] ?? "");
    const asks = (said & message.SAID_WATCHDOG_USEC) !== 0;
    table.greet(slot, name, asks ? askedOfUsec(watchdogUsec) : Number.NaN);
  }

  /** A text without a beat is about the member that has the pid, if the process is the same. */
  #readWords(datagram: Datagram): number {
    const { tracker, admission, processes } = this.#options;
    const { peerPid } = datagram;
    const slot = tracker.slotOf(peerPid);
    if (!admission.payWord(tracker.slots, slot, datagram)) return REJECT_RATE_GLOBAL;
    const startTime = slot < 0 ? Number.NaN : processes.startTime(peerPid);
    const isIts = Number.isNaN(startTime) || startTime === tracker.slots.generation[slot];
    // Of one that has just ended nothing can be read: its last words are still its own.
    datagram.slot = isIts ? slot : -1;
    return TEXT_WITHOUT_BEAT;
  }

  /** The beat is that of another process: -1, or why it is refused. */
  #speakForMain(datagram: Datagram, listener: Listener): number {
    const { tracker, admission } = this.#options;
    const { mainPid } = this.#message;
    const slot = mainPid === 0 ? -1 : tracker.slotOf(mainPid);
    this.detail = mainPid;
    if (!admission.payWord(tracker.slots, slot, datagram)) return REJECT_RATE_GLOBAL;
    const pid = this.#mainPidOf(datagram, listener, slot);
    if (pid === 0) return REJECT_MAINPID;
    datagram.pid = pid;
    datagram.peerPid = pid;
    this.#isSpokenFor = true;
    return -1;
  }

  #mainPidOf({ peerPid, peerUid }: Datagram, { batch }: Listener, slot: number): number {
    const { processes, places, observerInode, tracker, selfBeats } = this.#options;
    const { mainPid } = this.#message;
    // What no frame may state, neither; and the daemon does not watch itself.
    if (mainPid < PID_MIN || mainPid === selfBeats?.pid || places === undefined) return 0;
    // What it names in another namespace is a number of that.
    const isHere = (pid: number) => processes.namespaceInode(pid, observerInode) === observerInode;
    const startTime = processes.startTime(mainPid);
    const seat = places.placeOf(mainPid);
    if (seat === undefined || !isHere(mainPid)) return 0;
    const { generation } = tracker.slots;
    const wasItsOwn = slot >= 0 && generation[slot] === startTime;
    const senderSeat = isHere(peerPid) ? places.placeOf(peerPid) : undefined;
    // Whatever started under the pid since is another process.
    const isGone = Number.isNaN(processes.startTime(peerPid)) && processes.hasEnded(peerPid, 0);
    // Said of a sender that nobody could look at.
    if (isGone) this.detail = -mainPid;
    const isKnown = wasItsOwn && tracker.table.said[slot]?.isSpokenFor === true;
    return memberPid({
      senderPid: peerPid,
      mainPid,
      receivedGeneration: batch.receivedGeneration,
      sender: place(peerUid, isGone && isKnown ? seat : senderSeat),
      main: {
        ...seat,
        uid: processes.realUid(mainPid),
        startTime,
        isAlive: !processes.hasEnded(mainPid, startTime),
      },
    });
  }

  /** It has no number and no clock of its own: those of its member stay as they are. */
  #fillBeat(datagram: Datagram): void {
    const { slots } = this.#options.tracker;
    const slot = this.#options.tracker.slotOf(datagram.pid);
    const isTrigger = (this.#message.said & message.SAID_TRIGGER) !== 0;
    const { table } = this.#options.tracker;
    this.#isTriggered = slot >= 0 && awaitsJudgement(table, slot, datagram.nowNs);
    datagram.status = isTrigger ? STATUS_CRITICAL : STATUS_OK;
    datagram.isTerminal = false;
    datagram.payload = 0;
    datagram.nonceHi = slot < 0 ? 0 : slots.lastNonceHi[slot]!;
    datagram.nonceLo = slot < 0 ? 0 : slots.lastNonceLo[slot]!;
    datagram.timestampHi = slot < 0 ? 0 : slots.timestampHi[slot]!;
    datagram.timestampLo = slot < 0 ? 0 : slots.timestampLo[slot]!;
  }
}

function place<Seat>(uid: number, seat: Seat | undefined): (Seat & { uid: number }) | undefined {
  return seat === undefined ? undefined : { ...seat, uid };
}
