// Keeps the state file near what is true (spec 18 section 7): a change is on the disk after 2 s and
// the time of one writing. One call of `maintain` encodes one slice, which ends after 0.5 ms; file
// operations run beside the loop. A failure keeps the old file, and is tried again.
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { FileCalls } from "../files/append_file.ts";
import { Chunks } from "./chunks.ts";
import { StateEncoder } from "./encoder.ts";
import { STATE_BYTES_MAX } from "./format.ts";
import type { StateRow } from "./records.ts";
import { StateWriting } from "./state_writing.ts";

/** The beginnings of two writings are so far apart at least. */
const STATE_EVERY_NS = 2 * NS_PER_S;
/**
 * But the first ones of a run, each twice as far from the next: what there is at the start is
 * written before members come, and one that a kill follows at once would be forgotten.
 */
const FIRST_EVERY_NS = NS_PER_S / 4;
/** Between two slices: beats have most of the time, and nearly all of it while some wait. */
const SLICE_EVERY_NS = NS_PER_MS;
const SLICE_EVERY_BUSY_NS = 8 * NS_PER_MS;
/** A slice takes 0.1 ms; longer ones are cold code, records with long texts, or a slow machine. */
const SLICE_NS_MAX = NS_PER_MS / 2;

interface StateWriterOptions {
  readonly path: string;
  readonly calls: FileCalls;
  /** What there is, the moment first; walked in slices, between which the tables may change. */
  readonly rows: (isFinal: boolean) => Iterable<StateRow>;
  readonly bytesMax?: number;
  /** A clock for durations, in ns; undefined = a slice is a whole section. */
  readonly monotonicNs?: (() => number) | undefined;
  /** Beats wait that the turn before did not take. */
  readonly isBusy?: (() => boolean) | undefined;
}

export class StateWriter {
  readonly #options: StateWriterOptions;
  readonly #chunks = new Chunks();
  #writing: StateWriting | undefined;
  /** When something changed first since the last writing began; NaN = nothing has. */
  #changedNs = Number.NaN;
  /** The same of what is being written. */
  #writingNs = Number.NaN;
  #nextWritingNs = Number.NEGATIVE_INFINITY;
  #begunNs = Number.NEGATIVE_INFINITY;
  #everyNs = FIRST_EVERY_NS;
  #nextSliceNs = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  #error: Error | undefined;
  #unsynced: Error | undefined;
  #wasUnsynced = false;
  /** Files that were written, writings that failed, and the size of the last file. */
  written = 0;
  failures = 0;
  sizeBytes = 0;

  constructor(options: StateWriterOptions) {
    this.#options = options;
  }

  /** Something has changed at `nowNs` that the next daemon has to know. */
  changed(nowNs: number): void {
    if (!this.#isChanged) this.#changedNs = nowNs;
  }

  /** Since when something waits to be on the disk; NaN = all is. */
  get behindSinceNs(): number {
    return Number.isNaN(this.#writingNs) ? this.#changedNs : this.#writingNs;
  }

  get #isChanged(): boolean {
    return !Number.isNaN(this.#changedNs);
  }

  /** When `maintain` is wanted; +Infinity if it is not. */
  nextDeadlineNs(): number {
    const writing = this.#writing;
    if (writing === undefined)
      return this.#isChanged ? this.#nextWritingNs : Number.POSITIVE_INFINITY;
    if (writing.isOver) return Number.NEGATIVE_INFINITY;
    return writing.wantsSlice ? this.#nextSliceNs : Number.POSITIVE_INFINITY;
  }

  /** Whether `maintain` would begin a writing now. */
  begins(nowNs: number): boolean {
    return this.#writing === undefined && this.#isChanged && nowNs >= this.#nextWritingNs;
  }

  /** Begins a writing, encodes one slice of it, or takes note of its end. */
  maintain(nowNs: number): void {
    if (nowNs < this.nextDeadlineNs()) return;
    const writing = this.#writing;
    if (writing === undefined) {
      if (!this.#isChanged) return;
      this.#begunNs = nowNs;
      this.#nextWritingNs = nowNs + this.#everyNs;
      this.#everyNs = Math.min(2 * this.#everyNs, STATE_EVERY_NS);
      this.#writing = this.#begin(false);
    } else if (writing.isOver) this.#take(writing);
    else if (writing.wantsSlice) this.#slice(writing);
    const isBusy = this.#options.isBusy?.() === true;
    this.#nextSliceNs = nowNs + (isBusy ? SLICE_EVERY_BUSY_NS : SLICE_EVERY_NS);
  }

  /** The first failure since a writing succeeded, once: for the log. */
  takeError(): Error | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** Why the directory cannot be synced, once; each writing goes well without. */
  takeUnsynced(): Error | undefined {
    const error = this.#unsynced;
    this.#unsynced = undefined;
    return error;
  }

  /** Writes all there is at the shutdown: no turn comes after it. True if it is on the disk. */
  async close(): Promise<boolean> {
    await this.#writing?.abandon();
    const writing = this.#begin(true);
    while (!writing.isOver) {
      if (writing.wantsSlice) writing.slice();
      else await writing.settled();
    }
    this.#take(writing);
    return writing.isDone;
  }

  #slice(writing: StateWriting): void {
    const { monotonicNs } = this.#options;
    if (monotonicNs === undefined) {
      writing.slice();
      return;
    }
    const endNs = monotonicNs() + SLICE_NS_MAX;
    writing.slice(() => monotonicNs() < endNs);
  }

  #begin(isFinal: boolean): StateWriting {
    const { path, calls, rows, bytesMax = STATE_BYTES_MAX } = this.#options;
    this.#writingNs = this.#changedNs;
    this.#changedNs = Number.NaN;
    const encoder = new StateEncoder(rows(isFinal));
    return new StateWriting(encoder, { path, calls, bytesMax, chunks: this.#chunks });
  }

  #take({ isDone, error, sizeBytes, unsynced }: StateWriting): void {
    const sinceNs = this.#writingNs;
    this.#writing = undefined;
    this.#writingNs = Number.NaN;
    if (isDone) {
      this.written += 1;
      this.sizeBytes = sizeBytes;
      this.#hasFailed = false;
      if (!this.#wasUnsynced) this.#unsynced = unsynced;
      this.#wasUnsynced ||= unsynced !== undefined;
      return;
    }
    this.failures += 1;
    // What was to be written is not: it is tried again.
    this.#changedNs = sinceNs;
    this.#nextWritingNs = this.#begunNs + STATE_EVERY_NS;
    if (!this.#hasFailed) this.#error = error;
    this.#hasFailed = true;
  }
}
