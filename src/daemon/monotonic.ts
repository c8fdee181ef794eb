// The clock of durations and deadlines that no configured clock may disturb.
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_MONOTONIC } from "../../ffi/constants.ts";

export function monotonicNs(): number {
  return clockNs(CLOCK_MONOTONIC);
}
