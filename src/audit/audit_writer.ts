// Takes lines from the ring to the disk (spec 11 section 3): numbers and chains them in write
// order, writes and syncs by asynchronous calls one at a time, rotates between two passes. Never
// throws and never blocks the loop; what fails stays at the front and is tried again.
import type { CountersOf } from "../base/counters.ts";
import { AUDIT_RING_WARN_LINES, FILE_REFUSAL_NS, FILE_WRITE_BYTES_MAX } from "../base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { AppendFile, FileCalls } from "../files/append_file.ts";
import { FILES } from "../files/counters.ts";
import { countLines } from "../files/line_queue.ts";
import type { ChainHead } from "./chain.ts";
import { AUDIT, type AuditCounters } from "./counters.ts";
import type { Difference } from "./head_compare.ts";
import { type AuditLoss, lookForFile } from "./loss.ts";
import { bootFields, tamperFields } from "./record.ts";
import type { AuditRing } from "./ring.ts";
import { AuditRotation } from "./rotation.ts";
import type { RememberedRow } from "./verify.ts";

/** Time that a pass of the audit writer may spend outside fdatasync. */
const AUDIT_PASS_NS_MAX = 10 * NS_PER_MS;
/** Spacing of the checks whether the path still names the open audit file. */
const AUDIT_LOOK_NS = NS_PER_S;

/** When a file is full, and when its rows are synced. */
export interface AuditPace {
  /** Size that starts a rotation; undefined = never. */
  readonly bytesMax: number | undefined;
  /** Records per fdatasync, at least 1. */
  readonly syncEvery: number;
  /** Time after which a record that is not synced yet is; 0 = off. */
  readonly syncIntervalNs: number;
  readonly fsyncBudgetNs: number;
  readonly rotationBudgetNs: number;
}

export interface AuditWriterOptions extends AuditPace {
  readonly counters: AuditCounters;
  readonly files: CountersOf<typeof FILES>;
  readonly path: string;
  readonly daemonPid: number;
  readonly unixMs: () => number;
  /** A monotonic clock for durations. */
  readonly monotonicNs: () => number;
  readonly calls: FileCalls;
  /** The row and all before it are on the disk. */
  readonly onSynced: (row: RememberedRow) => void;
}

export class AuditWriter {
  #options: AuditWriterOptions;
  readonly #ring: AuditRing;
  readonly #head: ChainHead;
  readonly #rotation: AuditRotation;
  #file: AppendFile;
  #running: Promise<void> | undefined;
  /** Lines that have their seq and chain, from the first byte that is not written. */
  #batch: Buffer | undefined;
  /** Lines that are written and wait in the ring for their sync. */
  #heldCount = 0;
  #unsyncedCount = 0;
  #lastSyncNs = Number.NEGATIVE_INFINITY;
  #lastSyncTookNs = 0;
  /** Time that the syncs of the pass took. */
  #passSyncNs = 0;
  #lastLookNs = Number.NEGATIVE_INFINITY;
  #refusedNs = Number.NEGATIVE_INFINITY;
  /** What the next section has to say of the file before it. */
  #loss: AuditLoss | undefined;
  #told: Difference | undefined;
  #closing = false;
  #failed = false;
  #error: Error | undefined;

  constructor(options: AuditWriterOptions, ring: AuditRing, head: ChainHead, file: AppendFile) {
    this.#options = options;
    this.#ring = ring;
    this.#head = head;
    this.#file = file;
    this.#rotation = new AuditRotation({
      path: options.path,
      calls: options.calls,
      firstBytes: (lead) => this.#firstBytes(lead),
    });
  }

  /** True if `other` writes to the very same file. */
  isSameFile(other: AuditWriter): boolean {
    return this.#file.dev === other.#file.dev && this.#file.ino === other.#file.ino;
  }

  /** True while a call is under way. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** True if the last run stopped at a failure; what is left wants another run. */
  get failed(): boolean {
    return this.#failed;
  }

  /** True if written records are not synced, because none was due or because the sync failed. */
  get hasUnsynced(): boolean {
    return this.#unsyncedCount > 0;
  }

  /** From the next write on. */
  change(pace: AuditPace): void {
    this.#options = { ...this.#options, ...pace };
  }

  /** Starts to write what is in the ring, unless that is under way. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#run().then(() => {
      this.#running = undefined;
    });
  }

  takeError(): Error | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** What was done to the open file, once its row is written. */
  takeTampering(): Difference | undefined {
    const told = this.#told;
    this.#told = undefined;
    return told;
  }

  /**
   * Writes what is in the ring, syncs and closes. Gives up at the first failure: a disk that is
   * full stays full. What is not written stays in the ring.
   */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#running;
    this.#running = this.#run();
    await this.#running;
    if (this.#unsyncedCount > 0) await this.#sync();
    try {
      await this.#rotation.close(this.#file);
      await this.#file.close();
    } catch (error) {
      this.#error = error as Error;
    }
  }

  /** Closes a file that has no first rows: nothing is written to it. */
  async abandon(): Promise<void> {
    await this.#file.close().catch((error) => {
      this.#error = error as Error;
    });
  }

  async #run(): Promise<void> {
    this.#failed = false;
    do {
      if (this.#rotation.isPending && !(await this.#rotate())) {
        this.#failed = true;
        if (this.#rotation.isBooting) return;
      }
      const wasWritten = this.#ring.count > 0;
      if (!(await this.#pass())) {
        this.#failed = true;
        return;
      }
      if (wasWritten && this.#rotationIsDue()) await this.#beginRotation();
    } while (this.#ring.count > 0 && !this.#failed);
  }

  #rotationIsDue(): boolean {
    const { bytesMax } = this.#options;
    if (bytesMax === undefined || this.#closing || this.#rotation.isPending) return false;
    return this.#file.sizeBytes >= bytesMax;
  }

  async #beginRotation(): Promise<void> {
    if (!(await this.#pass())) this.#failed = true;
    else if (this.#unsyncedCount === 0 || (await this.#sync())) {
      if (!(await this.#rotate())) this.#failed = this.#rotation.isPending;
    }
  }

  async #rotate(): Promise<boolean> {
    const { counters, monotonicNs, rotationBudgetNs } = this.#options;
    const startNs = monotonicNs();
    const { file, error } = await this.#rotation.run(this.#file);
    this.#file = file;
    if (error !== undefined) this.#error = error;
    else if (!this.#rotation.isPending) this.#tellSynced();
    if (!this.#rotation.isPending) this.#lossIsTold();
    if (monotonicNs() - startNs > rotationBudgetNs) {
      counters.add(AUDIT.rotationBudgetExceeded);
    }
    return error === undefined || !this.#rotation.isPending;
  }

  /** Writes the lines that are in the ring now. False if it stopped at a failure. */
  async #pass(): Promise<boolean> {
    const { counters, monotonicNs } = this.#options;
    const startNs = monotonicNs();
    this.#passSyncNs = 0;
    await this.#lookForFile(startNs);
    if (this.#rotation.isBooting) return false;
    const done = await this.#writeLines(this.#ring.count);
    const otherNs = monotonicNs() - startNs - this.#passSyncNs;
    if (otherNs > AUDIT_PASS_NS_MAX) {
      counters.add(AUDIT.flushBudgetExceeded);
    }
    return done;
  }

  async #writeLines(lineCount: number): Promise<boolean> {
    let leftCount = lineCount;
    // A slow sync, a ring that fills up, and a shutdown leave no time for a sync of every record.
    let isOneSync = false;
    let isDue = this.#syncIsDue();
    while (leftCount > 0) {
      isOneSync ||= this.#closing || this.#ring.count >= AUDIT_RING_WARN_LINES;
      const wantedCount = isOneSync ? leftCount : this.#lineCountUntilSync();
      const writtenCount = await this.#writeBatch(Math.min(leftCount, wantedCount));
      if (writtenCount === 0) {
        await this.#settle(isDue || this.#syncIsDue());
        return false;
      }
      leftCount -= writtenCount;
      isDue ||= this.#syncIsDue();
      if (isOneSync) continue;
      if (!(await this.#settle(isDue))) return false;
      if (isDue && this.#lastSyncTookNs > this.#options.fsyncBudgetNs) isOneSync = true;
      else isDue = false;
    }
    return this.#settle(isDue);
  }

  /** Syncs if that is due, and lets the written lines leave the ring. False if the sync failed. */
  async #settle(isDue: boolean): Promise<boolean> {
    const done = !isDue || this.#unsyncedCount === 0 || (await this.#sync());
    this.#ring.consume(this.#heldCount);
    this.#heldCount = 0;
    return done;
  }

  /**
   * Writes up to `lineCount` lines; the number of them that are written, 0 = it stopped at a
   * failure.
   */
  async #writeBatch(lineCount: number): Promise<number> {
    let rest = this.#batch ?? this.#seal(lineCount);
    let writtenCount = 0;
    try {
      while (rest.length > 0) {
        const sizeBytes = await this.#file.write(rest);
        writtenCount += countLines(rest.subarray(0, sizeBytes));
        rest = rest.subarray(sizeBytes);
      }
    } catch (error) {
      this.#error = error as Error;
    }
    this.#batch = rest.length > 0 ? rest : undefined;
    this.#heldCount += writtenCount;
    this.#unsyncedCount += writtenCount;
    return rest.length > 0 ? 0 : writtenCount;
  }

  #seal(lineCountMax: number): Buffer {
    const lines: Buffer[] = [];
    let sizeBytes = 0;
    while (lines.length < lineCountMax && sizeBytes < FILE_WRITE_BYTES_MAX) {
      const { kind, fields, lostCount } = this.#ring.at(this.#heldCount + lines.length);
      const line = this.#head.seal(kind, fields, lostCount);
      lines.push(line);
      sizeBytes += line.length;
    }
    return Buffer.concat(lines);
  }

  #lineCountUntilSync(): number {
    return Math.max(1, this.#options.syncEvery - this.#unsyncedCount);
  }

  #syncIsDue(): boolean {
    const { syncEvery, syncIntervalNs, monotonicNs } = this.#options;
    if (this.#unsyncedCount >= syncEvery) return true;
    if (this.#unsyncedCount === 0 || syncIntervalNs === 0) return false;
    return monotonicNs() - this.#lastSyncNs >= syncIntervalNs;
  }

  async #sync(): Promise<boolean> {
    const { counters, monotonicNs, fsyncBudgetNs } = this.#options;
    const startNs = monotonicNs();
    try {
      await this.#file.datasync();
      this.#unsyncedCount = 0;
      this.#tellSynced();
      return true;
    } catch (error) {
      this.#error = error as Error;
      return false;
    } finally {
      this.#lastSyncNs = monotonicNs();
      this.#lastSyncTookNs = this.#lastSyncNs - startNs;
      this.#passSyncNs += this.#lastSyncTookNs;
      counters.observe(AUDIT.fsync, this.#lastSyncTookNs / NS_PER_S);
      if (this.#lastSyncTookNs > fsyncBudgetNs) {
        counters.add(AUDIT.fsyncBudgetExceeded);
      }
    }
  }

  /**
   * After `lead`: the boot record of a file, and what became of the one before it if the daemon did
   * not do that.
   */
  #firstBytes(lead: string): Buffer {
    const { unixMs, daemonPid } = this.#options;
    const head = this.#head;
    const [headSeq, headChain] = [head.seq, head.text];
    const boot = bootFields({
      unixMs: unixMs(),
      daemonPid,
      previousChain: headChain,
      reason: "rotation",
      keyId: head.key?.id,
    });
    const rows = [Buffer.from(lead), head.seal("boot", boot, 0)];
    const loss = this.#loss;
    if (loss !== undefined) {
      const fields = { ...loss, unixMs: unixMs(), observerNs: 0, headSeq, headChain };
      rows.push(head.seal("tamper_suspected", tamperFields(fields), 0));
    }
    return Buffer.concat(rows);
  }

  /**
   * If the file is removed, replaced or cut, later records would go to where no reader finds them.
   * So a section begins that is bound to the old head and says what happened; a file that is no
   * audit log is left alone.
   */
  async #lookForFile(nowNs: number): Promise<void> {
    if (nowNs - this.#lastLookNs < AUDIT_LOOK_NS || this.#rotation.isPending) return;
    // A line that is half written is ended first.
    if (this.#batch !== undefined) return;
    this.#lastLookNs = nowNs;
    const { path, calls } = this.#options;
    const look = await lookForFile(this.#file, path, calls);
    if (look.error !== undefined) this.#refused(look.error, nowNs);
    if (look.loss === undefined) return;
    this.#loss = look.loss;
    if (look.loss.file === undefined) this.#rotation.wantNewFile();
    else this.#rotation.takeOver(look.loss.file, look.loss.lead);
    this.#failed = !(await this.#rotate());
  }

  /** What stands in the place of the file stays there; said once a minute. */
  #refused(error: Error, nowNs: number): void {
    if (nowNs - this.#refusedNs < FILE_REFUSAL_NS) return;
    this.#refusedNs = nowNs;
    this.#error = error;
  }

  #lossIsTold(): void {
    if (this.#loss === undefined) return;
    const { what, foundSeq, foundChain } = this.#loss;
    if (what !== "cut") this.#options.files.add(FILES.reopened.audit);
    this.#told = { what, foundSeq, foundChain };
    this.#loss = undefined;
  }

  /** Lines that are sealed and not written are not on the disk, whatever was synced. */
  #tellSynced(): void {
    if (this.#batch !== undefined) return;
    this.#options.onSynced({ seq: this.#head.seq, chain: this.#head.text });
  }
}
