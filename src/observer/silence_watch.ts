// When silence is judged (spec 04 section 4), and what was found: stalls are judged only when no
// received datagram waits and either all sockets were seen empty, so that beats that had arrived
// count, or a flood has kept the observer from judging for long enough. While stalls of an earlier
// judge point are unread, nothing is judged.
import { assert } from "../base/assert.ts";
import { block, Counters, counter } from "../base/counters.ts";
import * as limits from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import type { Tracker } from "../tracker/tracker.ts";
import type { PauseWatch } from "./pause_watch.ts";
import type { ObserverClock } from "./clock.ts";
import type { Guard } from "./guard.ts";
import { GuardWatch } from "./guard_watch.ts";
import { StallQueue, type VerdictOf } from "./stall_queue.ts";

/**
 * How long what waited at the end of a pause may be read before anybody is judged: stream
 * connections may hold a million frames together, of which each has its turn.
 */
const HEAR_OUT_NS_MAX = NS_PER_S;

export const LATES = block({
  lates: counter(
    "varta_member_lates_total",
    "Silences that were longer than the late of a rule: each is told once.",
  ),
});

interface SilenceOptions {
  readonly tracker: Tracker;
  readonly clock: ObserverClock;
  readonly pauses: PauseWatch;
  /** Slots that are taken at one judge point at most. */
  readonly slotsMax: number;
  readonly verdictOf: VerdictOf | undefined;
  /** Undefined = silence is never the observer's own fault. */
  readonly guard: Guard | undefined;
}

export class SilenceWatch {
  readonly counters = new Counters(LATES, this);
  /** Judge points so far. */
  count = 0;
  /** Slots that are taken at one judge point at most. */
  readonly slotsMax: number;
  readonly guarded: GuardWatch | undefined;
  /** What was found and not yet taken. */
  readonly stalls: StallQueue;
  readonly #tracker: Tracker;
  readonly #clock: ObserverClock;
  readonly #pauses: PauseWatch;
  /** Time spent in judge points, reset by takeNs(). */
  #ns = 0;
  // Since the last judge point: which listeners were found empty or failed, and the datagrams
  // consumed.
  readonly #wasEmpty = new Uint8Array(limits.LISTENERS_MAX);
  #emptyCount = 0;
  #consumed = 0;
  /** There was a pause, and what waited at its end is not heard yet. */
  #hearsOut = false;
  /** How long that has taken, as of the last offer; in another pause nothing was read. */
  #heardOutNs = 0;
  #offeredNs = 0;
  /** There was one right before a judge point: the next one judges, come what may. */
  #wasPutOff = false;

  constructor(options: SilenceOptions) {
    const { tracker, clock, pauses, slotsMax, verdictOf, guard } = options;
    this.guarded = guard && new GuardWatch(tracker, guard);
    this.#tracker = tracker;
    this.#clock = clock;
    this.#pauses = pauses;
    // A member may move more than once, out of its grace and to a stall, but stalls once.
    this.slotsMax = slotsMax;
    this.stalls = new StallQueue(
      tracker,
      Math.min(slotsMax, tracker.table.slots.rowCount),
      verdictOf,
    );
  }

  /** What waited at the end of a pause is being read, and nobody is judged before. */
  get hearsOut(): boolean {
    return this.#hearsOut;
  }

  consumed(count: number): void {
    this.#consumed += count;
  }

  foundEmpty(listenerNumber: number): void {
    if (this.#wasEmpty[listenerNumber] === 1) return;
    this.#wasEmpty[listenerNumber] = 1;
    this.#emptyCount++;
  }

  /**
   * A pause is over: all that waits in the sockets counts before anybody is judged. Another one
   * before that begins nothing anew, or a machine that is late every time would judge nobody.
   */
  pauseIsOver(): void {
    if (this.#hearsOut) return;
    this.#hearsOut = true;
    this.#heardOutNs = 0;
    this.#offeredNs = this.#clock.lastNs;
    this.#consumed = 0;
    this.forgetEmpty();
  }

  /** There are other listeners: each has to be found empty again. */
  forgetEmpty(): void {
    this.#wasEmpty.fill(0);
    this.#emptyCount = 0;
  }

  /** To be called whenever no received datagram waits: judges if it is time. */
  offer(listenerCount: number): void {
    if (this.#emptyCount !== listenerCount && !this.#hasConsumedAll()) return;
    this.forgetEmpty();
    this.#consumed = 0;
    if (this.stalls.unread > 0) return;
    const nowNs = this.#clock.nowNs();
    const hasPaused = this.#pauses.listen(nowNs);
    this.#hearsOut = false;
    // Between the read of the sockets and here the observer may have been stopped, too: they are
    // read again, but once only.
    this.#wasPutOff = hasPaused && !this.#wasPutOff;
    if (this.#wasPutOff) {
      this.pauseIsOver();
      return;
    }
    this.stalls.restart(nowNs);
    this.count++;
    this.guarded?.look(nowNs);
    if (this.#tracker.nextDeadline() > nowNs) return;
    const latesBefore = this.stalls.lates.length;
    this.#tracker.drainDue(nowNs, this.slotsMax, this.stalls);
    this.counters.add(LATES.lates, this.stalls.lates.length - latesBefore);
    this.#ns += this.#clock.nowNs() - nowNs;
  }

  #hasConsumedAll(): boolean {
    if (!this.#hearsOut) return this.#consumed >= limits.JUDGE_DATAGRAMS_MAX;
    const { lastNs } = this.#clock;
    this.#heardOutNs += Math.min(lastNs - this.#offeredNs, this.#pauses.gapNsMax);
    this.#offeredNs = lastNs;
    return this.#consumed >= limits.HEAR_OUT_DATAGRAMS_MAX || this.#heardOutNs >= HEAR_OUT_NS_MAX;
  }

  /**
   * The members of `slots`, at most `slotsMax`, are stalled, whatever their silence. Requires that
   * no stall of an earlier judge point is unread.
   */
  judgeNow(slots: readonly number[]): void {
    assert(this.stalls.unread === 0, "stalls of an earlier judge point are taken first");
    assert(slots.length <= this.slotsMax, "the queue has room for what is judged at once");
    this.stalls.restart(this.#clock.lastNs);
    for (const slot of slots) this.#tracker.ends.judge(slot, this.stalls);
  }

  /** When a judge point has something to do at the earliest; +Infinity = never. */
  nextDeadlineNs(): number {
    const guardNs = this.guarded?.nextDeadlineNs(this.#clock.lastNs);
    return Math.min(this.#tracker.nextDeadline(), guardNs ?? Number.POSITIVE_INFINITY);
  }

  /** Time spent in judge points since the last call. */
  takeNs(): number {
    const ns = this.#ns;
    this.#ns = 0;
    return ns;
  }
}
