// The audit log in the daemon: opened with its key and the memory of its head, and what becomes of
// it counted and logged. The head is logged at the start, at the end and every hundred rows,
// because a copy that a log shipper took away is safe from a user who can write to this machine.
import { dirname } from "node:path";
import { effectiveUid } from "../../ffi/process.ts";
import { AuditLog, type AuditLogOptions } from "../audit/audit_log.ts";
import type { AuditPace } from "../audit/audit_writer.ts";
import { chainKey } from "../audit/chain.ts";
import { AUDIT, type AuditCounters } from "../audit/counters.ts";
import type { Difference } from "../audit/head_compare.ts";
import { HeadMemory } from "../audit/head_memory.ts";
import type { BootReason, Suspicion } from "../audit/record.ts";
import type { CountersOf } from "../base/counters.ts";
import type { Config } from "../config/config.ts";
import { REAL_FILE_CALLS } from "../files/append_file.ts";
import type { FILES } from "../files/counters.ts";
import { stateDirectory } from "../files/state_directory.ts";
import type { Log } from "./log.ts";
import { errorText } from "./start_error.ts";

/**
 * The head is logged after so many rows: a copy that a log shipper took away cannot be changed any
 * more.
 */
const AUDIT_HEAD_TOLD_ROWS = 100;

interface AuditWiringOptions {
  readonly config: Config["audit"];
  readonly log: Log;
  /** They outlive a log that is left for another one. */
  readonly counters: AuditCounters;
  readonly files: CountersOf<typeof FILES>;
  /** The log that it goes on from. */
  readonly before?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly monotonicNs: () => number;
  /** Undefined = rows say no more than those of the Rust observer. */
  readonly agentName: ((agent: number) => string) | undefined;
}

/** What the operator should know about a log that was found in another state than it was left. */
const BOOT_WARNINGS: Partial<Record<BootReason, string>> = {
  legacy_v1: "records of version 1, which have no chain: a new section follows them",
  corrupt_tail: "the last line was torn and has been cut off",
  schema_drift: "it ends in something that is no record: a new section follows it",
  keyed: "it goes on under another key, or under one for the first time",
  unkeyed: "it was under a key, and audit.key_file is not set: it goes on without one",
};

const SUSPICIONS: Readonly<Record<Suspicion, string>> = {
  behind: "rows are missing at the end of the audit log",
  rewritten: "the audit log does not hold the row that audit.head remembers",
  gone: "the audit log is gone",
  head_unreadable: "audit.head was not written by this daemon",
  removed: "the audit log was removed, it goes on in a new file",
  replaced: "another file took the place of the audit log, which goes on in it",
  cut: "the audit log was cut, its rows go on after the cut",
};

/** Opens the log at `file`; throws what the files say. */
export async function openAudit(file: string, options: AuditWiringOptions): Promise<AuditWiring> {
  const audit = await AuditLog.open(await logOptions(file, options));
  const wiring = new AuditWiring(audit, options);
  wiring.look();
  return wiring;
}

/** The same, but nothing is written to it before it begins. */
export async function findAudit(file: string, options: AuditWiringOptions): Promise<AuditWiring> {
  const audit = await AuditLog.find(await logOptions(file, options));
  return new AuditWiring(audit, options);
}

async function logOptions(file: string, options: AuditWiringOptions): Promise<AuditLogOptions> {
  const { config, log, counters, files } = options;
  const { key } = config;
  const memory = await openMemory(file, options);
  return {
    path: file,
    counters,
    files,
    ...paceOf(config),
    key: key === undefined ? undefined : chainKey(key),
    memory,
    daemonPid: process.pid,
    unixMs: Date.now,
    monotonicNs: options.monotonicNs,
    agentName: options.agentName,
    onWatermark: (level, lineCount) => {
      if (level === "warn")
        log.limited("audit_ring_warn", "warn", "audit queue fills up", {
          lines: lineCount,
        });
      else
        log.limited("audit_ring_critical", "error", "audit queue almost full", {
          lines: lineCount,
        });
    },
  };
}

/** Without a memory the daemon does its work all the same: one warning says what is missing. */
async function openMemory(
  file: string,
  { config, log, env }: AuditWiringOptions,
): Promise<HeadMemory | undefined> {
  const ownerUid = effectiveUid();
  const state = stateDirectory({ env, otherwise: dirname(file), ownerUid });
  const message = "audit.head unavailable";
  const effect = "rows that are cut from the end of the audit log go unnoticed";
  if (!state.ok) {
    log.warn(message, { ...state.fault, effect });
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
    log.warn(message, { error: errorText(error), effect });
    return undefined;
  }
}

function paceOf(config: Config["audit"]): AuditPace {
  const { maxBytes, syncEvery, syncIntervalNs, fsyncBudgetNs, rotationBudgetNs } = config;
  return { bytesMax: maxBytes, syncEvery, syncIntervalNs, fsyncBudgetNs, rotationBudgetNs };
}

export class AuditWiring {
  readonly audit: AuditLog;
  readonly #options: AuditWiringOptions;
  #toldSeq: number;
  #isStartTold = false;

  constructor(audit: AuditLog, options: AuditWiringOptions) {
    this.audit = audit;
    this.#options = options;
    this.#toldSeq = audit.head.seq;
  }

  #tellStart(): void {
    this.#isStartTold = true;
    const { log, config } = this.#options;
    const { path: file, bootReason, tornBytes, directorySyncError, memory } = this.audit;
    const found = BOOT_WARNINGS[bootReason];
    if (found !== undefined)
      log.warn("audit log continued", {
        file,
        reason: bootReason,
        found,
        torn_bytes: tornBytes > 0 ? tornBytes : undefined,
      });
    if (config.syncEvery > 1)
      log.warn("audit synced in groups", {
        sync_every: config.syncEvery,
        effect: "a power loss may take the last records",
      });
    if (directorySyncError !== undefined)
      log.warn("directory sync failed, ignoring", {
        file,
        error: directorySyncError.message,
      });
    if (memory !== undefined) this.#tellMemory(memory);
    if (this.audit.difference !== undefined) this.#tellTampering(this.audit.difference);
    this.#tellHead("audit log");
  }

  /** Sizes and pace of a new configuration. */
  change(config: Config["audit"]): void {
    this.audit.change(paceOf(config));
  }

  /** Once per turn: says what went wrong. */
  look(): void {
    const { log } = this.#options;
    const { audit } = this;
    if (audit.hasBegun && !this.#isStartTold) this.#tellStart();
    const error = audit.takeError()?.message;
    if (error !== undefined)
      log.limited("audit_io", "warn", "audit write failed, retrying", { error });
    const memoryError = audit.memory?.takeError()?.message;
    if (memoryError !== undefined)
      log.warn("audit.head write failed, retrying", { error: memoryError });
    const tampering = audit.takeTampering();
    if (tampering !== undefined) this.#tellTampering(tampering);
    if (audit.head.seq - this.#toldSeq >= AUDIT_HEAD_TOLD_ROWS) this.#tellHead("audit head");
  }

  /** Writes and syncs everything that waits, and closes the log. */
  async close(): Promise<void> {
    await this.audit.close();
    this.look();
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
    if (otherLog !== undefined && otherLog !== this.#options.before)
      log.warn("audit.head names another log", { other: otherLog, path });
    if (fault !== undefined)
      log.warn("audit.head set aside", {
        path,
        error: fault,
      });
    const { bootReason } = this.audit;
    if (record === undefined && fault === undefined && bootReason !== "fresh")
      log.warn("audit.head missing", {
        path,
        reason: "the first start of a version that writes it, or the file was removed",
      });
  }

  #tellTampering({ what, foundSeq, foundChain }: Difference): void {
    const { log } = this.#options;
    this.audit.counters.add(AUDIT.tamperSuspected);
    const remembered = this.audit.memory?.found.record;
    const isAtStart = ["behind", "rewritten", "gone"].includes(what);
    log.error("tamper suspected", {
      file: this.audit.path,
      what,
      found: SUSPICIONS[what],
      found_seq: foundSeq,
      found_head: foundChain,
      remembered_seq: isAtStart ? remembered?.seq : undefined,
      remembered_head: isAtStart ? remembered?.chain : undefined,
    });
  }
}
