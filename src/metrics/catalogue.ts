// Every metric family in the order of the page, with its name, type, HELP text and labels (spec 08 section 3). This is
// the only list: ids, the registry and the renderer are derived from it. `source` says who feeds a family, and thereby
// why nothing counts twice:
//   series      `Metrics.add`, `set` and `observe`: drained counters, gauges and timings of a turn
//   rows        counted from event rows while they pass, because only a row knows the decode kind or the errno
//   accounting  read from the accounting table at the moment of the scrape, so that the accounting identity of section 4
//               holds on every scrape; a rejection shed by the global bucket is in the table once, as rate_global.
//               The drained counters of the same name must therefore not be added, and have no id.
//   pid         per-pid rows
//   process     read from the system at the moment of the scrape
import {
  REJECT_CAPACITY,
  REJECT_CROSS_NAMESPACE,
  REJECT_CTRL_TRUNCATED,
  REJECT_DECRYPT,
  REJECT_NAMESPACE_CONFLICT,
  REJECT_ORIGIN_CONFLICT,
  REJECT_PID,
  REJECT_PID_ABOVE_MAX,
  REJECT_RATE_GLOBAL,
  REJECT_RATE_PER_PID,
  REJECT_REPLAY,
  REJECT_SENDER_TABLE_FULL,
  REJECT_UID,
  REJECT_WRONG_SIZE,
} from "../base/reject_reason.ts";
import { OUTCOME_LABELS, REFUSAL_LABELS, VERDICTS } from "../events/outcome_words.ts";
import { STEP_KINDS } from "../events/step_kind.ts";
import { DECODE_ERROR_KINDS } from "../wire/decode_error.ts";

export type MetricType = "counter" | "gauge" | "histogram";

export type Source =
  | "series"
  | "rows"
  | "accounting"
  | "received"
  | "accepted"
  | "rejected"
  | "uds_rcvbuf"
  | "udp_rcvbuf"
  | "udp_kernel_drops"
  | "queue_full"
  | "filtered"
  | "pid"
  | "process"
  | "build";

export interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly source: Source;
  /** The one fixed label, and its values in rendering order; "" = unlabelled. */
  readonly label: string;
  readonly values: readonly string[];
  /** Digits after the point. */
  readonly decimals: number;
  /** Upper bounds as they are written, without +Inf; empty unless a histogram. */
  readonly bounds: readonly string[];
  /** Source "accounting": the reject reason of each value. */
  readonly reasons: readonly number[];
}

/** Kinds of log lines that a cooldown may drop, in the order of spec 12 section 7. */
export const LOG_KINDS = [
  "file_export_io",
  "audit_io",
  "prom_serve",
  "heartbeat_io",
  "audit_ring_warn",
  "audit_ring_critical",
  "recovery_refused",
  "recovery_deferred",
] as const;

/** Files that are written to for the whole life of the daemon. */
export const WRITTEN_FILES = ["export", "audit", "fired", "heartbeat"] as const;

export const AUDIT_RING_LEVELS = ["warn", "critical"] as const;
/** Why the HTTP server refused a connection or a request; the first three are the Rust observer's. */
export const DROP_REASONS = [
  "drain",
  "rate_limit",
  "ip_table_full",
  "health_rate_limit",
  "connections",
  "address_connections",
  "descriptors",
  "accept_failed",
  "head_time",
  "head_size",
  "malformed",
  "body",
  "host",
  "method",
  "path",
  "unread",
] as const;
export const STAGES = ["receive", "judge", "recover", "reap", "maintain", "serve"] as const;

/** Bounds H: from a quiet turn to a turn that delays a whole fleet. */
const BOUNDS_SHORT = ["0.001", "0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1"];
/** Bounds R: from a script that only sends a signal to one that restarts a database. */
const BOUNDS_RECOVERY = ["0.01", "0.05", "0.1", "0.5", "1", "2.5", "5", "10", "30", "60", "300"];

export const FAMILIES: readonly Family[] = [
  counter("varta_beats_total", "Accepted beats.", { source: "pid" }),
  counter("varta_stalls_total", "Stalls detected.", { source: "pid" }),
  gauge(
    "varta_status",
    "Last status: 0 ok, 1 degraded, 2 critical, 3 stall (made by the observer).",
    {
      source: "pid",
    },
  ),
  gauge("varta_agent_last_beat_timestamp_seconds", "Unix time of the last accepted beat.", {
    source: "pid",
    decimals: 3,
  }),

  counter(
    "varta_datagrams_received_total",
    "Datagrams taken from the socket and judged, by listener.",
    { source: "received" },
  ),
  counter("varta_datagrams_accepted_total", "Datagrams accepted as beats, by listener.", {
    source: "accepted",
  }),
  counter(
    "varta_datagrams_rejected_total",
    "Datagrams not accepted, by listener and the one reason that ended them.",
    { source: "rejected" },
  ),
  counter(
    "varta_datagrams_filtered_estimate_total",
    "Rubbish that the kernel dropped for a listener before it was queued; estimated from one in 64, and in no other counter.",
    { source: "filtered" },
  ),
  cause(
    "varta_frame_auth_failures_total",
    "Frame pid disagrees with the kernel credential, or sender not on the allow list.",
    [REJECT_PID, REJECT_UID],
    "reason",
    ["pid", "uid"],
  ),
  counter("varta_decode_errors_total", "Wire rejects, by what was wrong first.", {
    source: "rows",
    label: "kind",
    values: DECODE_ERROR_KINDS,
  }),
  counter(
    "varta_io_errors_total",
    "Receive errors, including datagrams without kernel credentials.",
    { source: "rows" },
  ),
  cause(
    "varta_ctrl_truncated_total",
    "Ancillary data truncated, for example because a sender attached descriptors.",
    [REJECT_CTRL_TRUNCATED],
  ),
  cause("varta_truncated_datagrams_total", "Datagrams of a wrong size.", [REJECT_WRONG_SIZE]),
  cause(
    "varta_rate_limited_total",
    "Datagrams dropped by a limiter.",
    [REJECT_RATE_PER_PID, REJECT_RATE_GLOBAL],
    "reason",
    ["per_pid", "global"],
  ),
  cause(
    "varta_frame_rejected_pid_above_max_total",
    "Frames whose pid is above the kernel's pid_max.",
    [REJECT_PID_ABOVE_MAX],
  ),
  cause(
    "varta_frame_namespace_mismatch_total",
    "Frames dropped at the gate because the sender is in another pid namespace.",
    [REJECT_CROSS_NAMESPACE],
  ),
  cause(
    "varta_origin_conflict_total",
    "Beats from another transport class than the one the slot is pinned to.",
    [REJECT_ORIGIN_CONFLICT],
  ),
  cause(
    "varta_tracker_namespace_conflict_total",
    "Beats for a slot pinned to another namespace inode.",
    [REJECT_NAMESPACE_CONFLICT],
  ),
  cause("varta_tracker_capacity_exceeded_total", "Beats dropped because the table is full.", [
    REJECT_CAPACITY,
  ]),
  cause("varta_frame_decrypt_failures_total", "Datagrams that no key opened.", [REJECT_DECRYPT]),
  cause(
    "varta_secure_replay_refused_total",
    "Authentic datagrams whose counter, nonce or timestamp did not advance.",
    [REJECT_REPLAY],
  ),
  cause("varta_sender_state_full_total", "Datagrams refused because the replay table is full.", [
    REJECT_SENDER_TABLE_FULL,
  ]),
  counter("varta_secure_aead_attempts_total", "Decrypt trials."),
  counter(
    "varta_secure_untried_total",
    "Of the datagrams that no key opened: those refused without a trial, because too many like them were forged.",
  ),

  gauge("varta_tracker_capacity", "Configured tracker capacity, in slots."),
  gauge(
    "varta_tracker_eviction_scan_window_max",
    "Configured number of slots examined per victim search.",
  ),
  gauge("varta_pid_max_current", "Cached pid_max of the kernel; 4294967295 where there is none."),
  gauge("varta_observer_uds_rcvbuf_bytes", "Granted SO_RCVBUF of a unix listener.", {
    source: "uds_rcvbuf",
  }),
  gauge("varta_udp_rcvbuf_bytes", "Granted SO_RCVBUF of a UDP listener; 0 is the kernel's own.", {
    source: "udp_rcvbuf",
  }),
  counter(
    "varta_udp_kernel_drops_total",
    "Datagrams that the kernel dropped because the buffer of a UDP listener was full.",
    { source: "udp_kernel_drops" },
  ),
  counter(
    "varta_socket_queue_full_total",
    "Times that the queue of a unix listener was found full: senders were told to wait.",
    { source: "queue_full" },
  ),
  counter(
    "varta_socket_bind_dir_fsync_failed_total",
    "Failed fsyncs of a socket's parent directory at bind.",
  ),
  counter(
    "varta_socket_file_lost_total",
    "Times that a socket file of the daemon was found removed or replaced.",
  ),
  gauge(
    "varta_socket_files_missing",
    "Sockets whose file is gone and that could not be bound anew yet: nobody new can reach them.",
  ),
  counter("varta_observer_clock_regression_total", "Backward clock steps absorbed."),
  counter(
    "varta_observer_clock_jump_forward_total",
    "Clock steps of more than 5 s forward beyond a planned wait.",
  ),
  counter(
    "varta_observer_pauses_total",
    "Times in which nobody could be heard: the daemon or its machine stood still, or was busy.",
  ),
  counter(
    "varta_observer_paused_seconds_total",
    "Their sum; every deadline moved by that at least, so no silence of that time counts.",
    { decimals: 6 },
  ),
  gauge("varta_watch_pids_tracked", "Agents tracked now."),

  counter("varta_recovery_outcomes_total", "Recovery decisions and completions, by outcome.", {
    label: "outcome",
    values: OUTCOME_LABELS,
  }),
  histogram("varta_recovery_duration_seconds", "Spawn to observed exit of reaped children.", {
    bounds: BOUNDS_RECOVERY,
  }),
  counter(
    "varta_recovery_refused_total",
    "Structural refusals to recover; skips and debounces do not count here.",
    { label: "reason", values: REFUSAL_LABELS },
  ),
  counter(
    "varta_recovery_last_fired_evictions_total",
    "Debounce entries dropped at capacity after their window had passed.",
  ),
  counter(
    "varta_recovery_debounce_recycle_resets_total",
    "Debounce windows ignored because the pid was used again by another process.",
  ),
  counter(
    "varta_recovery_outstanding_recycle_resets_total",
    "Stale children reclaimed because the pid was used again by another process.",
  ),
  counter(
    "varta_recovery_spawn_budget_exceeded_total",
    "Turns in which the spawn cap deferred the remaining stalls.",
  ),
  counter(
    "varta_recovery_invariant_violations_total",
    "Broken recovery invariants: a bug if not 0.",
  ),
  counter(
    "varta_recovery_outstanding_probe_exhausted_total",
    "Operations on the index of running children that used up their probes.",
  ),
  counter("varta_recovery_reap_truncated_total", "Turns cut off at the completion cap."),
  counter("varta_recovery_steps_total", "Steps of recoveries that were begun, by kind.", {
    label: "step",
    values: STEP_KINDS,
  }),
  counter("varta_recovery_step_failures_total", "Steps of recoveries that could not be begun.", {
    label: "step",
    values: STEP_KINDS,
  }),
  counter(
    "varta_recovery_step_retries_total",
    "Steps put off because the system was short of something; they are tried again.",
    { label: "step", values: STEP_KINDS },
  ),
  counter(
    "varta_recovery_verified_total",
    "Recoveries by whether a beat came back within recovery.verify_within.",
    { label: "result", values: VERDICTS },
  ),
  counter(
    "varta_orphans_reaped_total",
    "Ended processes of nobody that were reaped by a daemon that is their parent, as the first process of a container.",
  ),
  gauge(
    "varta_recovery_gave_up_agents",
    "Agents that are not recovered any more until their recovery.budget has room again.",
  ),

  counter("varta_recovery_audit_dropped_total", "Audit records lost because the ring was full."),
  counter(
    "varta_recovery_audit_flush_budget_exceeded_total",
    "Audit writer passes that spent more than 10 ms outside fdatasync.",
  ),
  histogram("varta_audit_fsync_seconds", "Wall time of each fdatasync of the audit log."),
  counter(
    "varta_audit_fsync_budget_exceeded_total",
    "Audit fdatasync calls over audit.fsync_budget.",
  ),
  counter(
    "varta_audit_rotation_budget_exceeded_total",
    "Audit rotations over audit.rotation_budget.",
  ),
  counter("varta_audit_ring_watermark_total", "Rising edges of the audit ring's fill level.", {
    label: "level",
    values: AUDIT_RING_LEVELS,
  }),
  gauge(
    "varta_audit_head_sequence",
    "Number of the last audit record on the disk; it never goes back, across restarts either.",
  ),
  counter(
    "varta_audit_tamper_suspected_total",
    "Times that the audit log was not what the daemon left or remembers.",
  ),
  counter(
    "varta_export_dropped_total",
    "Event export lines lost because the queue was full or a write failed.",
  ),
  counter(
    "varta_file_reopened_total",
    "Files that somebody else had moved or removed and that were begun anew, by file.",
    { label: "file", values: WRITTEN_FILES },
  ),
  counter("varta_log_suppressed_total", "Log lines dropped by the cooldown.", {
    label: "kind",
    values: LOG_KINDS,
  }),
  counter("varta_log_dropped_total", "Log lines lost because stderr did not take them."),

  counter("varta_scrape_skipped_total", "Scrapes answered from the cache of less than 1 s."),
  counter(
    "varta_scrape_budget_exhausted_total",
    "Turns whose 2 ms HTTP slice was used up with work left.",
  ),
  counter(
    "varta_observer_scrape_budget_exceeded_total",
    "Scrapes whose body took longer than metrics.scrape_budget.",
  ),
  counter("varta_prom_auth_failures_total", "Scrapes with a missing or wrong bearer token."),
  counter(
    "varta_prom_connections_dropped_total",
    "Connections and requests that the HTTP server refused or gave up, by reason.",
    {
      label: "reason",
      values: DROP_REASONS,
    },
  ),
  counter(
    "varta_prom_ip_state_probe_exhausted_total",
    "Operations on the table of scraper addresses that used up their probes.",
  ),
  gauge("varta_prom_connections", "Connections of the HTTP server that are open."),
  counter("varta_prom_pid_row_refused_total", "Beats and stalls without a per-pid row."),

  histogram(
    "varta_observer_iteration_seconds",
    "Work time of a turn of the loop, without the wait.",
  ),
  counter(
    "varta_observer_iteration_budget_exceeded_total",
    "Turns over liveness.iteration_budget.",
  ),
  histogram("varta_observer_serve_pending_seconds", "Time of the serve stage of a turn."),
  histogram("varta_observer_stage_seconds", "Time of each stage of a turn.", {
    label: "stage",
    values: STAGES,
  }),
  gauge("varta_watch_uptime_seconds", "Time since the observer started.", {
    source: "process",
    decimals: 3,
  }),
  gauge(
    "varta_watch_last_poll_loop_timestamp_seconds",
    "Unix time of the last completed turn of the loop.",
    { decimals: 3 },
  ),
  gauge(
    "varta_config_last_reload_successful",
    "Whether the last load or reload succeeded: 1 or 0.",
  ),
  gauge(
    "varta_config_last_reload_success_timestamp_seconds",
    "Unix time of the last successful load or reload.",
    { decimals: 3 },
  ),
  gauge("varta_build_info", "The build that is running; always 1.", { source: "build" }),
  counter("process_cpu_seconds_total", "User and system CPU time.", {
    source: "process",
    decimals: 6,
  }),
  gauge("process_resident_memory_bytes", "Resident memory size.", { source: "process" }),
  gauge("process_virtual_memory_bytes", "Virtual memory size.", { source: "process" }),
  gauge("process_open_fds", "Open file descriptors.", { source: "process" }),
  gauge("process_max_fds", "Soft limit of open file descriptors.", { source: "process" }),
  gauge("process_start_time_seconds", "Unix time of the start of the process.", {
    source: "process",
    decimals: 3,
  }),
];

type Details = Partial<Omit<Family, "name" | "type" | "help">>;

function counter(name: string, help: string, details: Details = {}): Family {
  return family("counter", name, help, details);
}

function gauge(name: string, help: string, details: Details = {}): Family {
  return family("gauge", name, help, details);
}

function histogram(name: string, help: string, details: Details = {}): Family {
  return family("histogram", name, help, { bounds: BOUNDS_SHORT, ...details });
}

/** A counter that names the cause of a rejection: it equals one reject reason each, summed over the listeners. */
function cause(
  name: string,
  help: string,
  reasons: readonly number[],
  label = "",
  values: readonly string[] = [],
): Family {
  return family("counter", name, help, { source: "accounting", reasons, label, values });
}

function family(type: MetricType, name: string, help: string, details: Details): Family {
  return {
    name,
    type,
    help,
    source: "series",
    label: "",
    values: [],
    decimals: 0,
    bounds: [],
    reasons: [],
    ...details,
  };
}
