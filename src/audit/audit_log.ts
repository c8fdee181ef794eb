// The audit log (spec 11): one chained row for each thing that recovery did or refused to do, on
// disk before the daemon forgets it. The loop thread formats rows and puts them into a bounded
// ring; the writer does the rest off the loop.
import { Counters } from "../base/counters.ts";
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
import { type OpenedAudit, openAudit } from "./opening.ts";
import { actFields, type BootReason, kindOfFields, outcomeFields } from "./record.ts";
import { AuditRing, type WatermarkLevel } from "./ring.ts";
import type { RememberedRow } from "./verify.ts";

export interface AuditLogOptions
  extends Omit<AuditWriterOptions, "calls" | "counters" | "files" | "onSynced"> {
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

export class AuditLog {
  readonly counters: AuditCounters = new Counters(AUDIT, this);
  readonly files = new Counters(FILES, this);
  readonly path: string;
  /** The memory of the head; undefined = there is none. */
  readonly memory: HeadMemory | undefined;
  /** How the start found the log, if that is not what was remembered of it. */
  readonly difference: Difference | undefined;
  /** What the start found; each but "fresh", "resume" and "rotation" deserves a warning. */
  readonly bootReason: BootReason;
  /** Bytes of a torn line that the start cut off. */
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
  /** The last row that is on the disk. */
  #synced: RememberedRow;

  /**
   * Opens or creates the file; its boot record is written and synced when this resolves. Throws an
   * Error that says what was found and what is wanted, or the system's error.
   */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const { memory, key, unixMs } = options;
    const calls = options.calls ?? REAL_FILE_CALLS;
    const remembered = memory?.found;
    const opened = await openAudit({ ...options, calls, unixMs: unixMs(), key, remembered });
    const log = new AuditLog({ ...options, calls }, opened);
    await memory?.flush();
    return log;
  }

  private constructor(
    options: AuditLogOptions & { readonly calls: FileCalls },
    { file, head, bootReason, tornBytes, difference }: OpenedAudit,
  ) {
    const { memory } = options;
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
    memory?.remember(this.#synced);
    const onSynced = (row: RememberedRow): void => {
      this.#synced = row;
      memory?.remember(row);
    };
    this.#writer = new AuditWriter(
      { ...options, counters: this.counters, files: this.files, onSynced },
      this.#ring,
      head,
      file,
    );
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
    return this.#writer.busy || this.memory?.busy === true;
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
    const memoryNs = this.memory?.nextDeadlineNs() ?? Number.POSITIVE_INFINITY;
    if (this.#writer.busy) return memoryNs;
    if (this.#isFresh || this.#wasBusy) return this.#nowNs;
    return Math.min(this.#dueNs, memoryNs);
  }

  /** Once per turn: starts the writer if there is something for it to do. */
  maintain(nowNs: number): void {
    this.#nowNs = nowNs;
    if (this.#closing !== undefined) return;
    this.memory?.maintain(nowNs);
    if (this.#writer.busy) return;
    if (this.#wasBusy) this.#planNext(nowNs);
    if (!this.#isFresh && nowNs < this.#dueNs) return;
    this.#isFresh = false;
    this.#wasBusy = true;
    this.#dueNs = Number.POSITIVE_INFINITY;
    this.#writer.start();
  }

  /** What was done to the open file since the last call; its row is in the log. */
  takeTampering(): Difference | undefined {
    return this.#writer.takeTampering();
  }

  /** The last failure since the last call, for the log. */
  takeError(): Error | undefined {
    return this.#writer.takeError();
  }

  /**
   * Writes every record, syncs and closes the file. Failures are left in `takeError`, what they
   * cost in the counters.
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    await this.#writer.close();
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
