// Whether a process is known to beat: the answer that makes a restarted service a success (spec 10
// section 3), and that keeps others out of a place whose agent beats (spec 02 section 5).
import type { Tracker } from "./tracker.ts";

/**
 * True if `pid` is tracked, not silent, and of `generation` or later. One that is not proven may be
 * a process that took over the pid of the one that beat, and is gone.
 */
export function isBeating(tracker: Tracker, pid: number, generation: number): boolean {
  const { slots } = tracker;
  const slot = tracker.slotOf(pid);
  if (slot < 0 || slots.isLatched(slot) || !slots.isProven(slot)) return false;
  if (!slots.hasBeaten(slot)) return false;
  return slots.generation[slot]! >= generation;
}

/** True if `pid` is tracked, has beaten and was not reported silent, under any agent. */
export function isHeard(tracker: Tracker, pid: number): boolean {
  const slot = tracker.slotOf(pid);
  return slot >= 0 && tracker.slots.hasBeaten(slot) && !tracker.slots.isLatched(slot);
}
