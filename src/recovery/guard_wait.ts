// How long recoveries that have begun wait for the guard (spec 12 section 10): while it is active
// nobody knows who is silent, so no step follows, none is tried again, and none has failed to help.
import type { GuardGate } from "./recovery_options.ts";

/** Looks within its window whether it is over, once it was to be over. */
const LOOKS = 4;

/** -Infinity while the guard is not active. */
export function heldUntilNs(guard: GuardGate | undefined, nowNs: number): number {
  const view = guard?.view;
  if (view === undefined) return Number.NEGATIVE_INFINITY;
  return Math.max(view.untilNs, nowNs + view.windowNs / LOOKS);
}
