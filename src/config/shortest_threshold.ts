// What watches over all agents, as for a time in which none could be heard, has to be as quick as
// the shortest threshold wants it.
import type { Config } from "./config.ts";

export function shortestThresholdNs({ observer, agents }: Config): number {
  return Math.min(observer.thresholdNs, ...agents.map(({ thresholdNs }) => thresholdNs));
}
