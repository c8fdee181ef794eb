// The registry behind the metrics page (spec 08): typed-array counters by numeric id, non-cumulative histograms, per-pid
// rows, and the counts that only event rows can give. The daemon feeds it while it turns, and once more before each page;
// nothing here allocates, blocks or throws while it is fed. `catalogue.ts` says which family is fed by whom.
import { assert } from "../base/assert.ts";
import { LISTENERS_MAX } from "../base/limits.ts";
import { REJECT_REASON_COUNT } from "../base/reject_reason.ts";
import { saturatingAdd } from "../base/saturating.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import {
  EVENT_BEAT,
  EVENT_DECODE,
  EVENT_IO,
  type EventBatch,
  keyOfRow,
  sourceOfRow,
} from "../events/event_batch.ts";
import type { Stall } from "../events/stall.ts";
import { FAMILIES } from "./catalogue.ts";
import {
  type BuildInfo,
  Exposition,
  type MetricsListener,
  type PlacedBlock,
} from "./exposition.ts";
import { Histograms } from "./histograms.ts";
import { PidRows } from "./pid_rows.ts";
import { readProcessStats } from "../processes/own_process.ts";
import { idOf, SERIES_COUNT, seriesId } from "./series.ts";

export interface MetricsOptions {
  /** What the page has, besides the catalogue. */
  readonly blocks: readonly PlacedBlock[];
  /** Tracker capacity; the row table is a little larger. */
  readonly capacity: number;
  /** In configuration order: the index is the listener number of rows and accounting. */
  readonly listeners: readonly MetricsListener[];
  /** The observer's own table, read at each scrape. */
  readonly accounting: DatagramAccounting;
  readonly perPid: boolean;
  readonly build: BuildInfo;
}

const DECODE_ERRORS = seriesId("varta_decode_errors_total", "bad_magic");
const IO_ERRORS = seriesId("varta_io_errors_total");
const PID_ROW_REFUSED = seriesId("varta_prom_pid_row_refused_total");
const UPTIME = seriesId("varta_watch_uptime_seconds");
const CPU_SECONDS = seriesId("process_cpu_seconds_total");
const RESIDENT_BYTES = seriesId("process_resident_memory_bytes");
const VIRTUAL_BYTES = seriesId("process_virtual_memory_bytes");
const OPEN_FDS = seriesId("process_open_fds");
const MAX_FDS = seriesId("process_max_fds");
const START_TIME = seriesId("process_start_time_seconds");

/** Where a cause counter comes from: the sum of one reject reason over all listeners. */
interface Cause {
  readonly series: number;
  readonly reason: number;
}

const CAUSES: readonly Cause[] = FAMILIES.filter(
  (family) => family.source === "accounting",
).flatMap((family) =>
  family.reasons.map((reason, i) => ({ series: idOf(family, family.values[i] ?? ""), reason })),
);

export class Metrics {
  /** Renders the page, in slices; it is the `ScrapeSource` of the HTTP server. */
  readonly exposition: Exposition;
  readonly #values = new Float64Array(SERIES_COUNT);
  readonly #histograms = new Histograms();
  readonly #rcvbufBytes = new Float64Array(LISTENERS_MAX);
  readonly #kernelDrops = new Float64Array(LISTENERS_MAX);
  readonly #queueFull = new Float64Array(LISTENERS_MAX);
  readonly #filtered = new Float64Array(LISTENERS_MAX);
  readonly #rows: PidRows;
  readonly #accounting: DatagramAccounting;
  readonly #collectors: (() => void)[] = [];
  #perPid: boolean;
  #wallOffsetNs = 0;

  constructor(options: MetricsOptions) {
    this.#rows = new PidRows(options.capacity);
    this.#accounting = options.accounting;
    this.#perPid = options.perPid;
    this.exposition = new Exposition({
      blocks: options.blocks,
      values: this.#values,
      histograms: this.#histograms,
      accounting: options.accounting,
      rcvbufBytes: this.#rcvbufBytes,
      kernelDrops: this.#kernelDrops,
      queueFull: this.#queueFull,
      filtered: this.#filtered,
      rows: this.#rows,
      listeners: options.listeners,
      build: options.build,
      perPid: () => this.#perPid,
      snapshot: (nowNs) => this.#snapshot(nowNs),
    });
  }

  /** `collect` is called before each page is made: it brings what its owner counts for itself. */
  collectFrom(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** Wall clock minus observer time, in ns, taken at the start of the turn. It dates the beats of the turn. */
  setWallOffsetNs(wallOffsetNs: number): void {
    this.#wallOffsetNs = wallOffsetNs;
  }

  /** Adds to a counter. `count` is a non-negative integer, for example a drained counter; of seconds it may be a part of one. */
  add(series: number, count: number): void {
    assert(series >= 0 && series < SERIES_COUNT, "a series id comes from series.ts");
    this.#values[series] = saturatingAdd(this.#values[series]!, count);
  }

  /** Sets a gauge. `value` is not negative. */
  set(series: number, value: number): void {
    assert(series >= 0 && series < SERIES_COUNT, "a series id comes from series.ts");
    this.#values[series] = value;
  }

  /** Adds one observation to a histogram. */
  observe(histogram: number, seconds: number): void {
    this.#histograms.observe(histogram, seconds);
  }

  /** Adds `times` observations of 0 to a histogram. */
  observeZeros(histogram: number, times: number): void {
    this.#histograms.observeZeros(histogram, times);
  }

  /** The granted receive buffer of a listener. */
  setRcvbufBytes(listener: number, bytes: number): void {
    this.#rcvbufBytes[listener] = bytes;
  }

  /** Adds to the datagrams of a UDP listener that the kernel dropped. */
  addKernelDrops(listener: number, count: number): void {
    this.#kernelDrops[listener] = saturatingAdd(this.#kernelDrops[listener]!, count);
  }

  /** Adds to the times that the queue of a Unix listener was found full. */
  addQueueFull(listener: number, count: number): void {
    this.#queueFull[listener] = saturatingAdd(this.#queueFull[listener]!, count);
  }

  /** The datagrams that the kernel has dropped for a listener, an estimate that only grows. */
  setFilteredEstimate(listener: number, total: number): void {
    this.#filtered[listener] = total;
  }

  /** Counts event rows 0..count-1. The beat path: no allocation. */
  onBatch(batch: EventBatch, count: number): void {
    const { kind, pid, hasSource, status, observerNs } = batch;
    const rows = this.#rows;
    const perPid = this.#perPid;
    const wallOffsetNs = this.#wallOffsetNs;
    for (let i = 0; i < count; i++) {
      if (kind[i]! !== EVENT_BEAT) {
        this.#countOther(batch, i);
        continue;
      }
      if (!perPid) continue;
      const unixMs = Math.floor((observerNs[i]! + wallOffsetNs) / NS_PER_MS);
      const isRecorded =
        hasSource[i] === 0
          ? rows.beat(pid[i]!, status[i]!, unixMs)
          : this.#sourcedBeat(batch, i, unixMs);
      if (!isRecorded) this.add(PID_ROW_REFUSED, 1);
    }
  }

  onStall(stall: Stall): void {
    if (!this.#perPid) return;
    if (!this.#rows.stall(stall.key)) this.add(PID_ROW_REFUSED, 1);
  }

  /**
   * Forgets the row of a member that the tracker removed. The caller has checked that it is not
   * tracked again.
   */
  onRemoved(key: number): void {
    this.#rows.remove(key);
  }

  /** A beat by plain UDP: one whose pid another source holds has a row under the name of both. */
  #sourcedBeat(batch: EventBatch, row: number, unixMs: number): boolean {
    const rows = this.#rows;
    const key = keyOfRow(batch, row);
    const pid = batch.pid[row]!;
    // The name is made once.
    const isNew = key !== pid && rows.find(key) < 0;
    const name = isNew ? `${sourceOfRow(batch, row)}/${pid}` : "";
    return rows.beat(key, batch.status[row]!, unixMs, name);
  }

  /** Auth failures, conflicts and truncation are in the accounting table; only rows know the kind and the errno. */
  #countOther(batch: EventBatch, i: number): void {
    const kind = batch.kind[i]!;
    if (kind === EVENT_DECODE) this.add(DECODE_ERRORS + batch.detail[i]! - 1, 1);
    else if (kind === EVENT_IO) this.add(IO_ERRORS, 1);
  }

  /** Brings the series that nobody feeds up to the moment of the scrape. */
  #snapshot(nowNs: number): void {
    for (const collect of this.#collectors) collect();
    const values = this.#values;
    for (const { series, reason } of CAUSES) values[series] = this.#rejectedFor(reason);
    values[UPTIME] = nowNs / NS_PER_S;
    const stats = readProcessStats();
    values[CPU_SECONDS] = stats.cpuSeconds;
    values[RESIDENT_BYTES] = stats.residentBytes;
    values[VIRTUAL_BYTES] = stats.virtualBytes;
    values[OPEN_FDS] = stats.openFds;
    values[MAX_FDS] = stats.maxFds;
    values[START_TIME] = stats.startUnixS;
  }

  #rejectedFor(reason: number): number {
    const rejected = this.#accounting.rejected;
    let sum = 0;
    for (let at = reason; at < rejected.length; at += REJECT_REASON_COUNT) {
      sum = saturatingAdd(sum, rejected[at]!);
    }
    return sum;
  }
}
