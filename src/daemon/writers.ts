// The files that the daemon writes: the event export and the audit log. They share one life: opened at start, driven once
// per turn, their losses counted and told, drained at the end (spec 07 section 7, 09, 11).
import { errnoText } from "../../ffi/errno.ts";
import { effectiveUid } from "../../ffi/process.ts";
import type { AuditOutcome, BootReason } from "../audit/record.ts";
import { AuditLog } from "../audit/audit_log.ts";
import { NS_PER_S } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import { EventExport } from "../export/event_export.ts";
import { parentFault } from "../files/directory_rules.ts";
import { OwnFileError } from "../files/own_file.ts";
import type { Metrics } from "../metrics/metrics.ts";
import * as series from "../metrics/series.ts";
import { FiredJournal } from "../recovery/fired_journal.ts";
import { requireHeartbeat } from "./heartbeat.ts";
import type { Log } from "./log.ts";
import type { Deadline } from "./loop.ts";
import { errorText, StartError } from "./start_error.ts";

export interface WritersOptions {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The observer's own pid namespace; NaN = unknown. */
  readonly observerInode: number;
  readonly monotonicNs: () => number;
}

/** What the operator should know about a log that was found in another state than it was left. */
const BOOT_WARNINGS: Partial<Record<BootReason, string>> = {
  legacy_v1:
    "the audit log begins with records of version 1, which have no chain: a new section follows them",
  corrupt_tail: "the last line of the audit log was torn and has been cut off",
  schema_drift: "the audit log ends in something that is no record: a new section follows it",
};

const JOURNAL_SUFFIX = ".fired";

export class Writers implements Deadline {
  readonly exporter: EventExport | undefined;
  /** Recoveries that the next daemon must know of; it stands beside the audit log. */
  readonly journal: FiredJournal | undefined;
  readonly #audit: AuditLog | undefined;
  readonly #options: WritersOptions;
  readonly #observeSync: (ns: number) => void;

  /** Opens what is configured; throws `StartError`. */
  static async open(options: WritersOptions): Promise<Writers> {
    const audit = await openAudit(options);
    let journal: FiredJournal | undefined;
    try {
      journal =
        audit === undefined ? undefined : openJournal(`${audit.path}${JOURNAL_SUFFIX}`, options);
      return new Writers(options, audit, journal, await openExport(options));
    } catch (error) {
      await audit?.close();
      journal?.close();
      throw error;
    }
  }

  private constructor(
    options: WritersOptions,
    audit: AuditLog | undefined,
    journal: FiredJournal | undefined,
    exporter: EventExport | undefined,
  ) {
    this.#options = options;
    this.#audit = audit;
    this.journal = journal;
    this.exporter = exporter;
    const { metrics } = options;
    this.#observeSync = (ns) => metrics.observe(series.VARTA_AUDIT_FSYNC_SECONDS, ns / NS_PER_S);
  }

  /** One outcome of a recovery for the audit log. */
  record(outcome: AuditOutcome): void {
    this.#audit?.record(outcome, Date.now());
  }

  nextDeadlineNs(): number {
    return Math.min(
      this.#audit?.nextDeadlineNs() ?? Number.POSITIVE_INFINITY,
      this.exporter?.nextDeadlineNs() ?? Number.POSITIVE_INFINITY,
    );
  }

  maintain(nowNs: number): void {
    if (this.#audit !== undefined) {
      this.#audit.maintain(nowNs);
      this.#countAudit(this.#audit);
    }
    if (this.exporter !== undefined) {
      this.exporter.maintain(nowNs);
      this.#countExport(this.exporter);
    }
  }

  /** Writes and syncs everything that waits, and closes the files. */
  async close(): Promise<void> {
    await Promise.all([this.#audit?.close(), this.exporter?.close()]);
    if (this.#audit !== undefined) this.#countAudit(this.#audit);
    this.journal?.close();
  }

  #countAudit(audit: AuditLog): void {
    const { metrics, log } = this.#options;
    metrics.add(series.VARTA_RECOVERY_AUDIT_DROPPED, audit.takeDropped());
    metrics.add(series.VARTA_RECOVERY_AUDIT_FLUSH_BUDGET_EXCEEDED, audit.takeFlushBudgetExceeded());
    metrics.add(series.VARTA_AUDIT_FSYNC_BUDGET_EXCEEDED, audit.takeFsyncBudgetExceeded());
    metrics.add(series.VARTA_AUDIT_ROTATION_BUDGET_EXCEEDED, audit.takeRotationBudgetExceeded());
    metrics.add(series.VARTA_AUDIT_RING_WATERMARK.warn, audit.takeWatermarks("warn"));
    metrics.add(series.VARTA_AUDIT_RING_WATERMARK.critical, audit.takeWatermarks("critical"));
    audit.drainFsyncs(this.#observeSync);
    const error = audit.takeError()?.message;
    if (error !== undefined)
      log.limited("audit_io", "warn", "cannot write the audit log, trying again", { error });
    if (this.journal !== undefined) this.#countJournal(this.journal);
  }

  #countJournal(journal: FiredJournal): void {
    const { metrics, log } = this.#options;
    const file = journal.path;
    if (journal.takeFailures() > 0)
      log.limited("audit_io", "warn", "cannot note a recovery for the next start, ignoring", {
        file,
      });
    const reopened = journal.takeReopened();
    if (reopened === 0) return;
    metrics.add(series.VARTA_FILE_REOPENED.fired, reopened);
    log.warn("the journal of recoveries was moved or removed, it was made anew", { file });
  }

  #countExport(exporter: EventExport): void {
    const { metrics, log } = this.#options;
    metrics.add(series.VARTA_EXPORT_DROPPED, exporter.takeDropped());
    const error = exporter.takeError()?.message;
    if (error !== undefined)
      log.limited("file_export_io", "error", "cannot write the export file", { error });
    const reopened = exporter.takeReopened();
    if (reopened === undefined) return;
    metrics.add(series.VARTA_FILE_REOPENED.export, reopened.count);
    log.warn("the export file was moved or removed, going on in a new one", {
      file: exporter.path,
      lost_lines_max: reopened.lostLinesMax > 0 ? reopened.lostLinesMax : undefined,
    });
  }
}

async function openAudit(options: WritersOptions): Promise<AuditLog | undefined> {
  const { log, monotonicNs } = options;
  const { file, maxBytes, ...budgets } = options.config.audit;
  if (file === undefined) return undefined;
  try {
    requireDirectory(file);
    const audit = await AuditLog.open({
      ...budgets,
      path: file,
      bytesMax: maxBytes,
      daemonPid: process.pid,
      unixMs: Date.now,
      monotonicNs,
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
    const found = BOOT_WARNINGS[audit.bootReason];
    if (found !== undefined)
      log.warn(found, { file, torn_bytes: audit.tornBytes > 0 ? audit.tornBytes : undefined });
    if (options.config.audit.syncEvery > 1)
      log.warn("audit records are synced in groups: a power loss may take the last ones", {
        sync_every: options.config.audit.syncEvery,
      });
    warnUnsynced(log, file, audit.directorySyncError);
    return audit;
  } catch (error) {
    throw cannotOpen("audit log", file, error);
  }
}

/** Throws `StartError` unless a heartbeat may be written to `path`. */
export async function requireHeartbeatPlace(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    requireDirectory(path);
    await requireHeartbeat(path, effectiveUid());
  } catch (error) {
    throw cannotOpen("heartbeat file", path, error);
  }
}

function openJournal(path: string, { monotonicNs }: WritersOptions): FiredJournal {
  try {
    return FiredJournal.open(path, { ownerUid: effectiveUid(), monotonicNs });
  } catch (error) {
    throw cannotOpen("journal of recoveries", path, error);
  }
}

async function openExport(options: WritersOptions): Promise<EventExport | undefined> {
  const { config, log, observerInode, monotonicNs } = options;
  const { file, format, maxBytes, syncEvery } = config.export;
  if (file === undefined) return undefined;
  try {
    requireDirectory(file);
    const exporter = await EventExport.open({
      path: file,
      format,
      bytesMax: maxBytes,
      syncEvery,
      listeners: config.listeners.map(({ name }) => name),
      observerNamespaceInode: observerInode,
      errnoText,
      monotonicNs,
    });
    warnUnsynced(log, file, exporter.directorySyncError);
    return exporter;
  } catch (error) {
    throw cannotOpen("export file", file, error);
  }
}

function warnUnsynced(log: Log, file: string, error: Error | undefined): void {
  if (error === undefined) return;
  log.warn("the directory of a new file could not be synced, ignoring", {
    file,
    error: error.message,
  });
}

function requireDirectory(file: string): void {
  const fault = parentFault(file, effectiveUid());
  if (fault !== undefined)
    throw new OwnFileError(
      `found ${fault.found}; want ${fault.want}`,
      "whoever can write to the directory can put another file in the place of this one",
    );
}

function cannotOpen(what: string, file: string, error: unknown): StartError {
  return new StartError(
    `Cannot open the ${what} ${file}: ${errorText(error)}`,
    error instanceof OwnFileError
      ? error.hint
      : "it must be a regular file of the daemon's user, no link, in a directory that the daemon may write",
  );
}
