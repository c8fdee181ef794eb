// What the tracker counts (spec 03 section 3).
import { block, type CountersOf, counter, gauge, unlisted } from "../base/counters.ts";

/** What the tracker is asked for when a page is made. */
interface AskedTracker {
  readonly capacity: number;
  readonly evictionWindow: number;
  readonly table: { readonly index: { readonly probeExhausted: number } };
}

export const TRACKER = block({
  capacity: gauge("varta_tracker_capacity", "Configured tracker capacity, in slots.", {
    ask: (tracker: AskedTracker) => tracker.capacity,
  }),
  evictionScanWindowMax: gauge(
    "varta_tracker_eviction_scan_window_max",
    "Configured number of slots examined per victim search.",
    { ask: (tracker: AskedTracker) => tracker.evictionWindow },
  ),
  evicted: counter("varta_tracker_evicted_total", "Slots reclaimed from dead agents."),
  uidShare: counter(
    "varta_tracker_uid_share_total",
    "Evictions for the sake of fairness: the uid that held most slots of a full table gave one up for another uid.",
  ),
  evictionScanTruncated: counter(
    "varta_tracker_eviction_scan_truncated_total",
    "Victim searches that found none.",
  ),
  pidRecycle: counter(
    "varta_tracker_pid_recycle_total",
    "Slots reset or retired because the pid was used again by another process.",
  ),
  invariantViolations: counter(
    "varta_tracker_invariant_violations_total",
    "Broken tracker invariants: a bug if not 0.",
  ),
  removedPidDrops: counter(
    "varta_tracker_removed_pid_drops_total",
    "Removed pids not reported because the stack was full; stale per-pid rows remain.",
  ),
  pidIndexProbeExhausted: counter(
    "varta_tracker_pid_index_probe_exhausted_total",
    "Index operations that used up their 64 probes.",
    { ask: ({ table }: AskedTracker) => table.index.probeExhausted },
  ),
  nonceWrap: counter("varta_nonce_wrap_total", "Nonces that wrapped around 2^64."),
  nonceRestart: counter(
    "varta_nonce_restart_total",
    "Agents that number their beats from the beginning again, for example behind an exec; their beats are taken.",
  ),
  // The page has these from the accounting table, by listener.
  capacityExceeded: unlisted(),
  outOfOrder: unlisted(),
  originConflicts: unlisted(),
  namespaceConflicts: unlisted(),
});

export type TrackerCounters = CountersOf<typeof TRACKER>;
