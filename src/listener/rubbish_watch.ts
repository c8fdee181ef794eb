// When a listener's socket gets its filter against rubbish, and when it loses it. A flood that
// takes every place in the queue of a socket keeps the beats of honest senders out: they look
// silent through no fault of theirs. So above a rate of refusals the kernel drops rubbish before it
// is queued; one in 64 passes and says how much there is (one in 4,096 while that sample is a flood
// itself). Only refusals that the filter could have spared the daemon count, and only the datagram
// shows which: the receives of a suspected listener count them (spec 05 section 8).
import { blockPer, counter, type ShowCounters } from "../base/counters.ts";
import { LISTENERS_MAX, RUBBISH_SAMPLE, RUBBISH_SAMPLE_RARE } from "../base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import type { KernelFilter } from "./kernel_filter.ts";
import type { Listener } from "./listener.ts";

/**
 * Datagrams per second that are no frames above which a listener gets its filter, and below which
 * it loses it after its time.
 */
const RUBBISH_PER_S_MAX = 1_000;
const RUBBISH_PER_S_CALM = 200;
/**
 * Over so long the rate is taken: a tenth of the threshold within these bounds. A short burst is
 * over by then and counted whole, and an agent that beats a few times within a threshold can lose
 * one beat before the filter is on.
 */
const RUBBISH_LOOK_NS_MAX = 100 * NS_PER_MS;
const RUBBISH_LOOK_NS_MIN = 10 * NS_PER_MS;
/** Under the filter the rate is an estimate from one in 64: a second has at least some of them. */
const RUBBISH_FILTERED_LOOK_NS = NS_PER_S;
/** Calm seconds in a row after which the filter is taken off. */
const RUBBISH_CALM_LOOKS = 10;

/** What is reported to a person, by listener number. */
export interface RubbishReports {
  /** `perSecond`: the rubbish that made the flood. */
  filterAttached(listenerNumber: number, perSecond: number): void;
  /** `filtered` is an estimate. */
  filterDetached(listenerNumber: number, filtered: number, onForNs: number): void;
  filterUnavailable(listenerNumber: number, errno: number): void;
}

interface RubbishWatchOptions {
  readonly listeners: readonly Listener[];
  readonly accounting: DatagramAccounting;
  readonly reports: RubbishReports;
  /** Of a stall. */
  readonly thresholdNs: number;
}

export const RUBBISH = blockPer(["listener"], {
  filtered: counter(
    "varta_datagrams_filtered_estimate_total",
    "Rubbish that the kernel dropped for a listener before it was queued; estimated from one in 64, and in no other counter.",
  ),
});

const LOOKS_PER_THRESHOLD = 10;

const QUIET = 0;
/** Refusals come fast: what are they? */
const SUSPECTING = 1;
const FILTERING = 2;
/** Its socket has no filter, or the kernel refused it. */
const HELPLESS = 3;

export class RubbishWatch {
  /** Datagrams that the kernel's filter dropped, by listener number: an estimate. It only grows. */
  readonly filteredEstimate = new Float64Array(LISTENERS_MAX);
  readonly #options: RubbishWatchOptions;
  #lookNs!: number;
  /** Fewer than that are not worth a look, whatever their rate in a moment. */
  #refusalsMin!: number;
  readonly #state = new Uint8Array(LISTENERS_MAX);
  readonly #lookBeganNs = new Float64Array(LISTENERS_MAX);
  readonly #refusedBefore = new Float64Array(LISTENERS_MAX);
  readonly #counted = new Float64Array(LISTENERS_MAX);
  readonly #dropped = new Float64Array(LISTENERS_MAX);
  readonly #sample = new Uint32Array(LISTENERS_MAX);
  readonly #calmLooks = new Uint8Array(LISTENERS_MAX);
  readonly #attachedNs = new Float64Array(LISTENERS_MAX);
  readonly #filteredBefore = new Float64Array(LISTENERS_MAX);

  constructor(options: RubbishWatchOptions) {
    this.#options = options;
    this.change(options.thresholdNs);
  }

  /** Another threshold of a stall. */
  change(thresholdNs: number): void {
    const lookNs = Math.max(RUBBISH_LOOK_NS_MIN, thresholdNs / LOOKS_PER_THRESHOLD);
    this.#lookNs = Math.min(RUBBISH_LOOK_NS_MAX, lookNs);
    this.#refusalsMin = (RUBBISH_PER_S_MAX * this.#lookNs) / NS_PER_S;
  }

  /** Gives a page the estimate of each listener. */
  showCounters(show: ShowCounters): void {
    for (const number of this.#options.listeners.keys()) this.showListener(number, show);
  }

  /** The estimate of one listener. */
  showListener(number: number, show: ShowCounters): void {
    const { name } = this.#options.listeners[number]!;
    const columns = [this.filteredEstimate.subarray(number, number + 1)];
    show({ block: RUBBISH, columns, refresh() {} }, { listener: name }, number);
  }

  /** Its socket, or the listener of that number, is another one: nothing is known of it. */
  forget(listenerNumber: number, nowNs: number): void {
    const { filter } = this.#options.listeners[listenerNumber]!;
    if (filter !== undefined) this.#calmDown(listenerNumber, filter, nowNs);
    this.#state[listenerNumber] = QUIET;
  }

  /** Goes over every listener; to be called after every turn. */
  look(nowNs: number): void {
    const { listeners, accounting } = this.#options;
    const { received, accepted } = accounting;
    for (let listenerNumber = 0; listenerNumber < listeners.length; listenerNumber++) {
      const state = this.#state[listenerNumber]!;
      if (state === QUIET)
        this.#lookAtQuiet(
          listenerNumber,
          received[listenerNumber]! - accepted[listenerNumber]!,
          nowNs,
        );
      else if (state !== HELPLESS)
        this.#lookCloser(listenerNumber, listeners[listenerNumber]!.filter!, nowNs);
    }
  }

  /** When a look is over that began already; +Infinity if there is none. */
  nextDeadlineNs(): number {
    let nextNs = Number.POSITIVE_INFINITY;
    for (
      let listenerNumber = 0;
      listenerNumber < this.#options.listeners.length;
      listenerNumber++
    ) {
      const state = this.#state[listenerNumber]!;
      if (state === QUIET || state === HELPLESS) continue;
      const lookNs = state === SUSPECTING ? this.#lookNs : RUBBISH_FILTERED_LOOK_NS;
      nextNs = Math.min(nextNs, this.#lookBeganNs[listenerNumber]! + lookNs);
    }
    return nextNs;
  }

  maintain(nowNs: number): void {
    this.look(nowNs);
  }

  #lookAtQuiet(listenerNumber: number, refused: number, nowNs: number): void {
    const sinceNs = nowNs - this.#lookBeganNs[listenerNumber]!;
    const count = refused - this.#refusedBefore[listenerNumber]!;
    if (count >= this.#refusalsMin && isAbove(count, RUBBISH_PER_S_MAX, sinceNs)) {
      const { filter } = this.#options.listeners[listenerNumber]!;
      this.#state[listenerNumber] = filter === undefined ? HELPLESS : SUSPECTING;
      if (filter === undefined) return;
      filter.isCounting = true;
      filter.takeCounted();
      this.#counted[listenerNumber] = 0;
    } else if (sinceNs < this.#lookNs) return;
    this.#beginLook(listenerNumber, refused, nowNs);
  }

  #lookCloser(listenerNumber: number, filter: KernelFilter, nowNs: number): void {
    this.#counted[listenerNumber]! += filter.takeCounted();
    if (this.#state[listenerNumber] === SUSPECTING) {
      this.#suspect(listenerNumber, filter, nowNs);
      return;
    }
    const dropped = filter.takeDropped();
    this.filteredEstimate[listenerNumber]! += dropped;
    this.#dropped[listenerNumber]! += dropped;
    if (this.#counted[listenerNumber]! >= RUBBISH_PER_S_MAX)
      this.#setSample(listenerNumber, filter, RUBBISH_SAMPLE_RARE);
    const sinceNs = nowNs - this.#lookBeganNs[listenerNumber]!;
    if (sinceNs >= RUBBISH_FILTERED_LOOK_NS) this.#endLook(listenerNumber, filter, sinceNs, nowNs);
  }

  #endLook(listenerNumber: number, filter: KernelFilter, sinceNs: number, nowNs: number): void {
    const count = this.#counted[listenerNumber]! + this.#dropped[listenerNumber]!;
    this.#counted[listenerNumber] = 0;
    this.#dropped[listenerNumber] = 0;
    this.#lookBeganNs[listenerNumber] = nowNs;
    if (!isAbove(count, RUBBISH_SAMPLE * RUBBISH_PER_S_MAX, sinceNs))
      this.#setSample(listenerNumber, filter, RUBBISH_SAMPLE);
    const isCalm = !isAbove(count, RUBBISH_PER_S_CALM, sinceNs);
    this.#calmLooks[listenerNumber] = isCalm ? this.#calmLooks[listenerNumber]! + 1 : 0;
    if (this.#calmLooks[listenerNumber]! >= RUBBISH_CALM_LOOKS)
      this.#takeOff(listenerNumber, filter, nowNs);
    else filter.renew();
  }

  #setSample(listenerNumber: number, filter: KernelFilter, sample: number): void {
    if (this.#sample[listenerNumber] === sample) return;
    this.#sample[listenerNumber] = sample;
    filter.attach(sample);
  }

  #suspect(listenerNumber: number, filter: KernelFilter, nowNs: number): void {
    const count = this.#counted[listenerNumber]!;
    const sinceNs = nowNs - this.#lookBeganNs[listenerNumber]!;
    if (sinceNs < this.#lookNs) return;
    if (count >= this.#refusalsMin && isAbove(count, RUBBISH_PER_S_MAX, sinceNs))
      this.#putOn(listenerNumber, filter, (count * NS_PER_S) / Math.max(1, sinceNs), nowNs);
    else this.#calmDown(listenerNumber, filter, nowNs);
  }

  #putOn(listenerNumber: number, filter: KernelFilter, perSecond: number, nowNs: number): void {
    const { reports } = this.#options;
    const result = filter.attach(RUBBISH_SAMPLE);
    if (result < 0) {
      filter.isCounting = false;
      this.#state[listenerNumber] = HELPLESS;
      reports.filterUnavailable(listenerNumber, -result);
      return;
    }
    this.#state[listenerNumber] = FILTERING;
    this.#sample[listenerNumber] = RUBBISH_SAMPLE;
    this.#counted[listenerNumber] = 0;
    this.#dropped[listenerNumber] = 0;
    filter.takeDropped();
    this.#calmLooks[listenerNumber] = 0;
    this.#lookBeganNs[listenerNumber] = nowNs;
    this.#attachedNs[listenerNumber] = nowNs;
    this.#filteredBefore[listenerNumber] = this.filteredEstimate[listenerNumber]!;
    reports.filterAttached(listenerNumber, perSecond);
  }

  #takeOff(listenerNumber: number, filter: KernelFilter, nowNs: number): void {
    filter.detach();
    this.#calmDown(listenerNumber, filter, nowNs);
    const filtered = this.filteredEstimate[listenerNumber]! - this.#filteredBefore[listenerNumber]!;
    this.#options.reports.filterDetached(
      listenerNumber,
      filtered,
      nowNs - this.#attachedNs[listenerNumber]!,
    );
  }

  #calmDown(listenerNumber: number, filter: KernelFilter, nowNs: number): void {
    const { received, accepted } = this.#options.accounting;
    filter.isCounting = false;
    this.#state[listenerNumber] = QUIET;
    this.#beginLook(listenerNumber, received[listenerNumber]! - accepted[listenerNumber]!, nowNs);
  }

  #beginLook(listenerNumber: number, refused: number, nowNs: number): void {
    this.#lookBeganNs[listenerNumber] = nowNs;
    this.#refusedBefore[listenerNumber] = refused;
  }
}

function isAbove(count: number, perSecond: number, ns: number): boolean {
  return count * NS_PER_S > perSecond * ns;
}
