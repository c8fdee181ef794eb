// The tries of one step that fails for a transient reason: twice as far apart each time, and not
// for ever. The step is tried again because the agent hangs all the same, and nothing else will
// look after it (spec 10 section 1.2).
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";

/**
 * Pauses between the tries of a step for which the system was short of something: a moment at
 * first, since descriptors of other children come back within one, then rarely enough that a
 * thousand waiting agents cost nothing.
 */
const RECOVERY_RETRY_NS_FIRST = 100 * NS_PER_MS;
const RECOVERY_RETRY_NS_MAX = 30 * NS_PER_S;
/** After so long it is reported as a failure, and the next step has its turn. */
const RECOVERY_RETRY_SPAN_NS = 600 * NS_PER_S;

export class StepTries {
  /** Failed tries so far. */
  count = 0;
  #firstNs = NaN;

  /** A try failed at `nowNs`: how long to wait for the next one; undefined = no more. */
  failed(nowNs: number): number | undefined {
    if (this.count === 0) this.#firstNs = nowNs;
    if (saturatingSub(nowNs, this.#firstNs) >= RECOVERY_RETRY_SPAN_NS) return undefined;
    this.count += 1;
    // 2^30 first pauses are beyond the longest one.
    const pauseNs = RECOVERY_RETRY_NS_FIRST * 2 ** Math.min(this.count - 1, 30);
    return Math.min(pauseNs, RECOVERY_RETRY_NS_MAX);
  }

  /** Another step, or one that was done. */
  reset(): void {
    this.count = 0;
    this.#firstNs = NaN;
  }
}
