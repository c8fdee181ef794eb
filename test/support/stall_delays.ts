// How late stalls were, from the observer times of a TSV export (spec 09 section 1).
import { NS_PER_MS } from "../../src/base/time.ts";

/** For every stall of `pid`, the milliseconds since the last beat before it. */
export function stallDelaysMs(rows: readonly (readonly string[])[], pid: number): number[] {
  const delays: number[] = [];
  let lastBeatNs = Number.NaN;
  for (const [observerNs, kind, rowPid] of rows) {
    if (Number(rowPid) !== pid) continue;
    if (kind === "beat") lastBeatNs = Number(observerNs);
    if (kind === "stall") delays.push((Number(observerNs) - lastBeatNs) / NS_PER_MS);
  }
  return delays;
}
