// How long a turn looks at who is new (spec 03 section 2.2, spec 14 section 1): two parts do, each
// for this time. While beats come it is a part of the time that they took: a short queue takes ten
// of them, and would be full for as long as the looks of a turn take longer than its beats.
import { IDENTITY_NS_PER_TURN_MAX } from "../base/limits.ts";

export const SLICE_NS_MAX = IDENTITY_NS_PER_TURN_MAX;
const SLICE_PART = 1 / 4;

/** After `count` datagrams that took `receiveNs`. Never 0: each turn looks at one member. */
export function sliceNs(count: number, receiveNs: number): number {
  if (count === 0) return SLICE_NS_MAX;
  return Math.min(SLICE_NS_MAX, Math.max(1, receiveNs * SLICE_PART));
}
