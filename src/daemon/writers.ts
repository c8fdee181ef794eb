// The files that the daemon writes: the event export and the audit log. They share one life: opened
// at start, driven once per turn, their losses counted and logged, drained at the end (spec 07
// section 7, 09, 11).
import { isDeepStrictEqual } from "node:util";
import { errnoText } from "../../ffi/errno.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { Counters } from "../base/counters.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import type { Act } from "../events/act.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { EventExport, EXPORT } from "../export/event_export.ts";
import { FILES } from "../files/counters.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { FiredJournal } from "../recovery/fired_journal.ts";
import type { AuditHeadRecord } from "../snapshot/records.ts";
import { AuditFile } from "./audit_file.ts";
import { DoorFault, NO_DOORS, type PreparedDoors, prepareAll } from "./door_change.ts";
import { cannotOpen, requireDirectory } from "./file_place.ts";
import { requireHeartbeat } from "./heartbeat.ts";
import type { Log } from "./log.ts";
import type { Deadline } from "./deadline.ts";
import { StartError } from "./start_error.ts";

interface WritersOptions {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The observer's own pid namespace; NaN = unknown. */
  readonly observerInode: number;
  readonly agentName: (agent: number) => string;
  /** By number; a reload adds to them. */
  readonly listenerNames: readonly string[];
  readonly monotonicNs: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** That beside the state; undefined = there is none. */
  readonly journal: FiredJournal | undefined;
}

export class Writers implements Deadline {
  readonly #audit: AuditFile;
  readonly #options: WritersOptions;
  readonly #counters = new Counters(FILES, this);
  readonly #exportCounters = new Counters(EXPORT, this);
  #exporter: EventExport | undefined;
  #isExportShown = false;
  /** Lines that exports lost which are closed by now. */
  #droppedBefore = 0;
  /** The export before this one is being closed: its lines come first. */
  #leaving: Promise<void> | undefined;

  /** Opens what is configured; throws `StartError`. */
  static async open(options: WritersOptions): Promise<Writers> {
    const audit = new AuditFile(options);
    try {
      await audit.open(options.config);
      return new Writers(options, audit, await openExport(options));
    } catch (error) {
      await audit.close();
      audit.closeJournal();
      throw error;
    }
  }

  private constructor(
    options: WritersOptions,
    audit: AuditFile,
    exporter: EventExport | undefined,
  ) {
    this.#options = options;
    this.#audit = audit;
    options.metrics.show(this.#counters);
    this.#take(exporter);
  }

  /** Recoveries that the next daemon must know of; undefined = nothing outlives this one. */
  get journal(): FiredJournal | undefined {
    return this.#audit.journal;
  }

  get auditHead(): AuditHeadRecord | undefined {
    return this.#audit.headRecord;
  }

  /** Undefined = nothing is exported; a reload changes it. */
  get exporter(): EventExport | undefined {
    return this.#exporter;
  }

  /** Lines of the export that were lost. */
  get droppedLines(): number {
    return this.#droppedBefore + (this.#exporter?.droppedLines ?? 0);
  }

  /** Another program has rotated the files, and says so by a signal. */
  reopen(): void {
    if (this.#leaving === undefined) this.#exporter?.reopen();
  }

  /** Opens the files that `next` wants; throws `DoorFault`. */
  async prepare(before: Config, next: Config): Promise<PreparedDoors> {
    const audit = await this.#audit.prepare(before, next);
    try {
      const exported = await this.#prepareExport(before, next);
      return prepareAll([() => audit, () => exported]);
    } catch (error) {
      audit.drop();
      throw error;
    }
  }

  async #prepareExport(before: Config, next: Config): Promise<PreparedDoors> {
    if (isDeepStrictEqual(before.export, next.export)) return NO_DOORS;
    const opened = await this.#openNext(next);
    return {
      commit: (nowNs) => {
        opened?.setWallOffsetNs(Date.now() * NS_PER_MS - nowNs);
        this.#replace(opened);
      },
      drop: () => void opened?.close(),
    };
  }

  async #openNext(next: Config): Promise<EventExport | undefined> {
    // Two of them in one file would not know of each other's rotations.
    await this.#leaving;
    try {
      return await openExport({ ...this.#options, config: next });
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      throw new DoorFault(["export", "file"], `${error.message}; ${error.hint}`);
    }
  }

  /** What waits in the one before is written and synced before `opened` writes anything. */
  #replace(opened: EventExport | undefined): void {
    const before = this.#exporter;
    this.#take(opened);
    if (before === undefined) return;
    opened?.goOn(before);
    this.#leaving = before.close().then(() => {
      this.#droppedBefore += before.droppedLines;
      this.#countExport(before);
      this.#leaving = undefined;
    });
  }

  #take(exporter: EventExport | undefined): void {
    this.#exporter = exporter;
    if (exporter === undefined || this.#isExportShown) return;
    this.#isExportShown = true;
    this.#options.metrics.show(this.#exportCounters);
  }

  /** One outcome of a recovery for the audit log and the export. */
  record(outcome: RecoveryOutcome): void {
    this.#audit.record(outcome);
    this.exporter?.onOutcome(outcome);
  }

  /** What somebody asked for, for the same. */
  recordAct(act: Act): void {
    this.#audit.recordAct(act);
    this.exporter?.add("act", act);
  }

  nextDeadlineNs(): number {
    return Math.min(
      this.#audit.nextDeadlineNs(),
      (this.#leaving === undefined ? this.#exporter?.nextDeadlineNs() : undefined) ??
        Number.POSITIVE_INFINITY,
    );
  }

  maintain(nowNs: number): void {
    this.#audit.maintain(nowNs);
    if (this.exporter !== undefined && this.#leaving === undefined) {
      this.exporter.maintain(nowNs);
      this.#countExport(this.exporter);
    }
  }

  /** Writes and syncs everything that waits, and closes the files. */
  async close(): Promise<void> {
    await this.#leaving;
    await Promise.all([this.#audit.close(), this.#exporter?.close()]);
    this.#audit.tellEnd();
    this.#audit.closeJournal();
  }

  #countExport(exporter: EventExport): void {
    const { log } = this.#options;
    const error = exporter.takeError()?.message;
    if (error !== undefined)
      log.limited("file_export_io", "error", "export write failed", { error });
    const reopened = exporter.takeReopened();
    if (reopened === undefined) return;
    this.#counters.add(FILES.reopened.export, reopened.count);
    log.warn("export file recreated", {
      file: exporter.path,
      lost_lines_max: reopened.lostLinesMax > 0 ? reopened.lostLinesMax : undefined,
    });
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

async function openExport(options: WritersOptions): Promise<EventExport | undefined> {
  const { config, log, observerInode, agentName, monotonicNs } = options;
  const { file, format, maxBytes, syncEvery, events } = config.export;
  if (file === undefined) return undefined;
  try {
    requireDirectory(file);
    const exporter = await EventExport.open({
      path: file,
      format,
      events,
      observerColumns: config.optionsAlone,
      bytesMax: maxBytes,
      syncEvery,
      listeners: options.listenerNames,
      agentName,
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
  log.warn("directory sync failed, ignoring", {
    file,
    error: error.message,
  });
}
