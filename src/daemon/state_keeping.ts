// The state file of a running daemon (spec 18 sections 1, 4 and 7): it is locked, read and given
// back at the start, written while the daemon runs, and a last time at its end. A file that cannot
// be used costs the daemon nothing but its memory, and is said once; one that another daemon holds
// stops a start that names it.
import { Counters } from "../base/counters.ts";
import { NS_PER_S, wholeMsFromNs } from "../base/time.ts";
import type { FileCalls } from "../files/append_file.ts";
import { LockedError, LockFile } from "../files/lock_file.ts";
import type { ReadState } from "../snapshot/decoder.ts";
import { findState } from "../snapshot/found_state.ts";
import type { StateRow } from "../snapshot/records.ts";
import { StateWriter } from "../snapshot/state_writer.ts";
import type { Deadline } from "./deadline.ts";
import { requireDirectory } from "./file_place.ts";
import { STATE } from "./state_counters.ts";
import type { Log } from "./log.ts";

/**
 * Beats are no change, but one that a kill follows is silence to the next daemon: what members have
 * is this old at most, or as old as it takes to write it at 256 KiB/s.
 */
const FRESH_NS = 10 * NS_PER_S;
const FRESH_BYTES_PER_S = 256 * 1_024;

interface StateKeepingOptions {
  readonly path: string;
  /** Nobody named the path: a daemon that holds it is no error. */
  readonly isDefault: boolean;
  readonly ownerUid: number;
  readonly calls: FileCalls;
  /** What there is, the moment first. */
  readonly rows: (isFinal: boolean) => Iterable<StateRow>;
  /** Another number after each change that the next daemon has to know of. */
  readonly mark: () => number;
  /** Another number after each beat; undefined = beats alone are never written. */
  readonly beats?: () => number;
  /** As the writer of the state has them. */
  readonly monotonicNs?: () => number;
  readonly isBusy?: () => boolean;
  readonly log: Pick<Log, "info" | "warn">;
  /** It goes on without a state, for this reason. */
  readonly refused?: (reason: string) => void;
}

interface Failure {
  readonly text: string;
  readonly sinceNs: number;
  readonly written: number;
  readonly failures: number;
}

export class StateKeeping implements Deadline {
  /** What the daemon before this one left, until the first turn; undefined = nothing of use. */
  #found: ReadState | undefined;
  /** The daemon before this one did not come to its last writing. */
  readonly isAfterKill: boolean;
  readonly counters = new Counters(STATE, this);
  #lock: LockFile;
  /** Another process has the file now: it is written no more. */
  #isLost = false;
  readonly #writer: StateWriter;
  readonly #options: StateKeepingOptions;
  /** As it was when it was asked last: what there is at the start is written. */
  #mark = Number.NaN;
  #beats = 0;
  /** Writings that it goes by. */
  #fresh = 0;
  /** When beats alone are worth a writing. */
  #freshNs = Number.POSITIVE_INFINITY;
  #closing: Promise<void> | undefined;
  /** Of the first writing that failed, and how many had succeeded and failed by then. */
  #failure: Failure | undefined;

  /**
   * Undefined: it goes on without a state, and has said why. Throws `LockedError` if another daemon
   * has the file that the configuration names.
   */
  static open(options: StateKeepingOptions): StateKeeping | undefined {
    const { path, ownerUid } = options;
    let lock: LockFile;
    try {
      requireDirectory(path);
      lock = LockFile.take(`${path}.lock`, ownerUid);
    } catch (error) {
      if (error instanceof LockedError && !options.isDefault) throw error;
      goOnWithout(options, error as Error);
      return undefined;
    }
    const found = findState(path, ownerUid);
    if (found.kind === "refused") {
      lock[Symbol.dispose]();
      goOnWithout(options, found.error);
      return undefined;
    }
    if (found.kind === "unreadable")
      options.log.warn("state unreadable", {
        file: path,
        reason: `found ${found.found}`,
        set_aside: found.setAside || undefined,
        effect: "members, mutes and budgets begin anew",
      });
    return new StateKeeping(options, lock, found.kind === "state" ? found.state : undefined);
  }

  private constructor(options: StateKeepingOptions, lock: LockFile, found: ReadState | undefined) {
    this.#options = options;
    this.#lock = lock;
    this.#found = found;
    this.isAfterKill = lock.wasLeft || found?.moment.isFinal === false;
    const { path, calls, rows, monotonicNs, isBusy } = options;
    this.#writer = new StateWriter({ path, calls, rows, monotonicNs, isBusy });
  }

  get found(): ReadState | undefined {
    return this.#found;
  }

  /** Files that were written since the start. */
  get written(): number {
    return this.#writer.written;
  }

  get failures(): number {
    return this.#writer.failures;
  }

  /** Why it is not written; undefined = the last writing went well. */
  get problem(): string | undefined {
    return this.#failure?.text;
  }

  get sizeBytes(): number {
    return this.#writer.sizeBytes;
  }

  /** For how long the oldest change has waited to be on the disk. */
  behindNs(nowNs: number): number {
    const sinceNs = this.#writer.behindSinceNs;
    return Number.isNaN(sinceNs) ? 0 : Math.max(0, nowNs - sinceNs);
  }

  nextDeadlineNs(): number {
    if (this.#isLost) return Number.POSITIVE_INFINITY;
    return this.#writer.nextDeadlineNs();
  }

  maintain(nowNs: number): void {
    // It is as large as all its members, and lives in the tracker now.
    this.#found = undefined;
    const mark = this.#options.mark();
    if (mark !== this.#mark || this.#isStale(nowNs)) this.#writer.changed(nowNs);
    this.#mark = mark;
    if (this.#writer.begins(nowNs) && !this.#holds()) return;
    this.#writer.maintain(nowNs);
    this.#freshen(nowNs);
    this.#report(nowNs);
  }

  #isStale(nowNs: number): boolean {
    if (nowNs < this.#freshNs || this.#options.beats?.() === this.#beats) return false;
    // Once: until that writing has ended it is asked no more.
    this.#freshNs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Takes note of a writing that has ended. */
  #freshen(nowNs: number): void {
    if (this.#writer.written === this.#fresh) return;
    this.#fresh = this.#writer.written;
    this.#beats = this.#options.beats?.() ?? 0;
    const writeNs = (this.#writer.sizeBytes / FRESH_BYTES_PER_S) * NS_PER_S;
    this.#freshNs = nowNs + Math.max(FRESH_NS, writeNs);
  }

  /** The last time: no turn comes after it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What is there stays as it is. */
  release(): void {
    this.#lock[Symbol.dispose]();
  }

  async #close(): Promise<void> {
    try {
      if (this.#holds()) await this.#writer.close();
      this.#report(Number.NaN);
    } finally {
      this.release();
    }
  }

  /**
   * Asked before each writing: who removed the file of the lock has let another daemon lock a new
   * one, and two would write over each other.
   */
  #holds(): boolean {
    if (this.#isLost) return false;
    if (this.#lock.isInPlace) return true;
    const { ownerUid } = this.#options;
    const lost = this.#lock;
    try {
      this.#lock = LockFile.take(lost.path, ownerUid);
      lost[Symbol.dispose]();
      return true;
    } catch (error) {
      if (error instanceof LockedError) {
        this.#isLost = true;
        goOnWithout(this.#options, error);
        return false;
      }
      // A directory that is gone: the writing says so, is counted and tried again.
      return true;
    }
  }

  /** `nowNs` is NaN at the end. */
  #report(nowNs: number): void {
    const { path: file, log } = this.#options;
    const { written, failures } = this.#writer;
    const failure = this.#failure;
    if (failure !== undefined && written > failure.written) {
      this.#failure = undefined;
      log.info("state written again", {
        file,
        failed: failures - failure.failures,
        after_ms: Number.isNaN(nowNs) ? undefined : wholeMsFromNs(nowNs - failure.sinceNs),
      });
    }
    const unsynced = this.#writer.takeUnsynced();
    if (unsynced !== undefined)
      log.warn("directory sync failed, ignoring", {
        file,
        error: unsynced.message,
        effect: "after a crash of the machine the state may be an earlier one",
      });
    const error = this.#writer.takeError();
    if (error === undefined) return;
    const text = error.message;
    this.#failure = { text, sinceNs: nowNs, written, failures: failures - 1 };
    log.warn("state not written", {
      file,
      error: text,
      effect: "after a restart the last state that was written holds",
    });
  }
}

function goOnWithout({ path, log, refused }: StateKeepingOptions, error: Error): void {
  refused?.(error.message);
  log.warn("state not kept", {
    file: path,
    error: error.message,
    effect: "a restart forgets members, mutes and budgets",
  });
}
