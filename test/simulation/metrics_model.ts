// What the metrics page must say (spec 08): per-pid rows in a Map, and every counter as the sum of
// what the models saw.
import type { ModelStall } from "./model_rows.ts";
import type { ObserverModel } from "./observer_model.ts";
import type { RecoveryModel } from "./recovery_model.ts";

interface PidRow {
  beats: number;
  stalls: number;
  status: number;
  lastBeatUnixMs: number;
}

const DECODE_KINDS: Readonly<Record<string, string>> = {
  BadMagic: "bad_magic",
  BadVersion: "bad_version",
  BadStatus: "bad_status",
  BadPid: "bad_pid",
  BadTimestamp: "bad_timestamp",
  BadNonce: "bad_nonce",
  StallOnWire: "stall_on_wire",
  BadCrc: "bad_crc",
};

const REASONS = [
  "wrong_size",
  "ctrl_truncated",
  "no_credentials",
  "decrypt",
  "sender_table_full",
  "replay",
  "decode",
  "uid",
  "pid",
  "pid_above_max",
  "rate_per_pid",
  "rate_global",
  "cross_namespace",
  "origin_conflict",
  "namespace_conflict",
  "capacity",
  "out_of_order",
] as const;

/** Cause counters that equal one reject reason, summed over listeners (spec 08 section 4). */
const CAUSES: Readonly<Record<string, string>> = {
  varta_truncated_datagrams_total: "wrong_size",
  varta_ctrl_truncated_total: "ctrl_truncated",
  'varta_frame_auth_failures_total{reason="uid"}': "uid",
  'varta_frame_auth_failures_total{reason="pid"}': "pid",
  varta_frame_rejected_pid_above_max_total: "pid_above_max",
  'varta_rate_limited_total{reason="per_pid"}': "rate_per_pid",
  'varta_rate_limited_total{reason="global"}': "rate_global",
  varta_frame_namespace_mismatch_total: "cross_namespace",
  varta_origin_conflict_total: "origin_conflict",
  varta_tracker_namespace_conflict_total: "namespace_conflict",
  varta_tracker_capacity_exceeded_total: "capacity",
  varta_frame_decrypt_failures_total: "decrypt",
  varta_secure_replay_refused_total: "replay",
  varta_sender_state_full_total: "sender_table_full",
};

export class MetricsModel {
  readonly rows = new Map<number, PidRow>();
  rowsRefused = 0;
  turns = 0;
  stallsTold = 0;
  resumesTold = 0;
  clockRegressions = 0;
  clockJumps = 0;
  #rowsMax: number;

  constructor(capacity: number) {
    this.#rowsMax = capacity + 64;
  }

  resize(capacity: number): void {
    this.#rowsMax = capacity + 64;
  }

  beat(pid: number, status: number, unixMs: number): void {
    let row = this.rows.get(pid);
    if (row === undefined) {
      if (this.rows.size >= this.#rowsMax) {
        this.rowsRefused += 1;
        return;
      }
      row = { beats: 0, stalls: 0, status: 0, lastBeatUnixMs: 0 };
      this.rows.set(pid, row);
    }
    row.beats += 1;
    row.status = status;
    row.lastBeatUnixMs = unixMs;
  }

  stall(stall: ModelStall): void {
    this.stallsTold += 1;
    const row = this.rows.get(stall.pid);
    if (row === undefined) {
      this.rowsRefused += 1;
      return;
    }
    row.stalls += 1;
    row.status = 3;
  }

  /** Every sample that the page must have; other samples of the page are not predicted. */
  expectedSamples(observer: ObserverModel, recovery: RecoveryModel): Map<string, number> {
    const samples = new Map<string, number>();
    for (const [pid, row] of this.rows) {
      samples.set(`varta_beats_total{pid="${pid}"}`, row.beats);
      samples.set(`varta_stalls_total{pid="${pid}"}`, row.stalls);
      samples.set(`varta_status{pid="${pid}"}`, row.status);
      samples.set(
        `varta_agent_last_beat_timestamp_seconds{pid="${pid}"}`,
        row.lastBeatUnixMs / 1000,
      );
    }
    for (const { link, account } of observer.links) {
      const label = `listener="${link.options.name}"`;
      samples.set(`varta_datagrams_received_total{${label}}`, account.received);
      samples.set(`varta_datagrams_accepted_total{${label}}`, account.accepted);
      for (const reason of REASONS) {
        samples.set(
          `varta_datagrams_rejected_total{${label},reason="${reason}"}`,
          account.rejected.get(reason) ?? 0,
        );
      }
    }
    for (const [series, reason] of Object.entries(CAUSES)) {
      samples.set(series, observer.rejectedTotal(reason));
    }
    for (const [error, kind] of Object.entries(DECODE_KINDS)) {
      samples.set(
        `varta_decode_errors_total{kind="${kind}"}`,
        observer.decodeErrors.get(error) ?? 0,
      );
    }
    this.#addTracker(samples, observer);
    for (const [series, value] of recovery.totals) samples.set(series, value);
    return samples;
  }

  #addTracker(samples: Map<string, number>, observer: ObserverModel): void {
    const { counters, slots } = observer.tracker;
    samples.set("varta_io_errors_total", observer.ioErrors);
    samples.set("varta_tracker_evicted_total", counters.evictions);
    samples.set("varta_tracker_uid_share_total", counters.uidShares);
    samples.set("varta_tracker_eviction_scan_truncated_total", counters.evictionScanTruncated);
    samples.set("varta_tracker_pid_recycle_total", counters.pidRecycles);
    samples.set("varta_tracker_invariant_violations_total", 0);
    samples.set("varta_recovery_invariant_violations_total", 0);
    samples.set("varta_tracker_pid_index_probe_exhausted_total", 0);
    samples.set("varta_tracker_removed_pid_drops_total", counters.removedPidDrops);
    samples.set("varta_nonce_wrap_total", counters.nonceWraps);
    samples.set("varta_nonce_restart_total", counters.nonceRestarts);
    samples.set("varta_pid_max_current", observer.pidMax);
    samples.set("varta_watch_pids_tracked", slots.length);
    samples.set("varta_prom_pid_row_refused_total", this.rowsRefused);
    samples.set("varta_observer_clock_regression_total", this.clockRegressions);
    samples.set("varta_observer_pauses_total", observer.tracker.pauses.length);
    samples.set("varta_observer_clock_jump_forward_total", this.clockJumps);
    for (const stage of ["receive", "judge", "recover", "reap", "maintain"]) {
      samples.set(`varta_observer_stage_seconds_count{stage="${stage}"}`, this.turns);
    }
  }
}
