// What is counted of the state file (spec 18 section 8).
import { block, counter, gauge } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";

/** What the keeping is asked for when a page is made. */
interface AskedState {
  readonly written: number;
  readonly failures: number;
  readonly sizeBytes: number;
  behindNs(nowNs: number): number;
}

export const STATE = block({
  written: counter("varta_state_written_total", "State files that were written.", {
    ask: ({ written }: AskedState) => written,
  }),
  errors: counter(
    "varta_state_errors_total",
    "Writings of the state file that failed: what was written before is there still.",
    { ask: ({ failures }: AskedState) => failures },
  ),
  bytes: gauge("varta_state_bytes", "Size of the state file that was written last.", {
    ask: ({ sizeBytes }: AskedState) => sizeBytes,
  }),
  behind: gauge(
    "varta_state_behind_seconds",
    "For how long the oldest change has waited to be in the state file: a crash loses what is newer.",
    { decimals: 3, ask: (state: AskedState, _index, nowNs) => state.behindNs(nowNs) / NS_PER_S },
  ),
  restored: gauge(
    "varta_state_restored_members",
    "Members of the daemon before this one at its start, by what became of them.",
    { label: "as", values: ["present", "stalled", "died", "left_out"] },
  ),
});
