// How late stalls were, from the observer times of a TSV export (spec 09 section 1).
import { NS_PER_MS } from "../../src/base/time.ts";
import { type Page, sampleAt, sumOf } from "../metrics/page.ts";

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

/**
 * Every agent may have had a whole threshold again: after a pause of the daemon, or a queue that it
 * found full and that had refused beats (spec 12 section 8).
 */
export function beganAnew(page: Page): boolean {
  const paused = sampleAt(page, "varta_observer_pauses_total");
  return paused + sumOf(page, "varta_socket_queue_full_total") > 0;
}
