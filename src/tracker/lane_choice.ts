// Which lane a member goes into, by its terms (spec 03 section 7.2).
import type { DeadlineLanes } from "./deadline_lanes.ts";

/** The lane of these two, -1 if there is none. */
export function laneOf(lanes: DeadlineLanes, thresholdNs: number, lateNs: number): number {
  for (let lane = 0; lane < lanes.laneCount; lane++)
    if (lanes.thresholdNs[lane]! === thresholdNs && lanes.lateNs[lane]! === lateNs) return lane;
  return -1;
}

/**
 * Where a member goes whose terms no lane has, when all lanes are taken: the next shorter threshold
 * judges early, never late; without one, the shortest.
 */
export function nearestLane(thresholds: Float64Array, thresholdNs: number): number {
  let below = -1;
  let smallest = 0;
  for (let lane = 0; lane < thresholds.length; lane++) {
    const candidate = thresholds[lane]!;
    if (candidate < thresholds[smallest]!) smallest = lane;
    if (candidate > thresholdNs) continue;
    if (below < 0 || candidate > thresholds[below]!) below = lane;
  }
  return below < 0 ? smallest : below;
}
