// What becomes of what a member asks for: its own threshold, and more time (spec 15 section 8.1,
// spec 20 section 4). Pure decisions; a program may ask for anything, and a rule says how far that
// is heard.
import { NS_PER_MS, NS_PER_S, NS_PER_US } from "../base/time.ts";

/** How far a policy hears its members; both are its threshold where it says nothing. */
export interface AskedBounds {
  readonly thresholdMinNs: number;
  readonly thresholdMaxNs: number;
}

/** A beat may be lost, and another one late, before its sender is called silent. */
const INTERVALS_OF_SILENCE = 3;

/** A program that needs longer beats meanwhile. */
export const EXTEND_NS_MAX = 600 * NS_PER_S;

/** The threshold of a member that says how often it beats; NaN = it asks for none. */
export function thresholdOfInterval(intervalMs: number, bounds: AskedBounds): number {
  return held(intervalMs * INTERVALS_OF_SILENCE * NS_PER_MS, bounds);
}

/** The threshold of a member that sends WATCHDOG_USEC; NaN = it asks for none. */
export function thresholdOfUsec(watchdogUsec: number, bounds: AskedBounds): number {
  return held(watchdogUsec * NS_PER_US, bounds);
}

function held(askedNs: number, { thresholdMinNs, thresholdMaxNs }: AskedBounds): number {
  if (!(askedNs > 0)) return Number.NaN;
  return Math.min(Math.max(askedNs, thresholdMinNs), thresholdMaxNs);
}

interface Extension {
  readonly nowNs: number;
  /** When the member is judged as it is. */
  readonly deadlineNs: number;
  readonly extendUsec: number;
  /** It has asked for more time since its last beat. */
  readonly wasExtended: boolean;
}

/** When the member is judged after it asked for more time: never earlier than without. */
export function extendedDeadlineNs(asked: Extension, { thresholdMaxNs }: AskedBounds): number {
  const { nowNs, deadlineNs, extendUsec, wasExtended } = asked;
  if (wasExtended) return deadlineNs;
  const moreNs = Math.min(extendUsec * NS_PER_US, thresholdMaxNs, EXTEND_NS_MAX);
  return Math.max(deadlineNs, nowNs + moreNs);
}
