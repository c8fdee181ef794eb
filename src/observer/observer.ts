// The observer (spec 04): receives from its listeners in turn, takes in every datagram, keeps the
// tracker and says who fell silent. `poll` serves libraries, `pump` the daemon; both run the same
// steps over the same batch. Nothing here blocks, throws on input or allocates per beat; time comes
// from the injected clock.
import { assert } from "../base/assert.ts";
import * as limits from "../base/limits.ts";
import { DatagramAccounting } from "../events/accounting.ts";
import { Refusals } from "../events/refusals.ts";
import { type Event, eventFromRow, eventFromStall, type StallEvent } from "../events/event.ts";
import { EventBatch, type EventSink } from "../events/event_batch.ts";
import type { Stall } from "../events/stall.ts";
import type { Listener } from "../listener/listener.ts";
import { Tracker } from "../tracker/tracker.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import { type AskedBeat, AskedBeats } from "./asked_beats.ts";
import type { ClockSource, ObserverClock } from "./clock.ts";
import { Intake } from "./intake.ts";
import { type ObserverOptions, trackerOptions } from "./observer_options.ts";
import type { Greetings } from "./greetings.ts";
import { ListenerSet } from "./listener_set.ts";
import type { NotifyTexts } from "./notify_texts.ts";
import { IdentityResolver } from "./identity.ts";
import { SilenceWatch } from "./silence_watch.ts";
import { PauseWatch } from "./pause_watch.ts";
import type { SharedPid } from "./shared_pids.ts";
import { ReceiveFailures } from "./receive_failures.ts";

const NO_LIMITS: AdmissionOptions = { perPidRate: 0, globalRate: 0, globalBurst: 0 };

export class Observer {
  readonly tracker: Tracker;
  readonly clock: ObserverClock;
  readonly accounting = new DatagramAccounting();
  /** What was refused and why, with an example of each. */
  readonly refusals = new Refusals();
  readonly observerInode: number;
  /** How often and how long no agent could be heard. */
  readonly pauses: PauseWatch;
  /** True if the last poll or pump took a datagram. */
  lastPollConsumed = false;
  /** True if the last pump ended by its budget or its time: more may wait. */
  lastPumpCutOff = false;
  readonly #listeners = new ListenerSet();
  readonly #rows = new EventBatch();
  readonly #intake: Intake;
  /** Hellos and byes. */
  readonly greetings: Greetings;
  /** The limits of members and of all. */
  readonly admission: Admission;
  readonly silence: SilenceWatch;
  readonly #readPidMax: (() => number) | undefined;
  #pidMaxReadNs = 0;
  // The batch in hand: datagrams #next .. #count-1 of the listener at #cursor of those in force,
  // received at #batchNs.
  #cursor = 0;
  #next = 0;
  #count = 0;
  #batchNs = 0;
  /** Listeners found empty one after the other, for poll(): a full round of them ends it. */
  #emptyRun = 0;
  readonly #failures = new ReceiveFailures();
  readonly #asked: AskedBeats;

  constructor(options: ObserverOptions) {
    if (!(options.thresholdNs >= limits.THRESHOLD_NS_MIN))
      throw new RangeError(
        `Cannot make an observer: threshold must be at least ${limits.THRESHOLD_NS_MIN} ns: current value is ${options.thresholdNs}`,
      );
    this.clock = options.clock;
    this.observerInode = options.observerInode ?? Number.NaN;
    this.tracker = new Tracker(trackerOptions(options));
    const { judgeLimit: slotsMax = Infinity, pauseGapNs = Infinity, verdictOf } = options;
    const asleepNs = () => this.clock.asleepNs;
    this.pauses = new PauseWatch(this.tracker.pauses, pauseGapNs, asleepNs);
    const { tracker, clock, pauses } = this;
    const { guard } = options;
    this.silence = new SilenceWatch({ tracker, clock, pauses, slotsMax, verdictOf, guard });
    this.admission = new Admission(options.admission ?? NO_LIMITS);
    this.#intake = new Intake({
      tracker: this.tracker,
      identity: new IdentityResolver(options.processes, this.tracker, this.observerInode),
      processes: options.processes,
      places: options.places,
      admission: this.admission,
      accounting: this.accounting,
      refusals: this.refusals,
      rows: this.#rows,
      observerInode: this.observerInode,
      allowCrossNamespace: options.allowCrossNamespace ?? false,
      selfBeats: options.selfBeats,
    });
    this.greetings = this.#intake.greetings;
    this.#asked = new AskedBeats(this.tracker, this.#intake, this.accounting);
    this.#readPidMax = options.readPidMax;
    this.#intake.pidMax = this.#readPidMax?.() ?? 2 ** 32 - 1;
  }

  /** By number, also those that were removed. */
  get listeners(): readonly Listener[] {
    return this.#listeners.byNumber;
  }

  /** The numbers of the others; another array after every change. */
  get listenersInForce(): readonly number[] {
    return this.#listeners.inForce;
  }

  /** The system's clock that times are read from; undefined = another one was injected. */
  get clockSource(): ClockSource | undefined {
    return this.clock.source;
  }

  /** SO_RCVBUF of the first Unix listener as it was granted; 0 = not set, or there is none. */
  get udsRcvbufBytes(): number {
    return this.listeners.find(({ kind }) => kind === "unix")?.rcvbufBytes ?? 0;
  }

  /** Of a member that is new, as the configuration says; each has its own in its lane. */
  get thresholdNs(): number {
    return this.tracker.thresholdNs;
  }

  /**
   * Judge points so far; stands still if stalls are no longer judged, which the service manager
   * must then learn.
   */
  get judgePoints(): number {
    return this.silence.count;
  }

  /** Receive errors that dequeued nothing. */
  get ioErrors(): number {
    return this.#failures.count;
  }

  get pidMax(): number {
    return this.#intake.pidMax;
  }

  get texts(): NotifyTexts {
    return this.#intake.texts;
  }

  addListener(listener: Listener): void {
    this.#listeners.put(this.listeners.length, listener);
  }

  /**
   * Other listeners from now on: those of the numbers that are undefined are closed. Between two
   * turns, when no datagram is in hand.
   */
  changeListeners(changes: ReadonlyMap<number, Listener | undefined>): void {
    assert(this.#next === this.#count, "the batch in hand is taken first");
    for (const [number, listener] of changes) {
      this.#failures.succeeded(number);
      if (listener === undefined) this.#listeners.remove(number);
      else this.#listeners.put(number, listener);
    }
    this.#cursor = 0;
    this.#emptyRun = 0;
    this.silence.forgetEmpty();
  }

  nowNs(): number {
    return this.clock.nowNs();
  }

  /** The next event, or undefined if one round over the listeners yielded none. */
  poll(): Event | undefined {
    this.lastPollConsumed = false;
    const { length } = this.#listeners.inForce;
    for (let receives = 0; ; ) {
      while (this.#next < this.#count) {
        this.#takeNext();
        if (this.#intake.rows.count > 0) return this.#takeEvent();
      }
      if (receives >= length || this.#emptyRun >= length) break;
      receives++;
      if (this.#receive()) this.#emptyRun = 0;
      else {
        this.#emptyRun++;
        if (this.#intake.rows.count > 0) return this.#takeEvent();
      }
    }
    // A round that ended empty after datagrams without events is over: the next call says so
    // without a second round.
    if (this.#emptyRun >= length && !this.lastPollConsumed) this.#emptyRun = 0;
    return undefined;
  }

  /**
   * Receives until one full round found every listener empty, `budget` datagrams were consumed or a
   * receive was more than `budgetNs` after the first one, and hands the rows of every batch to
   * `sink`. Returns the number of datagrams consumed.
   */
  pump(sink: EventSink, budget: number, budgetNs = Number.POSITIVE_INFINITY): number {
    const { length } = this.#listeners.inForce;
    let consumed = 0;
    let emptyRun = 0;
    let endNs = Number.POSITIVE_INFINITY;
    if (this.#asked.count > 0) this.#takeAsked(sink);
    while (consumed < budget && emptyRun < length && this.#batchNs <= endNs) {
      if (this.#next >= this.#count) {
        const received = this.#receive();
        if (endNs === Number.POSITIVE_INFINITY) endNs = this.#batchNs + budgetNs;
        if (!received) {
          emptyRun++;
          this.#deliver(sink);
          continue;
        }
      }
      emptyRun = 0;
      consumed += this.#count - this.#next;
      while (this.#next < this.#count) {
        if (!this.#takeSteady()) this.#takeNext();
      }
      this.#deliver(sink);
    }
    this.#emptyRun = 0;
    this.lastPollConsumed = consumed > 0;
    this.lastPumpCutOff = emptyRun < length;
    return consumed;
  }

  /** The oldest unread stall as an event, or undefined. */
  pollPending(): StallEvent | undefined {
    const stall = this.silence.stalls.take();
    return stall === undefined ? undefined : eventFromStall(stall);
  }

  /** The oldest unread stall as the sinks want it, or undefined. */
  takeStall(): Stall | undefined {
    return this.silence.stalls.take();
  }

  hasPendingStalls(): boolean {
    return this.silence.stalls.unread > 0;
  }

  /**
   * Whether a recovery may still fire for a stall: FRESH_* of the tracker. An agent whose beats
   * were refused within the threshold is not silent, if kernel or key vouch for them.
   */
  stallFreshness(key: number, generation: number): number {
    return this.tracker.stallFreshness(key, generation, this.clock.lastNs);
  }

  /** When a poll or pump has work without a datagram at the earliest; +Infinity = never. */
  nextDeadline(): number {
    if (this.#asked.count > 0) return this.clock.lastNs;
    const ofListeners = this.#listeners.nextDueNs(this.#failures);
    return Math.min(this.silence.nextDeadlineNs(), this.#intake.lookNs, ofListeners);
  }

  /**
   * Longest wait that may be planned: while a deadline runs, a pause must not hide in the rest of
   * the wait in which it began.
   */
  get waitNsMax(): number {
    const isWatching = this.silence.nextDeadlineNs() !== Number.POSITIVE_INFINITY;
    return isWatching ? this.pauses.gapNsMax : Number.POSITIVE_INFINITY;
  }

  /**
   * Announces a wait of at most `ns` before the next poll or pump: it is neither a clock jump nor a
   * pause.
   */
  allowIdle(ns: number): void {
    this.clock.allowIdle(ns);
    this.pauses.plan(ns);
  }

  /** Reads pid_max again if the last reading is a minute old; true if it did. */
  maybeRefreshPidMax(nowNs: number): boolean {
    if (this.#readPidMax === undefined) return false;
    if (nowNs - this.#pidMaxReadNs < limits.PID_MAX_REFRESH_NS) return false;
    this.#pidMaxReadNs = nowNs;
    this.#intake.pidMax = this.#readPidMax();
    return true;
  }

  /**
   * When a listener that keeps failing is tried again; 0 = it is not suspended. Its descriptor
   * would only spin the wait.
   */
  suspendedUntilNs(listenerNumber: number): number {
    return this.#failures.suspendedUntilNs(listenerNumber);
  }

  /** A beat that another process asks for; the next pump takes it. */
  ask(beat: AskedBeat): void {
    this.#asked.add(beat);
  }

  /** Closes all listeners; idempotent. */
  close(): void {
    this.#listeners.close();
  }

  /** Time spent in judge points since the last call, for the stage histogram. */
  takeJudgeNs(): number {
    return this.silence.takeNs();
  }

  /** A pid that the tracker removed, last first; -1 = none. It may be tracked again by now. */
  drainEvictedPid(): number {
    return this.tracker.takeEvictedPid();
  }

  /** A pid that several sources claimed by plain UDP since the last call; undefined = none. */
  takeSharedPid(): SharedPid | undefined {
    return this.#intake.shared.take();
  }

  // Only between two batches: the intake has one prepared at a time.
  #takeAsked(sink: EventSink): void {
    if (this.#next < this.#count) return;
    const nowNs = this.clock.nowNs();
    while (this.#asked.count > 0) {
      this.#asked.takeOne(nowNs);
      this.#deliver(sink);
    }
  }

  #takeEvent(): Event {
    this.#intake.rows.count = 0;
    return eventFromRow(this.#rows, 0, this.observerInode);
  }

  #deliver(sink: EventSink): void {
    const count = this.#intake.rows.count;
    if (count === 0) return;
    this.#intake.rows.count = 0;
    sink(this.#rows, count);
  }

  // Takes in the next datagram of the batch in hand.
  #takeNext(): void {
    const { byNumber, inForce } = this.#listeners;
    this.#intake.take(byNumber[inForce[this.#cursor]!]!, this.#next);
    this.#took(1);
  }

  // Takes in plain beats at the front of the batch in hand, all at once; false if the next datagram
  // is none.
  #takeSteady(): boolean {
    const taken = this.#intake.takeSteady(this.#next, this.#count);
    if (taken > 0) this.#took(taken);
    return taken > 0;
  }

  #took(count: number): void {
    this.#next += count;
    this.lastPollConsumed = true;
    this.silence.consumed(count);
    if (this.#next === this.#count) this.#endBatch();
  }

  // One receive from the listener at the cursor; true if it gave datagrams.
  #receive(): boolean {
    const listenerNumber = this.#listeners.inForce[this.#cursor]!;
    const listener = this.#listeners.byNumber[listenerNumber]!;
    const nowNs = this.clock.nowNs();
    this.#batchNs = nowNs;
    if (this.pauses.listen(nowNs)) this.silence.pauseIsOver();
    if (nowNs >= this.#intake.lookNs) this.#intake.lookNs = Number.POSITIVE_INFINITY;
    const suspended = this.#failures.isSuspended(listenerNumber, nowNs);
    const count = suspended ? 0 : listener.receive(nowNs);
    this.#next = 0;
    this.#count = Math.max(0, count);
    if (count < 0) {
      this.#failures.failed(listenerNumber, nowNs);
      this.#intake.receiveFailed(listenerNumber, -count, nowNs);
    } else if (!suspended) this.#failures.succeeded(listenerNumber);
    if (count > 0) {
      if (listener.batch.foundFull) this.pauses.foundFull(nowNs);
      this.#intake.hearsOut = this.silence.hearsOut;
      this.#intake.prepare(listenerNumber, listener, count, nowNs);
      return true;
    }
    this.#endBatch();
    return false;
  }

  // No datagram of the batch is left: the cursor moves on, and stalls may be judged.
  #endBatch(): void {
    const { byNumber, inForce } = this.#listeners;
    const listenerNumber = inForce[this.#cursor]!;
    const listener = byNumber[listenerNumber]!;
    listener.release?.();
    if (this.#count < listener.batch.countMax) this.silence.foundEmpty(listenerNumber);
    this.#cursor = (this.#cursor + 1) % inForce.length;
    this.silence.offer(inForce.length);
  }
}
