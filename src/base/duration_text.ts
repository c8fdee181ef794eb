// Durations as people write them in the configuration, and read them in log and messages.
import { NS_PER_MS } from "./time.ts";

const UNITS = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/** The shortest exact text of a duration: 5000 is "5s", 1500 is "1500ms". */
export function durationText(ms: number): string {
  if (ms === 0) return "0ms";
  for (const [unit, unitMs] of UNITS) if (ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  return `${ms}ms`;
}

export function durationTextFromNs(ns: number): string {
  return durationText(ns / NS_PER_MS);
}
