// When a listener's socket gets its filter against rubbish, and when it loses it. A flood that
// takes every place in the queue of a socket makes honest senders wait in vain: they look silent
// through no fault of theirs. So above a rate of refusals the kernel drops rubbish before it is
// queued; one in 64 passes and says how much there is (one in 4,096 while that sample is a flood
// itself). Only refusals that the filter could have spared us count, which is known by looking: the
// receives of a suspected listener count them (spec 05 section 8).
import {
  LISTENERS_MAX,
  RUBBISH_CALM_LOOKS,
  RUBBISH_FILTERED_LOOK_NS,
  RUBBISH_LOOK_NS_MAX,
  RUBBISH_LOOK_NS_MIN,
  RUBBISH_PER_S_CALM,
  RUBBISH_PER_S_MAX,
  RUBBISH_SAMPLE,
  RUBBISH_SAMPLE_RARE,
} from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import type { KernelFilter } from "./kernel_filter.ts";
import type { Listener } from "./listener.ts";

/** What a person is told; by listener number. */
export interface RubbishReports {
  /** `perSecond`: the rubbish that made the flood. */
  filterAttached(listener: number, perSecond: number): void;
  /** `filtered` is an estimate. */
  filterDetached(listener: number, filtered: number, onForNs: number): void;
  filterUnavailable(listener: number, errno: number): void;
}

export interface RubbishWatchOptions {
  readonly listeners: readonly Listener[];
  readonly accounting: DatagramAccounting;
  readonly reports: RubbishReports;
  /** Of a stall. */
  readonly thresholdNs: number;
}

const LOOKS_PER_THRESHOLD = 10;

const QUIET = 0;
/** Refusals come fast: what are they? */
const SUSPECTING = 1;
const FILTERING = 2;
/** Its socket has no filter, or the kernel refused it. */
const HELPLESS = 3;

export class RubbishWatch {
  /** Datagrams that the kernel dropped for us, by listener number: an estimate. It only grows. */
  readonly filteredEstimate = new Float64Array(LISTENERS_MAX);
  readonly #options: RubbishWatchOptions;
  readonly #lookNs: number;
  /** Fewer than that are not worth a look, whatever their rate in a moment. */
  readonly #refusalsMin: number;
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
    const lookNs = Math.max(RUBBISH_LOOK_NS_MIN, options.thresholdNs / LOOKS_PER_THRESHOLD);
    this.#lookNs = Math.min(RUBBISH_LOOK_NS_MAX, lookNs);
    this.#refusalsMin = (RUBBISH_PER_S_MAX * this.#lookNs) / NS_PER_S;
  }

  /** Looks at every listener; to be called behind every turn. */
  look(nowNs: number): void {
    const { listeners, accounting } = this.#options;
    const { received, accepted } = accounting;
    for (let l = 0; l < listeners.length; l++) {
      const state = this.#state[l]!;
      if (state === QUIET) this.#lookAtQuiet(l, received[l]! - accepted[l]!, nowNs);
      else if (state !== HELPLESS) this.#lookCloser(l, listeners[l]!.filter!, nowNs);
    }
  }

  /** When a look is over that began already; +Infinity if there is none. */
  nextDeadlineNs(): number {
    let nextNs = Number.POSITIVE_INFINITY;
    for (let l = 0; l < this.#options.listeners.length; l++) {
      const state = this.#state[l]!;
      if (state === QUIET || state === HELPLESS) continue;
      const lookNs = state === SUSPECTING ? this.#lookNs : RUBBISH_FILTERED_LOOK_NS;
      nextNs = Math.min(nextNs, this.#lookBeganNs[l]! + lookNs);
    }
    return nextNs;
  }

  maintain(nowNs: number): void {
    this.look(nowNs);
  }

  #lookAtQuiet(l: number, refused: number, nowNs: number): void {
    const sinceNs = nowNs - this.#lookBeganNs[l]!;
    const count = refused - this.#refusedBefore[l]!;
    if (count >= this.#refusalsMin && isAbove(count, RUBBISH_PER_S_MAX, sinceNs)) {
      const { filter } = this.#options.listeners[l]!;
      this.#state[l] = filter === undefined ? HELPLESS : SUSPECTING;
      if (filter === undefined) return;
      filter.isCounting = true;
      filter.takeCounted();
      this.#counted[l] = 0;
    } else if (sinceNs < this.#lookNs) return;
    this.#beginLook(l, refused, nowNs);
  }

  #lookCloser(l: number, filter: KernelFilter, nowNs: number): void {
    this.#counted[l]! += filter.takeCounted();
    if (this.#state[l] === SUSPECTING) {
      this.#suspect(l, filter, nowNs);
      return;
    }
    const dropped = filter.takeDropped();
    this.filteredEstimate[l]! += dropped;
    this.#dropped[l]! += dropped;
    if (this.#counted[l]! >= RUBBISH_PER_S_MAX) this.#setSample(l, filter, RUBBISH_SAMPLE_RARE);
    const sinceNs = nowNs - this.#lookBeganNs[l]!;
    if (sinceNs >= RUBBISH_FILTERED_LOOK_NS) this.#endLook(l, filter, sinceNs, nowNs);
  }

  #endLook(l: number, filter: KernelFilter, sinceNs: number, nowNs: number): void {
    const count = this.#counted[l]! + this.#dropped[l]!;
    this.#counted[l] = 0;
    this.#dropped[l] = 0;
    this.#lookBeganNs[l] = nowNs;
    if (!isAbove(count, RUBBISH_SAMPLE * RUBBISH_PER_S_MAX, sinceNs))
      this.#setSample(l, filter, RUBBISH_SAMPLE);
    const isCalm = !isAbove(count, RUBBISH_PER_S_CALM, sinceNs);
    this.#calmLooks[l] = isCalm ? this.#calmLooks[l]! + 1 : 0;
    if (this.#calmLooks[l]! >= RUBBISH_CALM_LOOKS) this.#takeOff(l, filter, nowNs);
    else filter.renew();
  }

  #setSample(l: number, filter: KernelFilter, sample: number): void {
    if (this.#sample[l] === sample) return;
    this.#sample[l] = sample;
    filter.attach(sample);
  }

  #suspect(l: number, filter: KernelFilter, nowNs: number): void {
    const count = this.#counted[l]!;
    const sinceNs = nowNs - this.#lookBeganNs[l]!;
    if (sinceNs < this.#lookNs) return;
    if (count >= this.#refusalsMin && isAbove(count, RUBBISH_PER_S_MAX, sinceNs))
      this.#putOn(l, filter, (count * NS_PER_S) / Math.max(1, sinceNs), nowNs);
    else this.#calmDown(l, filter, nowNs);
  }

  #putOn(l: number, filter: KernelFilter, perSecond: number, nowNs: number): void {
    const { reports } = this.#options;
    const result = filter.attach(RUBBISH_SAMPLE);
    if (result < 0) {
      filter.isCounting = false;
      this.#state[l] = HELPLESS;
      reports.filterUnavailable(l, -result);
      return;
    }
    this.#state[l] = FILTERING;
    this.#sample[l] = RUBBISH_SAMPLE;
    this.#counted[l] = 0;
    this.#dropped[l] = 0;
    filter.takeDropped();
    this.#calmLooks[l] = 0;
    this.#lookBeganNs[l] = nowNs;
    this.#attachedNs[l] = nowNs;
    this.#filteredBefore[l] = this.filteredEstimate[l]!;
    reports.filterAttached(l, perSecond);
  }

  #takeOff(l: number, filter: KernelFilter, nowNs: number): void {
    filter.detach();
    this.#calmDown(l, filter, nowNs);
    const filtered = this.filteredEstimate[l]! - this.#filteredBefore[l]!;
    this.#options.reports.filterDetached(l, filtered, nowNs - this.#attachedNs[l]!);
  }

  #calmDown(l: number, filter: KernelFilter, nowNs: number): void {
    const { received, accepted } = this.#options.accounting;
    filter.isCounting = false;
    this.#state[l] = QUIET;
    this.#beginLook(l, received[l]! - accepted[l]!, nowNs);
  }

  #beginLook(l: number, refused: number, nowNs: number): void {
    this.#lookBeganNs[l] = nowNs;
    this.#refusedBefore[l] = refused;
  }
}

function isAbove(count: number, perSecond: number, ns: number): boolean {
  return count * NS_PER_S > perSecond * ns;
}
