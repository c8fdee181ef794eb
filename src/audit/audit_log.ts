// The audit log (spec 11): one chained row for each thing that recovery did or refused to do, on
// disk before the daemon forgets it. The loop thread formats rows and puts them into a bounded
// ring; the writer does the rest off the loop.
import { Counters, type CountersOf } from "../base/counters.ts";
import { AUDIT_RETRY_NS } from "../base/limits.ts";
import type { Act } from "../events/act.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { type FileCalls, REAL_FILE_CALLS } from "../files/append_file.ts";
import { FILES } from "../files/counters.ts";
import { type AuditPace, AuditWriter, type AuditWriterOptions } from "./audit_writer.ts";
import type { ChainKey } from "./chain.ts";
import { AUDIT, type AuditCounters } from "./counters.ts";
import type { Difference } from "./head_compare.ts";
import type { HeadMemory } from "./head_memory.ts";
import { type AuditOpening, type LogBefore, openAudit } from "./opening.ts";
import { actFields, type BootReason, kindOfFields, movedFields, outcomeFields } from "./record.ts";
import { AuditRing, type RingLine, type WatermarkLevel } from "./ring.ts";
import type { RememberedRow } from "./verify.ts";

export interface AuditLogOptions
  extends Omit<AuditWriterOptions, "calls" | "counters" | "files" | "onSynced"> {
  /** Where it counts, if that outlives this log; undefined = in columns of its own. */
  readonly counters?: AuditCounters | undefined;
  readonly files?: CountersOf<typeof FILES> | undefined;
  /** Rows are under it from here on. */
  readonly key?: ChainKey | undefined;
  /** Keeps the head outside of the log; undefined = it is not remembered. */
  readonly memory?: HeadMemory | undefined;
  /**
   * Called when the ring is 75 % ("warn") or 95 % ("critical") full, once until it was below that
   * again.
   */
  readonly onWatermark: (level: WatermarkLevel, lineCount: number) => void;
  readonly calls?: FileCalls;
  /**
   * The name of the agent of a number, "" = it has none; undefined = rows say no more than those
   * of the Rust observer.
   */
  readonly agentName?: ((agent: number) => string) | undefined;
}

/** A log that was left for another one. */
export interface LeftLog extends LogBefore {
  /** What it could not write any more. */
  readonly lines: readonly RingLine[];
}

export class AuditLog {
  readonly counters: AuditCounters;
  readonly files: CountersOf<typeof FILES>;
  readonly path: string;
  /** The memory of the head; undefined = there is none. */
  readonly memory: HeadMemory | undefined;
  /** How the start found the log, if that is not what was remembered of it. */
  readonly difference: Difference | undefined;
  /** What the start found; each but "fresh", "resume" and "rotation" deserves a warning. */
  readonly bootReason: BootReason;
  /** Bytes of a torn line that is cut off when it begins. */
  readonly tornBytes: number;
  /** Why the directory could not be synced after the file was created; a warning for the log. */
  readonly directorySyncError: Error | undefined;
  readonly #ring: AuditRing;
  readonly #writer: AuditWriter;
  readonly #agentName: ((agent: number) => string) | undefined;
  #syncIntervalNs: number;
  /** A record came after the writer was last started. */
  #isFresh = false;
  #wasBusy = false;
  #nowNs = 0;
  /** When the writer is started although no record came. */
  #dueNs = Number.POSITIVE_INFINITY;
  #closing: Promise<void> | undefined;
  /** Its first rows are not on the disk yet, and others wait for them; undefined = they are. */
  #opening: AuditOpening | undefined;
  #beginning: Promise<void> | undefined;
  /** The last try to begin has failed; a turn plans the next one. */
  #isBeginFailed = false;
  #error: Error | undefined;
  /** What it goes on from. */
  #before: LogBefore | undefined;
  /** The last row that is on the disk. */
  #synced: RememberedRow;

  /**
   * Opens or creates the file; its boot record is written and synced when this resolves. Throws an
   * Error that says what was found and what is wanted, or the system's error.
   */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const log = await AuditLog.find(options);
    try {
      await log.#begin();
    } catch (error) {
      await log.drop();
      throw error;
    }
    return log;
  }

  /** As `open`, but no row is written before `beginAfter`. */
  static async find(options: AuditLogOptions): Promise<AuditLog> {
    const { memory, key } = options;
    const calls = options.calls ?? REAL_FILE_CALLS;
    const opening = await openAudit({ ...options, calls, key, remembered: memory?.found });
    return new AuditLog({ ...options, calls }, opening);
  }

  private constructor(
    options: AuditLogOptions & { readonly calls: FileCalls },
    opening: AuditOpening,
  ) {
    const { memory } = options;
    const { file, head, bootReason, tornBytes, difference } = opening;
    this.#opening = opening;
    this.counters = options.counters ?? new Counters(AUDIT, this);
    this.files = options.files ?? new Counters(FILES, this);
    this.path = options.path;
    this.memory = memory;
    this.difference = difference;
    this.bootReason = bootReason;
    this.tornBytes = tornBytes;
    this.directorySyncError = file.directorySyncError;
    this.#agentName = options.agentName;
    this.#syncIntervalNs = options.syncIntervalNs;
    this.#ring = new AuditRing(this.counters, options.onWatermark);
    this.#synced = { seq: head.seq, chain: head.text };
    const onSynced = (row: RememberedRow): void => this.#onSynced(row);
    this.#writer = new AuditWriter(
      { ...options, counters: this.counters, files: this.files, onSynced },
      this.#ring,
      head,
      file,
    );
  }

  /** The first rows of this daemon are on the disk. */
  get hasBegun(): boolean {
    return this.#opening === undefined;
  }

  /** True if `other` writes to the very same file. */
  isSameFile(other: AuditLog): boolean {
    return this.#writer.isSameFile(other.#writer);
  }

  /** The last row that is on the disk, and with it all before it. */
  get head(): RememberedRow {
    return this.#synced;
  }

  /** Records that are not yet written and synced. */
  get queuedCount(): number {
    return this.#ring.count;
  }

  /** True while a write, a sync or a rotation is under way. */
  get busy(): boolean {
    return this.#beginning !== undefined || this.#writer.busy || this.memory?.busy === true;
  }

  /**
   * Of a log that was found: begins it when `left` is closed, after what that one could not write.
   * Rows wait until then. `left` may be undefined: then it goes on from none.
   */
  beginAfter(left: Promise<LeftLog | undefined>): void {
    this.#beginning = left.then(async (before) => {
      if (before?.path !== this.path) this.#before = before;
      this.#ring.putFirst(before?.lines ?? []);
      await this.#tryToBegin();
    });
  }

  async #tryToBegin(): Promise<void> {
    try {
      await this.#begin();
      this.#isFresh = true;
    } catch (error) {
      this.#error = error as Error;
      this.#isBeginFailed = true;
    }
    this.#beginning = undefined;
  }

  async #begin(): Promise<void> {
    const { head } = this.#opening!;
    await this.#opening!.begin(this.#before);
    this.#onSynced({ seq: head.seq, chain: head.text });
    await this.memory?.flush();
    this.#opening = undefined;
  }

  /** Of a log that was found: it is not wanted after all. */
  drop(): Promise<void> {
    this.#closing ??= this.#writer.abandon();
    return this.#closing;
  }

  /**
   * The log goes on in `next`, undefined = nowhere: says so in its last row, and closes. Resolves
   * with what `next` has to know.
   */
  async leave(next: AuditLog | undefined, unixMs: number): Promise<LeftLog> {
    const { seq, chain } = next?.head ?? { seq: 0, chain: "" };
    const other = { file: next?.path, seq, chain: seq === 0 ? undefined : chain };
    this.#push(movedFields({ unixMs, direction: "to", ...other }));
    this.#closing ??= this.#closeAll();
    await this.#closing;
    const lines = this.#ring.takeAll().filter(({ kind }) => kind !== "moved");
    // One that never began is no log to go on from.
    const { path, row } = (this.hasBegun ? undefined : this.#before) ?? this.#place();
    return { path, row, lines };
  }

  #place(): LogBefore {
    return { path: this.path, row: this.#synced };
  }

  #onSynced(row: RememberedRow): void {
    this.#synced = row;
    this.memory?.remember(row);
  }

  change(pace: AuditPace): void {
    this.#syncIntervalNs = pace.syncIntervalNs;
    this.#writer.change(pace);
  }

  /** Queues the record of an outcome, or drops and counts it. `unixMs` is the wall clock now. */
  record(outcome: RecoveryOutcome, unixMs: number): void {
    const name = outcome.kind === "storm" ? undefined : this.#agentName?.(outcome.agent);
    const fields = outcomeFields(outcome, unixMs, name);
    if (fields !== undefined) this.#push(fields);
  }

  /** Queues the record of an act, or drops and counts it. */
  recordAct(act: Act, unixMs: number): void {
    this.#push(actFields(act, unixMs));
  }

  #push(fields: string): void {
    if (this.#closing !== undefined) {
      this.#ring.drop(1);
      return;
    }
    this.#ring.push(kindOfFields(fields), fields);
    this.#isFresh = true;
  }

  /** When `maintain` is wanted although nothing happens; +Infinity if it is not. */
  nextDeadlineNs(): number {
    if (this.#closing !== undefined) return Number.POSITIVE_INFINITY;
    if (this.#beginning !== undefined) return Number.POSITIVE_INFINITY;
    if (this.#isBeginFailed) return this.#nowNs;
    if (!this.hasBegun) return this.#dueNs;
    const memoryNs = this.memory?.nextDeadlineNs() ?? Number.POSITIVE_INFINITY;
    if (this.#writer.busy) return memoryNs;
    if (this.#isFresh || this.#wasBusy) return this.#nowNs;
    return Math.min(this.#dueNs, memoryNs);
  }

  /** Once per turn: starts the writer if there is something for it to do. */
  maintain(nowNs: number): void {
    this.#nowNs = nowNs;
    if (this.#closing !== undefined || this.#beginning !== undefined) return;
    if (!this.hasBegun) {
      this.#beginAgain(nowNs);
      return;
    }
    this.memory?.maintain(nowNs);
    if (this.#writer.busy) return;
    if (this.#wasBusy) this.#planNext(nowNs);
    if (!this.#isFresh && nowNs < this.#dueNs) return;
    this.#isFresh = false;
    this.#wasBusy = true;
    this.#dueNs = Number.POSITIVE_INFINITY;
    this.#writer.start();
  }

  #beginAgain(nowNs: number): void {
    if (this.#isBeginFailed) this.#dueNs = nowNs + AUDIT_RETRY_NS;
    this.#isBeginFailed = false;
    if (nowNs >= this.#dueNs) this.#beginning = this.#tryToBegin();
  }

  /** What was done to the open file since the last call; its row is in the log. */
  takeTampering(): Difference | undefined {
    return this.#writer.takeTampering();
  }

  /** The last failure since the last call, for the log. */
  takeError(): Error | undefined {
    const error = this.#error ?? this.#writer.takeError();
    this.#error = undefined;
    return error;
  }

  /**
   * Writes every record, syncs and closes the file. Failures are left in `takeError`, what they
   * cost in the counters.
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll().then(() => this.#ring.drop(this.#ring.takeAll().length));
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    await this.#beginning;
    if (!this.hasBegun) await this.#tryToBegin();
    if (this.hasBegun) await this.#writer.close();
    else await this.#writer.abandon();
    await this.memory?.flush();
  }

  // After a run: what it left is tried again in a second, or synced when the interval is
  // over.
  #planNext(nowNs: number): void {
    this.#wasBusy = false;
    if (this.#writer.failed) this.#dueNs = nowNs + AUDIT_RETRY_NS;
    else if (this.#writer.hasUnsynced && this.#syncIntervalNs > 0) {
      this.#dueNs = nowNs + this.#syncIntervalNs;
    }
  }
}
