// The numeric ids of what the daemon feeds: `Metrics.add` and `set` take a series, `observe` a histogram. Ids are
// derived from the catalogue when the module loads; a name that is not in it stops the program at once. Families fed by
// rows, the accounting table or the system have no exported id, so they cannot be fed twice by mistake.
import { assert } from "../base/assert.ts";
import { OUTCOME_LABELS, REFUSAL_LABELS, VERDICTS } from "../events/outcome_words.ts";
import { STEP_KINDS } from "../events/step_kind.ts";
import {
  AUDIT_RING_LEVELS,
  DROP_REASONS,
  FAMILIES,
  type Family,
  LOG_KINDS,
  STAGES,
  WRITTEN_FILES,
} from "./catalogue.ts";

/** First series or histogram of each family that has a place in the registry's tables. */
const firstIds = new Map<Family, number>();
const families = new Map<string, Family>();

let seriesCount = 0;
let histogramCount = 0;
for (const family of FAMILIES) {
  families.set(family.name, family);
  const count = Math.max(1, family.values.length);
  if (family.type === "histogram") {
    firstIds.set(family, histogramCount);
    histogramCount += count;
  } else if (isStored(family)) {
    firstIds.set(family, seriesCount);
    seriesCount += count;
  }
}

export const SERIES_COUNT = seriesCount;
export const HISTOGRAM_COUNT = histogramCount;

// Tracker and observer (spec 08 section 3.3): drained counters and gauges.
export const VARTA_SECURE_AEAD_ATTEMPTS = seriesId("varta_secure_aead_attempts_total");
export const VARTA_SECURE_UNTRIED = seriesId("varta_secure_untried_total");
export const VARTA_TRACKER_CAPACITY = seriesId("varta_tracker_capacity");
export const VARTA_TRACKER_EVICTION_SCAN_WINDOW_MAX = seriesId(
  "varta_tracker_eviction_scan_window_max",
);
export const VARTA_PID_MAX_CURRENT = seriesId("varta_pid_max_current");
export const VARTA_SOCKET_BIND_DIR_FSYNC_FAILED = seriesId(
  "varta_socket_bind_dir_fsync_failed_total",
);
export const VARTA_SOCKET_FILE_LOST = seriesId("varta_socket_file_lost_total");
export const VARTA_SOCKET_FILES_MISSING = seriesId("varta_socket_files_missing");
export const VARTA_OBSERVER_CLOCK_REGRESSION = seriesId("varta_observer_clock_regression_total");
export const VARTA_OBSERVER_CLOCK_JUMP_FORWARD = seriesId(
  "varta_observer_clock_jump_forward_total",
);
export const VARTA_OBSERVER_PAUSES = seriesId("varta_observer_pauses_total");
export const VARTA_OBSERVER_PAUSED_SECONDS = seriesId("varta_observer_paused_seconds_total");
export const VARTA_WATCH_PIDS_TRACKED = seriesId("varta_watch_pids_tracked");

// Recovery (section 3.4).
export const VARTA_RECOVERY_OUTCOMES = seriesByValue(
  "varta_recovery_outcomes_total",
  OUTCOME_LABELS,
);
export const VARTA_RECOVERY_REFUSED = seriesByValue("varta_recovery_refused_total", REFUSAL_LABELS);
export const VARTA_RECOVERY_LAST_FIRED_EVICTIONS = seriesId(
  "varta_recovery_last_fired_evictions_total",
);
export const VARTA_RECOVERY_DEBOUNCE_RECYCLE_RESETS = seriesId(
  "varta_recovery_debounce_recycle_resets_total",
);
export const VARTA_RECOVERY_OUTSTANDING_RECYCLE_RESETS = seriesId(
  "varta_recovery_outstanding_recycle_resets_total",
);
export const VARTA_RECOVERY_SPAWN_BUDGET_EXCEEDED = seriesId(
  "varta_recovery_spawn_budget_exceeded_total",
);
export const VARTA_RECOVERY_INVARIANT_VIOLATIONS = seriesId(
  "varta_recovery_invariant_violations_total",
);
export const VARTA_RECOVERY_OUTSTANDING_PROBE_EXHAUSTED = seriesId(
  "varta_recovery_outstanding_probe_exhausted_total",
);
export const VARTA_RECOVERY_REAP_TRUNCATED = seriesId("varta_recovery_reap_truncated_total");
export const VARTA_RECOVERY_STEPS = seriesByValue("varta_recovery_steps_total", STEP_KINDS);
export const VARTA_RECOVERY_STEP_FAILURES = seriesByValue(
  "varta_recovery_step_failures_total",
  STEP_KINDS,
);
export const VARTA_RECOVERY_STEP_RETRIES = seriesByValue(
  "varta_recovery_step_retries_total",
  STEP_KINDS,
);
export const VARTA_RECOVERY_VERIFIED = seriesByValue("varta_recovery_verified_total", VERDICTS);
export const VARTA_ORPHANS_REAPED = seriesId("varta_orphans_reaped_total");
export const VARTA_RECOVERY_GAVE_UP_AGENTS = seriesId("varta_recovery_gave_up_agents");

// Audit, export, logs (section 3.5).
export const VARTA_RECOVERY_AUDIT_DROPPED = seriesId("varta_recovery_audit_dropped_total");
export const VARTA_RECOVERY_AUDIT_FLUSH_BUDGET_EXCEEDED = seriesId(
  "varta_recovery_audit_flush_budget_exceeded_total",
);
export const VARTA_AUDIT_FSYNC_BUDGET_EXCEEDED = seriesId(
  "varta_audit_fsync_budget_exceeded_total",
);
export const VARTA_AUDIT_ROTATION_BUDGET_EXCEEDED = seriesId(
  "varta_audit_rotation_budget_exceeded_total",
);
export const VARTA_AUDIT_RING_WATERMARK = seriesByValue(
  "varta_audit_ring_watermark_total",
  AUDIT_RING_LEVELS,
);
export const VARTA_AUDIT_HEAD_SEQUENCE = seriesId("varta_audit_head_sequence");
export const VARTA_AUDIT_TAMPER_SUSPECTED = seriesId("varta_audit_tamper_suspected_total");
export const VARTA_EXPORT_DROPPED = seriesId("varta_export_dropped_total");
export const VARTA_FILE_REOPENED = seriesByValue("varta_file_reopened_total", WRITTEN_FILES);
export const VARTA_LOG_SUPPRESSED = seriesByValue("varta_log_suppressed_total", LOG_KINDS);
export const VARTA_LOG_DROPPED = seriesId("varta_log_dropped_total");

// Scrapes (section 3.6).
export const VARTA_SCRAPE_SKIPPED = seriesId("varta_scrape_skipped_total");
export const VARTA_SCRAPE_BUDGET_EXHAUSTED = seriesId("varta_scrape_budget_exhausted_total");
export const VARTA_OBSERVER_SCRAPE_BUDGET_EXCEEDED = seriesId(
  "varta_observer_scrape_budget_exceeded_total",
);
export const VARTA_PROM_AUTH_FAILURES = seriesId("varta_prom_auth_failures_total");
export const VARTA_PROM_CONNECTIONS_DROPPED = seriesByValue(
  "varta_prom_connections_dropped_total",
  DROP_REASONS,
);
export const VARTA_PROM_CONNECTIONS = seriesId("varta_prom_connections");
export const VARTA_PROM_IP_STATE_PROBE_EXHAUSTED = seriesId(
  "varta_prom_ip_state_probe_exhausted_total",
);

// Loop, process, build (section 3.7).
export const VARTA_OBSERVER_ITERATION_BUDGET_EXCEEDED = seriesId(
  "varta_observer_iteration_budget_exceeded_total",
);
export const VARTA_WATCH_LAST_POLL_LOOP_TIMESTAMP_SECONDS = seriesId(
  "varta_watch_last_poll_loop_timestamp_seconds",
);
export const VARTA_CONFIG_LAST_RELOAD_SUCCESSFUL = seriesId("varta_config_last_reload_successful");
export const VARTA_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS = seriesId(
  "varta_config_last_reload_success_timestamp_seconds",
);

// Histograms.
export const VARTA_RECOVERY_DURATION_SECONDS = histogramId("varta_recovery_duration_seconds");
export const VARTA_AUDIT_FSYNC_SECONDS = histogramId("varta_audit_fsync_seconds");
export const VARTA_OBSERVER_ITERATION_SECONDS = histogramId("varta_observer_iteration_seconds");
export const VARTA_OBSERVER_SERVE_PENDING_SECONDS = histogramId(
  "varta_observer_serve_pending_seconds",
);
export const VARTA_OBSERVER_STAGE_SECONDS = byValue(STAGES, (value) =>
  histogramId("varta_observer_stage_seconds", value),
);

/** The series of `name`, or of its label value. For tables inside this folder; others use the constants above. */
export function seriesId(name: string, value = ""): number {
  const family = families.get(name);
  assert(family !== undefined && family.type !== "histogram", "the catalogue has such a series");
  return idOf(family, value);
}

export function histogramId(name: string, value = ""): number {
  const family = families.get(name);
  assert(family !== undefined && family.type === "histogram", "the catalogue has such a histogram");
  return idOf(family, value);
}

/** True if the samples of `family` are numbers in the registry's series table. */
export function isStored(family: Family): boolean {
  const source = family.source;
  return (
    source === "series" || source === "rows" || source === "accounting" || source === "process"
  );
}

export function idOf(family: Family, value: string): number {
  const first = firstIds.get(family);
  const index = family.values.length === 0 ? 0 : family.values.indexOf(value);
  assert(first !== undefined, "the family is stored");
  assert(index >= 0, "the family has such a label value");
  return first + index;
}

function seriesByValue<Value extends string>(
  name: string,
  values: readonly Value[],
): Readonly<Record<Value, number>> {
  return byValue(values, (value) => seriesId(name, value));
}

function byValue<Value extends string>(
  values: readonly Value[],
  id: (value: Value) => number,
): Readonly<Record<Value, number>> {
  return Object.fromEntries(values.map((value) => [value, id(value)])) as Record<Value, number>;
}
