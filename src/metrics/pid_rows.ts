// The per-pid rows of the metrics page: columns of typed arrays with a bounded index (spec 08
// section 3.1). Only a beat makes a row; a row lives until the tracker has removed the pid and does
// not track it now. Nothing here allocates after construction.
import { assert } from "../base/assert.ts";
import { blockPer, counter, gauge } from "../base/counters.ts";
import { METRICS_SPARE_ROWS, TRACKER_CAPACITY_MAX } from "../base/limits.ts";
import { BoundedIndex } from "../tables/bounded_index.ts";
import { STATUS_STALL } from "../wire/frame.ts";

export const PID_ROWS = blockPer(["pid"], {
  beats: counter("varta_beats_total", "Accepted beats."),
  stalls: counter("varta_stalls_total", "Stalls detected."),
  status: gauge(
    "varta_status",
    "Last status: 0 ok, 1 degraded, 2 critical, 3 stall (made by the observer).",
  ),
  lastBeat: gauge(
    "varta_agent_last_beat_timestamp_seconds",
    "Unix time of the last accepted beat.",
    { decimals: 3 },
  ),
});

export class PidRows {
  /** Rows that are reserved. */
  readonly rowCount: number;
  /** Tracker capacity plus some room for rows whose removal is still under way. */
  #capacity: number;
  #index: BoundedIndex;
  /** The tracker's keys, which are the pids; 0 = the row is free. */
  readonly #pids: Uint32Array;
  /** Of rows whose pid another source holds: they are few. */
  readonly #names = new Map<number, string>();
  readonly #beats: Float64Array;
  readonly #stalls: Float64Array;
  readonly #statuses: Uint8Array;
  readonly #lastBeatUnixMs: Float64Array;
  /**
   * Rows at `#rowsUsed` and above were never used: the columns are touched, and cost memory, only
   * as they fill.
   */
  #rowsUsed = 0;
  readonly #free: Uint32Array;
  #freeCount = 0;

  /** `trackerRoom`: the largest capacity that the tracker can be given. */
  constructor(trackerCapacity: number, trackerRoom = trackerCapacity) {
    this.#capacity = withSpare(trackerCapacity);
    this.rowCount = withSpare(trackerRoom);
    this.#index = new BoundedIndex(this.#capacity);
    this.#pids = new Uint32Array(this.rowCount);
    this.#beats = new Float64Array(this.rowCount);
    this.#stalls = new Float64Array(this.rowCount);
    this.#statuses = new Uint8Array(this.rowCount);
    this.#lastBeatUnixMs = new Float64Array(this.rowCount);
    this.#free = new Uint32Array(this.rowCount);
  }

  /** The tracker has another capacity; rows that there are stay. */
  resize(trackerCapacity: number): void {
    this.#capacity = withSpare(trackerCapacity);
    this.#index = this.#index.resized(this.#capacity);
  }

  get size(): number {
    return this.#index.occupied;
  }

  /** The row of `pid`, or -1. */
  find(pid: number): number {
    return this.#index.get(pid);
  }

  /**
   * Counts a beat, making the row if there is none; false if it cannot be recorded. `name` stands
   * on the page in the place of the pid, "" = the pid itself does.
   */
  beat(pid: number, status: number, unixMs: number, name = ""): boolean {
    let row = this.#index.get(pid);
    if (row < 0) {
      row = this.#create(pid);
      if (row < 0) return false;
      if (name !== "") this.#names.set(row, name);
    }
    this.#beats[row]! += 1;
    this.#statuses[row] = status;
    this.#lastBeatUnixMs[row] = unixMs;
    return true;
  }

  /** Counts a stall; false if the pid has no row, since a stall does not make one. */
  stall(pid: number): boolean {
    const row = this.#index.get(pid);
    if (row < 0) return false;
    this.#stalls[row]! += 1;
    this.#statuses[row] = STATUS_STALL;
    return true;
  }

  remove(pid: number): void {
    const row = this.#index.remove(pid);
    if (row < 0) return;
    this.#pids[row] = 0;
    this.#names.delete(row);
    this.#free[this.#freeCount] = row;
    this.#freeCount += 1;
  }

  /** Rows below this number may be in use; the bound of a walk with `pidAt`. */
  get rowsUsed(): number {
    return this.#rowsUsed;
  }

  /** The pid of a row, 0 if the row is free. */
  pidAt(row: number): number {
    return this.#pids[row]!;
  }

  /** What stands on the page in the place of the pid; undefined = the pid itself. */
  nameAt(row: number): string | undefined {
    return this.#names.size === 0 ? undefined : this.#names.get(row);
  }

  beatsAt(row: number): number {
    return this.#beats[row]!;
  }

  stallsAt(row: number): number {
    return this.#stalls[row]!;
  }

  statusAt(row: number): number {
    return this.#statuses[row]!;
  }

  lastBeatUnixMsAt(row: number): number {
    return this.#lastBeatUnixMs[row]!;
  }

  #create(pid: number): number {
    assert(pid > 0, "pid 0 marks a free row");
    if (this.size >= this.#capacity) return -1;
    const reused = this.#freeCount > 0;
    const row = reused ? this.#free[this.#freeCount - 1]! : this.#rowsUsed;
    if (!this.#index.insert(pid, row)) return -1;
    if (reused) this.#freeCount -= 1;
    else this.#rowsUsed += 1;
    this.#pids[row] = pid;
    this.#beats[row] = 0;
    this.#stalls[row] = 0;
    return row;
  }
}

function withSpare(trackerCapacity: number): number {
  return Math.min(trackerCapacity + METRICS_SPARE_ROWS, TRACKER_CAPACITY_MAX);
}
