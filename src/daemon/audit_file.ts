// The audit log of the daemon and the journal of recoveries beside it, which a reload moves, begins
// or ends (spec 11 section 9). The log before is written, synced and closed before the one after it
// has its first row; rows that come meanwhile wait in the ring of that one.
import { effectiveUid } from "../../ffi/process.ts";
import type { LeftLog } from "../audit/audit_log.ts";
import { AUDIT } from "../audit/counters.ts";
import type { RememberedRow } from "../audit/verify.ts";
import { Counters } from "../base/counters.ts";
import type { Config } from "../config/config.ts";
import type { Act } from "../events/act.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import { FILES } from "../files/counters.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { FiredJournal, type PreparedMove } from "../recovery/fired_journal.ts";
import type { AuditHeadRecord } from "../snapshot/records.ts";
import { type AuditWiring, findAudit, openAudit } from "./audit_wiring.ts";
import type { Deadline } from "./deadline.ts";
import { DoorFault, NO_DOORS, type PreparedDoors } from "./door_change.ts";
import { cannotOpen, requireDirectory } from "./file_place.ts";
import type { Log } from "./log.ts";
import { StartError } from "./start_error.ts";

interface AuditFileOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly agentName: (agent: number) => string;
  readonly monotonicNs: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Beside the state, where it stays; undefined = there is none but beside an audit log. */
  readonly journal: FiredJournal | undefined;
}

export const JOURNAL_SUFFIX = ".fired";

export class AuditFile implements Deadline {
  readonly #options: AuditFileOptions;
  readonly #counters = new Counters(AUDIT, this);
  readonly #files = new Counters(FILES, this);
  #isShown = false;
  #current: AuditWiring | undefined;
  #journal: FiredJournal | undefined;
  /** The log before this one is being closed: its rows come first. */
  #leaving: Promise<LeftLog> | undefined;
  /** The last log that was left. */
  #left: LeftLog | undefined;
  #head: RememberedRow = { seq: 0, chain: "" };

  constructor(options: AuditFileOptions) {
    this.#options = options;
    this.#journal = options.journal;
  }

  /** Recoveries that the next daemon must know of; it stands beside the state, or the log. */
  get journal(): FiredJournal | undefined {
    return this.#journal;
  }

  /** The last row on the disk; while a log is not begun, that of the one before it. */
  get head(): RememberedRow {
    const audit = this.#current?.audit;
    if (audit?.hasBegun === true) this.#head = audit.head;
    return this.#head;
  }

  /** The same for the state; undefined = there is no log, or no row of it is on the disk. */
  get headRecord(): AuditHeadRecord | undefined {
    const file = this.#current?.audit.path;
    const { head } = this;
    return file === undefined || head.seq === 0 ? undefined : { file, ...head };
  }

  /** Opens the log that is configured; throws `StartError`. */
  async open(config: Config): Promise<void> {
    const { file } = config.audit;
    if (file === undefined) return;
    try {
      requireDirectory(file);
      this.#take(await openAudit(file, this.#wiringOptions(config)));
    } catch (error) {
      throw cannotOpen("audit log", file, error);
    }
    if (this.#options.journal !== undefined) return;
    this.#journal = openingJournal(file, (path) => this.#openJournal(path));
  }

  /** Opens the log that `next` wants; throws `DoorFault`. */
  async prepare(before: Config, next: Config): Promise<PreparedDoors> {
    const { file } = next.audit;
    if (before.audit.file === file)
      return { ...NO_DOORS, commit: () => this.#current?.change(next.audit) };
    // One that is moved back must be whole before it is read, and a disk that hangs must not hold
    // the reload.
    if (this.#leaving !== undefined)
      throw new DoorFault(
        ["audit", "file"],
        "cannot change the audit log: the one before it is not written and closed yet; reload " +
          "again in a moment, or look at its disk",
      );
    if (file === undefined) return { ...NO_DOORS, commit: () => this.#replace(undefined) };
    const found = await faultOf(() => this.#find(file, next));
    try {
      const journal =
        this.#options.journal === undefined
          ? await faultOf(() => openingJournal(file, (path) => this.#prepareJournal(path)))
          : NO_MOVE;
      return {
        commit: () => {
          journal.commit();
          this.#replace(found);
        },
        drop: () => {
          journal.drop();
          void found.audit.drop();
        },
      };
    } catch (error) {
      await found.audit.drop();
      throw error;
    }
  }

  async #find(file: string, next: Config): Promise<AuditWiring> {
    const before = this.#current?.audit;
    let found: AuditWiring;
    try {
      requireDirectory(file);
      found = await findAudit(file, { ...this.#wiringOptions(next), before: before?.path });
    } catch (error) {
      throw cannotOpen("audit log", file, error);
    }
    if (before === undefined || !found.audit.isSameFile(before)) return found;
    await found.audit.drop();
    throw new StartError(
      `cannot open the audit log ${file}: found the very file of ${before.path}`,
      "give the path of another file",
    );
  }

  #prepareJournal(path: string): PreparedMove {
    if (this.#journal !== undefined) return this.#journal.prepareMove(path);
    const opened = this.#openJournal(path);
    return {
      commit: () => {
        this.#journal = opened;
      },
      drop: () => opened.close(),
    };
  }

  #openJournal(path: string): FiredJournal {
    const { monotonicNs } = this.#options;
    return FiredJournal.open(path, { ownerUid: effectiveUid(), monotonicNs });
  }

  #wiringOptions(config: Config) {
    return {
      ...this.#options,
      config: config.audit,
      agentName: config.optionsAlone ? undefined : this.#options.agentName,
      counters: this.#counters,
      files: this.#files,
    };
  }

  /** What waits in the log before is written and synced before `next` has its first row. */
  #replace(next: AuditWiring | undefined): void {
    const before = this.#current;
    this.#head = this.head;
    this.#take(next);
    if (before !== undefined) this.#leaving = this.#leave(before, next);
    next?.audit.beginAfter(this.#leaving ?? Promise.resolve(this.#left));
    if (next !== undefined || this.#options.journal !== undefined) return;
    this.#journal?.close();
    this.#journal = undefined;
  }

  async #leave(before: AuditWiring, next: AuditWiring | undefined): Promise<LeftLog> {
    const left = await before.audit.leave(next?.audit, Date.now());
    before.look();
    before.tellEnd();
    if (next === undefined) this.#counters.add(AUDIT.dropped, left.lines.length);
    this.#left = { ...left, lines: [] };
    this.#leaving = undefined;
    return left;
  }

  #take(audit: AuditWiring | undefined): void {
    this.#current = audit;
    if (audit === undefined || this.#isShown) return;
    this.#isShown = true;
    this.#options.metrics.show(this.#counters);
    this.#options.metrics.show(this.#files);
  }

  record(outcome: RecoveryOutcome): void {
    this.#current?.audit.record(outcome, Date.now());
  }

  recordAct(act: Act): void {
    this.#current?.audit.recordAct(act, Date.now());
  }

  nextDeadlineNs(): number {
    return this.#current?.audit.nextDeadlineNs() ?? Number.POSITIVE_INFINITY;
  }

  maintain(nowNs: number): void {
    this.#current?.audit.maintain(nowNs);
    this.#current?.look();
    if (this.#journal !== undefined) this.#countJournal(this.#journal);
  }

  /** Writes and syncs everything that waits, and closes the files. */
  async close(): Promise<void> {
    await this.#leaving;
    await this.#current?.close();
  }

  tellEnd(): void {
    this.#current?.tellEnd();
  }

  closeJournal(): void {
    this.#journal?.close();
  }

  #countJournal(journal: FiredJournal): void {
    const { log } = this.#options;
    const file = journal.path;
    if (journal.takeFailures() > 0)
      log.limited("audit_io", "warn", "recovery not noted, ignoring", {
        file,
        effect: "the next start does not know of it",
      });
    const reopened = journal.takeReopened();
    if (reopened === 0) return;
    this.#files.add(FILES.reopened.fired, reopened);
    log.warn("recovery journal recreated", { file });
  }
}

const NO_MOVE: PreparedMove = { commit: () => {}, drop: () => {} };

/** Opens the journal beside the log at `file`; throws `StartError`. */
function openingJournal<Opened>(file: string, open: (path: string) => Opened): Opened {
  const path = `${file}${JOURNAL_SUFFIX}`;
  try {
    return open(path);
  } catch (error) {
    throw cannotOpen("journal of recoveries", path, error);
  }
}

async function faultOf<Opened>(open: () => Opened | Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new DoorFault(["audit", "file"], `${error.message}; ${error.hint}`);
  }
}
