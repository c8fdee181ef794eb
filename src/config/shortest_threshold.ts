// What watches over all agents, as for a time in which none could be heard, has to be as quick as
// the shortest threshold wants it.
import type { Config } from "./config.ts";

/** Also of those that members may ask for. */
export function shortestThresholdNs({ observer, agents }: Config): number {
  const shortest = agents.map(({ thresholdNs, thresholdMinNs }) => thresholdMinNs ?? thresholdNs);
  return Math.min(observer.thresholdNs, ...shortest);
}
