// The audit log in the daemon: opened with its key and the memory of its head, and what becomes of it counted and told. The
// head is told at the start, at the end and every hundred rows, because what a log shipper took away is safe from who
// can write to this machine.
import { dirname } from "node:path";
import { effectiveUid } from "../../ffi/process.ts";
import { AuditLog } from "../audit/audit_log.ts";
import { chainKey } from "../audit/chain.ts";
import type { Difference } from "../audit/head_compare.ts";
import { HeadMemory } from "../audit/head_memory.ts";
import type { BootReason, Suspicion } from "../audit/record.ts";
import { AUDIT_HEAD_TOLD_ROWS } from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import { REAL_FILE_CALLS } from "../files/append_file.ts";
import { stateDirectory } from "../files/state_directory.ts";
import type { Metrics } from "../metrics/metrics.ts";
import * as series from "../metrics/series.ts";
import type { Log } from "./log.ts";

interface AuditWiringOptions {
  readonly config: Config["audit"];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly monotonicNs: () => number;
}

/** What the operator should know about a log that was found in another state than it was left. */
const BOOT_WARNINGS: Partial<Record<BootReason, string>> = {
  legacy_v1:
    "the audit log begins with records of version 1, which have no chain: a new section follows them",
  corrupt_tail: "the last line of the audit log was torn and has been cut off",
  schema_drift: "the audit log ends in something that is no record: a new section follows it",
  keyed: "the audit log goes on under another key, or under one for the first time",
  unkeyed: "the audit log was under a key, and audit.key_file is not set: it goes on without one",
};

const SUSPICIONS: Readonly<Record<Suspicion, string>> = {
  behind: "tamper suspected: rows are missing at the end of the audit log",
  rewritten: "tamper suspected: the audit log does not hold the row that is remembered",
  gone: "tamper suspected: the audit log is gone",
  head_unreadable: "tamper suspected: what was remembered of the audit log is not ours",
  removed: "tamper suspected: the audit log was removed, it goes on in a new file",
  replaced: "tamper suspected: another file took the place of the audit log, which goes on in it",
  cut: "tamper suspected: the audit log was cut, its rows go on behind that",
};

/** Opens the log at `file`; throws what the files say. */
export async function openAudit(file: string, options: AuditWiringOptions): Promise<AuditWiring> {
  const { config, log } = options;
  const {
    key,
    maxBytes: bytesMax,
    syncEvery,
    syncIntervalNs,
    fsyncBudgetNs,
    rotationBudgetNs,
  } = config;
  const memory = await openMemory(file, options);
  const audit = await AuditLog.open({
    path: file,
    bytesMax,
    syncEvery,
    syncIntervalNs,
    fsyncBudgetNs,
    rotationBudgetNs,
    key: key === undefined ? undefined : chainKey(key),
    memory,
    daemonPid: process.pid,
    unixMs: Date.now,
    monotonicNs: options.monotonicNs,
    onWatermark: (level, lineCount) => {
      if (level === "warn")
        log.limited("audit_ring_warn", "warn", "the audit log is slow, its queue fills up", {
          lines: lineCount,
        });
      else
        log.limited("audit_ring_critical", "error", "the queue of the audit log is almost full", {
          lines: lineCount,
        });
    },
  });
  const wiring = new AuditWiring(audit, options);
  wiring.tellStart();
  return wiring;
}

/** Without a memory the daemon does its work all the same: one warning says what is missing. */
async function openMemory(
  file: string,
  { config, log, env }: AuditWiringOptions,
): Promise<HeadMemory | undefined> {
  const ownerUid = effectiveUid();
  const state = stateDirectory({ env, otherwise: dirname(file), ownerUid });
  const message = "nobody remembers the head of the audit log: rows cut from its end go unnoticed";
  if (!state.ok) {
    log.warn(message, { ...state.fault });
    return undefined;
  }
  try {
    return await HeadMemory.open({
      directory: state.path,
      log: file,
      key: config.key === undefined ? undefined : chainKey(config.key),
      ownerUid,
      calls: REAL_FILE_CALLS,
    });
  } catch (error) {
    log.warn(message, { error: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

export class AuditWiring {
  readonly audit: AuditLog;
  readonly #options: AuditWiringOptions;
  readonly #observeSync: (ns: number) => void;
  #toldSeq: number;

  constructor(audit: AuditLog, options: AuditWiringOptions) {
    this.audit = audit;
    this.#options = options;
    this.#toldSeq = audit.head.seq;
    const { metrics } = options;
    this.#observeSync = (ns) => metrics.observe(series.VARTA_AUDIT_FSYNC_SECONDS, ns / NS_PER_S);
  }

  tellStart(): void {
    const { log, config } = this.#options;
    const { path: file, bootReason, tornBytes, directorySyncError, memory } = this.audit;
    const found = BOOT_WARNINGS[bootReason];
    if (found !== undefined)
      log.warn(found, { file, torn_bytes: tornBytes > 0 ? tornBytes : undefined });
    if (config.syncEvery > 1)
      log.warn("audit records are synced in groups: a power loss may take the last ones", {
        sync_every: config.syncEvery,
      });
    if (directorySyncError !== undefined)
      log.warn("the directory of a new file could not be synced, ignoring", {
        file,
        error: directorySyncError.message,
      });
    if (memory !== undefined) this.#tellMemory(memory);
    if (this.audit.difference !== undefined) this.#tellTampering(this.audit.difference);
    this.#tellHead("audit log");
  }

  /** Once per turn. */
  count(): void {
    const { metrics, log } = this.#options;
    const { audit } = this;
    metrics.add(series.VARTA_RECOVERY_AUDIT_DROPPED, audit.takeDropped());
    metrics.add(series.VARTA_RECOVERY_AUDIT_FLUSH_BUDGET_EXCEEDED, audit.takeFlushBudgetExceeded());
    metrics.add(series.VARTA_AUDIT_FSYNC_BUDGET_EXCEEDED, audit.takeFsyncBudgetExceeded());
    metrics.add(series.VARTA_AUDIT_ROTATION_BUDGET_EXCEEDED, audit.takeRotationBudgetExceeded());
    metrics.add(series.VARTA_AUDIT_RING_WATERMARK.warn, audit.takeWatermarks("warn"));
    metrics.add(series.VARTA_AUDIT_RING_WATERMARK.critical, audit.takeWatermarks("critical"));
    metrics.add(series.VARTA_FILE_REOPENED.audit, audit.takeReopened());
    metrics.set(series.VARTA_AUDIT_HEAD_SEQUENCE, audit.head.seq);
    audit.drainFsyncs(this.#observeSync);
    const error = audit.takeError()?.message;
    if (error !== undefined)
      log.limited("audit_io", "warn", "cannot write the audit log, trying again", { error });
    const memoryError = audit.memory?.takeError()?.message;
    if (memoryError !== undefined)
      log.warn("cannot remember the head of the audit log, trying again", { error: memoryError });
    const tampering = audit.takeTampering();
    if (tampering !== undefined) this.#tellTampering(tampering);
    if (audit.head.seq - this.#toldSeq >= AUDIT_HEAD_TOLD_ROWS) this.#tellHead("audit head");
  }

  /** Writes and syncs everything that waits, and closes the log. */
  async close(): Promise<void> {
    await this.audit.close();
    this.count();
  }

  tellEnd(): void {
    this.#tellHead("audit log closed");
  }

  #tellHead(message: string): void {
    const { path: file, memory, head } = this.audit;
    this.#toldSeq = head.seq;
    this.#options.log.info(message, { file, seq: head.seq, head: head.chain, state: memory?.path });
  }

  #tellMemory({ found, path }: HeadMemory): void {
    const { log } = this.#options;
    const { record, fault, otherLog } = found;
    if (otherLog !== undefined)
      log.warn("audit.head of the state directory is of another log", { other: otherLog, path });
    if (fault !== undefined)
      log.warn("what was remembered of the audit log cannot be used and was set aside", {
        path,
        error: fault,
      });
    const { bootReason } = this.audit;
    if (record === undefined && fault === undefined && bootReason !== "fresh")
      log.warn(
        "the audit log has records and nobody remembers its head: it is the first start of a " +
          "version that does, or audit.head was removed",
        { path },
      );
  }

  #tellTampering({ what, foundSeq, foundChain }: Difference): void {
    const { log, metrics } = this.#options;
    metrics.add(series.VARTA_AUDIT_TAMPER_SUSPECTED, 1);
    const remembered = this.audit.memory?.found.record;
    const isAtStart = ["behind", "rewritten", "gone"].includes(what);
    log.error(SUSPICIONS[what], {
      file: this.audit.path,
      what,
      found_seq: foundSeq,
      found_head: foundChain,
      remembered_seq: isAtStart ? remembered?.seq : undefined,
      remembered_head: isAtStart ? remembered?.chain : undefined,
    });
  }
}
