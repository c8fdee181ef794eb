// What a daemon left behind, read as a person would read it after the fact: the export, the audit
// log, the notes of the recovery command, and the descriptors of the living process.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { verifyLog } from "../audit/audit_fixture.ts";
import type { LogLine } from "../support/log_lines.ts";
import { pidOf } from "../support/log_lines.ts";
import type { Told } from "./counting.ts";

export interface ExportedRows {
  readonly stalls: readonly Told[];
  /** The pid of each beat. */
  readonly beats: readonly number[];
  /** Pids of the daemons that have started. */
  readonly boots: readonly number[];
}

/** A row that was cut in half, by a kill or a full disk, is none. */
export function exportedRows(path: string): ExportedRows {
  const stalls: Told[] = [];
  const beats: number[] = [];
  const boots: number[] = [];
  for (const line of linesOf(path)) {
    const row = rowOf(line);
    if (row?.kind === "beat") beats.push(row.pid);
    if (row?.kind === "boot") boots.push(row.pid);
    if (row?.kind === "stall") stalls.push({ pid: row.pid, atMs: Date.parse(row.t) });
  }
  return { stalls, beats, boots };
}

/** "PID UNIX_MS" of each recovery, as the command itself wrote it. */
export function notedRecoveries(path: string): Told[] {
  return linesOf(path).map((line) => {
    const [pid, atMs] = line.split(" ").map(Number);
    return { pid: pid!, atMs: atMs! };
  });
}

/** Pids of the `spawn` records (spec 11 section 1). */
export function auditedPids(path: string): number[] {
  return linesOf(path)
    .map((line) => line.split("\t"))
    .filter((columns) => columns[3] === "spawn")
    .map((columns) => Number(columns[4]));
}

/** Nothing, or what the verifier says about a chain that is not whole. */
export function chainFaults(path: string): string[] {
  if (!existsSync(path)) return ["there is no audit log"];
  const { last } = verifyLog(path);
  return last.startsWith("intact: ") ? [] : [`the audit log is not whole: ${last}`];
}

export function loggedStalls(lines: readonly LogLine[]): Told[] {
  return lines
    .filter(({ msg }) => msg === "agent stalled")
    .map((line) => ({ pid: pidOf(line), atMs: Date.parse(line.fields.get("time")!) }));
}

/** Open descriptors of a process, counted by kind: "socket:[]", "anon_inode:[pidfd]", a path. */
export function descriptorKinds(pid: number): Map<string, number> {
  const kinds = new Map<string, number>();
  for (const number of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const kind = readlinkSync(`/proc/${pid}/fd/${number}`).replace(/:\[\d+\]$/, ":[]");
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    } catch {
      // Closed meanwhile.
    }
  }
  return kinds;
}

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
}

function rowOf(line: string): { kind: string; pid: number; t: string } | undefined {
  try {
    return JSON.parse(line) as { kind: string; pid: number; t: string };
  } catch {
    return undefined;
  }
}
