// The daemon's memory of the head of its audit log, kept in a file outside of it: `audit.head` of
// the state directory. A row is remembered after it is synced, so after any crash the log may have
// newer rows than the memory, and never the reverse. Written off the loop, one write at a time, and
// at most ten times a second: what happens meanwhile is in the next one.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { AUDIT_RETRY_NS } from "../base/limits.ts";
import type { FileCalls } from "../files/append_file.ts";
import { readSmallFile, replaceSmallFile, type SmallFile } from "../files/small_file.ts";
import type { ChainKey } from "./chain.ts";
import {
  HEAD_RECORD_BYTES_MAX,
  type HeadRecord,
  headRecordText,
  parseHeadRecord,
} from "./head_record.ts";
import type { RememberedRow } from "./verify.ts";
import { NS_PER_MS } from "../base/time.ts";

/** Shortest time between two writings of the remembered head: each is two syncs. */
const AUDIT_HEAD_NS_MIN = 100 * NS_PER_MS;

export interface HeadMemoryOptions {
  /** The state directory. */
  readonly directory: string;
  /** Absolute path of the audit log. */
  readonly log: string;
  readonly key: ChainKey | undefined;
  readonly ownerUid: number;
  readonly calls: FileCalls;
}

/** What the daemon before this one left. */
export interface FoundHead {
  /** Undefined = nothing that can be compared. */
  readonly record: HeadRecord | undefined;
  /** Why the file cannot be used; it is set aside before another one is written. */
  readonly fault: string | undefined;
  /**
   * The log that the directory's usual memory is of, if that is another one and this one has none
   * yet.
   */
  readonly otherLog: string | undefined;
}

export const HEAD_NAME = "audit.head";
const SET_ASIDE = ".bad";

export class HeadMemory {
  readonly path: string;
  readonly found: FoundHead;
  readonly #options: HeadMemoryOptions;
  #newest: RememberedRow | undefined;
  #running: Promise<void> | undefined;
  #dueNs = Number.NEGATIVE_INFINITY;
  #failed = false;
  /** What was found is damaged, and stands there still. */
  #isDamaged: boolean;
  #error: Error | undefined;

  /** Throws the system's error if the directory cannot be used. */
  static async open(options: HeadMemoryOptions): Promise<HeadMemory> {
    const usual = join(options.directory, HEAD_NAME);
    const atUsual = await readHead(usual, options);
    if (atUsual.record === undefined || atUsual.record.file === options.log) {
      return new HeadMemory(usual, options, atUsual);
    }
    // Two daemons keep their state in one directory, or one has moved its log: each log has a name
    // of its own then.
    const own = join(options.directory, headNameOf(options.log));
    const found = await readHead(own, options);
    const isNews = found.record === undefined && found.fault === undefined;
    const otherLog = isNews ? atUsual.record.file : undefined;
    return new HeadMemory(own, options, { ...found, otherLog });
  }

  private constructor(path: string, options: HeadMemoryOptions, found: FoundHead) {
    this.path = path;
    this.#options = options;
    this.found = found;
    this.#isDamaged = found.fault !== undefined;
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** The row is on the disk. */
  remember(row: RememberedRow): void {
    this.#newest = row;
  }

  /** When `maintain` is wanted; +Infinity if it is not. */
  nextDeadlineNs(): number {
    if (this.#newest === undefined || this.busy) return Number.POSITIVE_INFINITY;
    return this.#failed ? this.#dueNs + AUDIT_RETRY_NS : this.#dueNs;
  }

  /** Starts to write the newest row, unless that is under way or was done just now. */
  maintain(nowNs: number): void {
    if (nowNs < this.nextDeadlineNs()) return;
    this.#dueNs = nowNs + AUDIT_HEAD_NS_MIN;
    this.#start();
  }

  /** The last failure since the last call, for the log. */
  takeError(): Error | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** Writes what is not written yet. */
  async flush(): Promise<void> {
    await this.#running;
    if (this.#newest !== undefined) this.#start();
    await this.#running;
  }

  #start(): void {
    const row = this.#newest!;
    this.#newest = undefined;
    this.#running = this.#write(row).then(() => {
      this.#running = undefined;
    });
  }

  // A disk that takes no rows takes no memory either: that is reported once, until it works again.
  async #write(row: RememberedRow): Promise<void> {
    const { key, log } = this.#options;
    try {
      if (this.#isDamaged) await this.#options.calls.rename(this.path, `${this.path}${SET_ASIDE}`);
      this.#isDamaged = false;
      const text = headRecordText({ file: log, ...row }, key);
      await replaceSmallFile(smallFile(this.path, this.#options), Buffer.from(text));
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#error = error as Error;
      this.#failed = true;
      this.#newest ??= row;
    }
  }
}

/** The name of the memory of a log in a directory where the usual one is another log's. */
function headNameOf(log: string): string {
  return `audit-${createHash("sha256").update(log).digest("hex").slice(0, 16)}.head`;
}

async function readHead(path: string, options: HeadMemoryOptions): Promise<FoundHead> {
  const { key } = options;
  let fault: string;
  try {
    const bytes = await readSmallFile(smallFile(path, options), HEAD_RECORD_BYTES_MAX);
    if (bytes === undefined) return { record: undefined, fault: undefined, otherLog: undefined };
    const parsed = parseHeadRecord(bytes, key === undefined ? [] : [key]);
    if (parsed.ok) return { record: parsed.record, fault: undefined, otherLog: undefined };
    fault = `found ${parsed.found}`;
  } catch (error) {
    fault = (error as Error).message;
  }
  return { record: undefined, fault, otherLog: undefined };
}

function smallFile(path: string, { ownerUid, calls }: HeadMemoryOptions): SmallFile {
  return { path, ownerUid, calls };
}
