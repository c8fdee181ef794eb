// Members that may hold a dead connection (spec 18 section 6.1): they beat to a socket of the
// daemon before this one, and this one had to make it anew. A client that connected once and does
// not connect again sends into nothing for ever, although it lives. So one that is silent because
// of that gets more time, as long as its process shows that it runs; one that does not move is
// judged after one threshold like every other.
import { block, Counters, counter } from "../base/counters.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { RestoredGate } from "../tracker/restored_gate.ts";
import type { Stall } from "../events/stall.ts";
import type { Tracker } from "../tracker/tracker.ts";

/** Nobody is held for longer after the start. */
const HELD_NS_MAX = 10 * NS_PER_S;
/** Looks at processes take so long of a judge point, and first readings so long of a turn. */
const LOOKS_NS_MAX = NS_PER_MS;

interface RunReader {
  /** It is this process, and not over, stopped, traced or frozen. */
  mayRun(pid: number, generation: number): boolean;
  /** Changes if it has run; NaN = that is kept from us. */
  runsOf(pid: number): number;
}

interface CutOffOptions {
  readonly tracker: Tracker;
  readonly reader: RunReader;
  /** A monotonic clock for durations, in ns. */
  readonly monotonicNs: () => number;
}

interface Reading {
  /** NaN = it was not read yet. */
  runs: number;
  /** It is known to have run since then. */
  movedNs: number;
  isHeld: boolean;
  isCounted: boolean;
}

export const CUT_OFF = block({
  held: counter(
    "varta_watch_member_cut_off_total",
    "Members that were held after the start: silent, but running, and maybe on a dead connection.",
  ),
});

export class CutOffMembers implements RestoredGate {
  readonly counters = new Counters(CUT_OFF, this);
  readonly #options: CutOffOptions;
  /** When this daemon began to listen, if members of the one before it came back. */
  #startNs = Number.NEGATIVE_INFINITY;
  #endNs = Number.NEGATIVE_INFINITY;
  #listeners: ReadonlySet<number> = new Set();
  /** By the keys of those that were looked at: at a start there may be ten thousand to look at. */
  readonly #readings = new Map<number, Reading>();
  /** Keys of those that may be held, and how many of them have a first reading. */
  #keys = new Uint32Array(0);
  #readCount = 0;
  /** Of the judge point at `#judgeNs`, the time that looks took. */
  #usedNs = 0;
  #judgeNs = Number.NaN;

  constructor(options: CutOffOptions) {
    this.#options = options;
  }

  /**
   * The members of `slots` came back at `startNs`, with their thresholds; the sockets of the
   * `listeners`, by number, were made anew.
   */
  begin(slots: Int32Array, listeners: ReadonlySet<number>, startNs: number): void {
    const { tracker } = this.#options;
    this.#startNs = startNs;
    this.#endNs = startNs + HELD_NS_MAX;
    this.#listeners = listeners;
    const keys = new Uint32Array(slots.length);
    let count = 0;
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]!;
      if (tracker.slots.isLatched(slot) || tracker.slots.hasEnded(slot)) continue;
      if (this.#mayBeHeld(slot)) keys[count++] = tracker.slots.key[slot]!;
    }
    // Who has been silent for the longest comes first in both.
    this.#keys = keys.subarray(0, count);
    if (count > 0) tracker.table.restoredGate = this;
  }

  /** Nothing of it was heard since this daemon began, and its connection may be dead. */
  mayBe({ origin, listener, lastNs }: Pick<Stall, "origin" | "listener" | "lastNs">): boolean {
    return this.isBefore(lastNs) && this.#isCutOff(origin, listener);
  }

  isBefore(ns: number): boolean {
    return ns < this.#startNs;
  }

  /** The member of `slot` is silent for its threshold, and is held because it runs. */
  isHeld(slot: number): boolean {
    const { slots, table } = this.#options.tracker;
    const isHeld = this.#readings.get(slots.key[slot]!)?.isHeld === true;
    return isHeld && this.isBefore(slots.lastNs[slot]!) && table.lanes.graces.has(slot);
  }

  judgedFromNs(slot: number, nowNs: number): number {
    const { slots } = this.#options.tracker;
    if (this.#keys.length === 0 || nowNs >= this.#endNs) return nowNs;
    if (!this.isBefore(slots.lastNs[slot]!) || slots.hasEnded(slot)) return nowNs;
    if (!this.#mayBeHeld(slot)) return nowNs;
    const reading = this.#readingOf(slots.key[slot]!);
    if (this.#judgeNs !== nowNs) this.#usedNs = 0;
    this.#judgeNs = nowNs;
    if (this.#usedNs >= LOOKS_NS_MAX) return Number.NaN;
    const untilNs = this.#look(slot, reading, nowNs);
    reading.isHeld = untilNs > nowNs;
    if (reading.isHeld && !reading.isCounted) this.counters.add(CUT_OFF.held);
    reading.isCounted ||= reading.isHeld;
    return untilNs;
  }

  #look(slot: number, reading: Reading, nowNs: number): number {
    const { tracker, reader, monotonicNs } = this.#options;
    const { slots } = tracker;
    const beganNs = monotonicNs();
    const pid = slots.pid[slot]!;
    const runs = reader.mayRun(pid, slots.generation[slot]!) ? reader.runsOf(pid) : Number.NaN;
    this.#usedNs += monotonicNs() - beganNs;
    if (Number.isNaN(runs)) return nowNs;
    if (runs !== reading.runs) {
      reading.runs = runs;
      reading.movedNs = nowNs;
    }
    // An agent may run as seldom as once in a threshold.
    const thresholdNs = tracker.thresholdOf(slot);
    return Math.min(reading.movedNs + thresholdNs, nowNs + thresholdNs / 2, this.#endNs);
  }

  nextDeadlineNs(): number {
    if (this.#readCount < this.#keys.length) return Number.NEGATIVE_INFINITY;
    return this.#keys.length > 0 ? this.#endNs : Number.POSITIVE_INFINITY;
  }

  /** First readings are taken in the turns after the start. */
  maintain(nowNs: number): void {
    if (this.#keys.length === 0) return;
    if (nowNs >= this.#endNs) {
      this.#readings.clear();
      this.#keys = new Uint32Array(0);
      this.#readCount = 0;
      this.#options.tracker.table.restoredGate = undefined;
      return;
    }
    const { monotonicNs } = this.#options;
    const endNs = monotonicNs() + LOOKS_NS_MAX;
    while (this.#readCount < this.#keys.length && monotonicNs() < endNs)
      this.#read(this.#keys[this.#readCount++]!, nowNs);
  }

  #read(key: number, nowNs: number): void {
    const { tracker, reader } = this.#options;
    const slot = tracker.slotOf(key);
    if (slot < 0 || tracker.slots.lastNs[slot]! >= this.#startNs) return;
    const reading = this.#readingOf(key);
    if (!Number.isNaN(reading.runs)) return;
    reading.runs = reader.runsOf(tracker.slots.pid[slot]!);
    // In what is left of its threshold it need not run.
    if (nowNs - this.#startNs > tracker.thresholdOf(slot) / 2) reading.movedNs = nowNs;
  }

  #readingOf(key: number): Reading {
    const known = this.#readings.get(key);
    if (known !== undefined) return known;
    const movedNs = this.#startNs;
    const reading = { runs: Number.NaN, movedNs, isHeld: false, isCounted: false };
    this.#readings.set(key, reading);
    return reading;
  }

  #mayBeHeld(slot: number): boolean {
    const { slots } = this.#options.tracker;
    if (!(this.#options.tracker.thresholdOf(slot) < HELD_NS_MAX)) return false;
    return this.#isCutOff(slots.origin[slot]!, slots.listener[slot]!);
  }

  #isCutOff(origin: number, listener: number): boolean {
    return origin === ORIGIN_KERNEL_ATTESTED && this.#listeners.has(listener);
  }
}
