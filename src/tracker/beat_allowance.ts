// How often one member may beat: a bucket that holds one second's worth of beats, at least eight,
// so that an agent which beats where its work is done, in bursts, loses none. A slot keeps one
// number for it, its debt: the beats that were taken ahead of the rate, as of its last accepted
// beat, in beat-nanoseconds. These are integers, so nothing is ever rounded (spec 04 section 6).
import { assert } from "../base/assert.ts";
import { GLOBAL_BURST_MAX } from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";

/**
 * Beats that one member may always send at once: a worker that reports each of a few jobs done is
 * no flood.
 */
const PER_PID_BURST_MIN = 8;

export class BeatAllowance {
  readonly ratePerSecond: number;
  /** What one beat adds to the debt; 0 = beats are not limited. */
  readonly beatCost: number;
  /** The largest debt that a beat may leave. */
  readonly debtMax: number;

  /** `ratePerSecond` is an integer; 0 = no limit. */
  constructor(ratePerSecond: number) {
    assert(Number.isInteger(ratePerSecond) && ratePerSecond >= 0, "a rate is an integer >= 0");
    const limited = ratePerSecond > 0;
    const burst = Math.min(Math.max(ratePerSecond, PER_PID_BURST_MIN), GLOBAL_BURST_MAX);
    this.ratePerSecond = ratePerSecond;
    this.beatCost = limited ? NS_PER_S : 0;
    this.debtMax = limited ? burst * NS_PER_S : Number.POSITIVE_INFINITY;
  }

  /**
   * The debt after one more beat, `silenceNs` >= 0 after the last one. Above `debtMax` the beat
   * comes too early.
   */
  debtAfter(debt: number, silenceNs: number): number {
    // A product beyond 2^53 is rounded, but then it is larger than any debt.
    const left = debt - silenceNs * this.ratePerSecond;
    return (left > 0 ? left : 0) + this.beatCost;
  }
}
