// An audit log in a directory of its own, driven turn by turn as the daemon's loop does.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { AuditLog, type AuditLogOptions } from "../../src/audit/audit_log.ts";
import { HeadMemory, type HeadMemoryOptions } from "../../src/audit/head_memory.ts";
import { readLog } from "../../src/audit/log_files.ts";
import type { WatermarkLevel } from "../../src/audit/ring.ts";
import type { Finding, Verdict } from "../../src/audit/finding.ts";
import { Verifier, type VerifierOptions, verdictText } from "../../src/audit/verify.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { type OutcomeOf, outcomeOf } from "../support/outcome_of.ts";

export const UNIX_MS = 1_700_000_000_000;
export const DAEMON_PID = 1234;

/** In memory where there is such a place: hundreds of syncs are not what most tests are about. */
const ROOT = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export class AuditDirectory implements Disposable {
  readonly path: string;

  constructor(root = ROOT) {
    this.path = mkdtempSync(join(root, "varta-audit-"));
  }

  get log(): string {
    return join(this.path, "audit.log");
  }

  read(suffix = ""): string {
    return readFileSync(`${this.log}${suffix}`, "utf8");
  }

  /** Lines of a file without its comments. */
  rows(suffix = ""): string[][] {
    return this.read(suffix)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split("\t"));
  }

  has(suffix: string): boolean {
    return existsSync(`${this.log}${suffix}`);
  }

  write(text: string | Uint8Array, suffix = ""): void {
    writeFileSync(`${this.log}${suffix}`, text, { mode: 0o600 });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Edge {
  readonly level: WatermarkLevel;
  readonly lineCount: number;
}

export function auditOptions(path: string, changes: Partial<AuditLogOptions>): AuditLogOptions {
  return {
    path,
    bytesMax: undefined,
    syncEvery: 1,
    syncIntervalNs: 0,
    fsyncBudgetNs: 50 * NS_PER_MS,
    rotationBudgetNs: 50 * NS_PER_MS,
    daemonPid: DAEMON_PID,
    unixMs: () => UNIX_MS,
    monotonicNs: () => performance.now() * NS_PER_MS,
    onWatermark: () => {},
    ...changes,
  };
}

/** An open log with the clock and the turns that drive it. */
export class DrivenLog {
  readonly log: AuditLog;
  readonly edges: Edge[];
  nowNs = 0;

  static async open(path: string, changes: Partial<AuditLogOptions> = {}): Promise<DrivenLog> {
    const edges: Edge[] = [];
    const onWatermark: AuditLogOptions["onWatermark"] = (level, lineCount) =>
      edges.push({ level, lineCount });
    const log = await AuditLog.open(auditOptions(path, { onWatermark, ...changes }));
    return new DrivenLog(log, edges);
  }

  private constructor(log: AuditLog, edges: Edge[]) {
    this.log = log;
    this.edges = edges;
  }

  /** One turn: what is due is started, then the runtime has its share. */
  async turn(): Promise<void> {
    this.log.maintain(this.nowNs);
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Turns until the writer has done what it can at this time. */
  async settle(): Promise<void> {
    do await this.turn();
    while (this.log.busy || this.log.nextDeadlineNs() <= this.nowNs);
  }

  /** Records refusals for these pids, each with its own run of the writer. */
  async refuse(...pids: number[]): Promise<void> {
    for (const pid of pids) {
      this.log.record(refusal(pid), UNIX_MS);
      await this.settle();
    }
  }

  async record(...outcomes: RecoveryOutcome[]): Promise<void> {
    for (const outcome of outcomes) this.log.record(outcome, UNIX_MS);
    await this.settle();
  }
}

/** The memory of the head of the log at `path`, in the directory of the log. */
export function openMemory(
  path: string,
  changes: Partial<HeadMemoryOptions> = {},
): Promise<HeadMemory> {
  return HeadMemory.open({
    directory: dirname(path),
    log: path,
    key: undefined,
    ownerUid: process.geteuid!(),
    calls: REAL_FILE_CALLS,
    ...changes,
  });
}

export function refusal(pid: number): OutcomeOf<"refused"> {
  return outcomeOf("refused", { observerNs: pid * 1_000, pid });
}

/** Opens the log once and closes it, as a daemon that is stopped at once. */
export async function restart(
  path: string,
  changes: Partial<AuditLogOptions> = {},
): Promise<AuditLog> {
  const { log } = await DrivenLog.open(path, changes);
  await log.close();
  return log;
}

export interface Verification {
  readonly verdict: Verdict;
  /** "name:line: text" of every finding. */
  readonly findings: readonly string[];
  readonly problems: readonly string[];
  readonly last: string;
}

/** What `audit verify` finds, with file names without their directory. */
export function verifyLog(
  path: string,
  expectedHead?: string,
  options: Partial<VerifierOptions> = {},
): Verification {
  const found: Finding[] = [];
  const verifier = new Verifier({
    onFinding: (finding) => found.push(finding),
    expectedHead,
    ...options,
  });
  readLog(path, verifier);
  const verdict = verifier.finish();
  const texts = (only: readonly Finding[]) =>
    only.map(({ file, line, text }) => `${file.slice(file.lastIndexOf("/") + 1)}:${line}: ${text}`);
  return {
    verdict,
    findings: texts(found),
    problems: texts(found.filter(({ kind }) => kind !== "note")),
    last: verdictText(verdict),
  };
}
