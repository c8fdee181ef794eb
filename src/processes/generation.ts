// The clock of start times: two processes that had the same pid differ in when they started. The
// start time is called the generation of the pid, in ticks of a hundredth of a second since boot.
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_BOOTTIME, IS_LINUX } from "../../ffi/constants.ts";
import { NS_PER_MS } from "../base/time.ts";

/**
 * Now as a generation: processes that start from now on have at least this one, and a process of a
 * smaller one had started before. NaN = unknown.
 */
export type GenerationClock = () => number;

/** A tick on every Linux that the daemon runs on (USER_HZ). */
export const GENERATION_NS = 10 * NS_PER_MS;

/** The generation clock of this machine; NaN where the system gives no start times. */
export function nowGeneration(): number {
  return IS_LINUX ? Math.floor(clockNs(CLOCK_BOOTTIME) / GENERATION_NS) : Number.NaN;
}

/** Whether two generations of one pid may be the same process: equal, or one of them unknown. */
export function sameLineage(generation: number, other: number): boolean {
  return generation === other || Number.isNaN(generation) || Number.isNaN(other);
}
