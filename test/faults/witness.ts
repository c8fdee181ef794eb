// What a daemon left behind, read as a person would read it after the fact: the export, the audit
// log, the notes of the recovery command, and the descriptors of the living process.
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { verifyLog } from "../audit/audit_fixture.ts";
import type { LogLine } from "../support/log_lines.ts";
import { pidOf } from "../support/log_lines.ts";
import type { Told } from "./counting.ts";

/** A row about a process, with the time that it states, and when it was seen in the file. */
export interface ToldRow extends Told {
  readonly seenMs: number;
}

/** The export as it grows: what was read once is not read again. */
export class ExportTail {
  readonly stalls: ToldRow[] = [];
  /** Unclean ends. */
  readonly ends: ToldRow[] = [];
  /** The pid of each beat. */
  readonly beats: number[] = [];
  /** Those that have beaten. */
  readonly heard = new Set<number>();
  /** Pids of the daemons that have started. */
  readonly boots: number[] = [];
  readonly #path: string;
  #read = 0;
  /** A line whose rest is not there yet. */
  #part = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes what was written since. A row that a kill or a full disk has cut in half is none. */
  look(): this {
    if (!existsSync(this.#path)) return this;
    const bytes = bytesFrom(this.#path, this.#read);
    this.#read += bytes.length;
    const lines = (this.#part + bytes.toString("utf8")).split("\n");
    this.#part = lines.pop()!;
    for (const line of lines) this.#take(line);
    return this;
  }

  #take(line: string): void {
    const row = rowOf(line);
    if (row === undefined) return;
    const { kind, pid, t } = row;
    if (kind === "beat") {
      this.beats.push(pid);
      this.heard.add(pid);
    } else if (kind === "boot") this.boots.push(pid);
    else if (kind === "stall" || kind === "exit") {
      const told = { pid, atMs: Date.parse(t), seenMs: Date.now() };
      (kind === "stall" ? this.stalls : this.ends).push(told);
    }
  }
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

export function loggedStalls(lines: readonly LogLine[]): ToldRow[] {
  return lines
    .filter(({ msg }) => msg === "agent stalled")
    .map((line) => ({
      pid: pidOf(line),
      atMs: Date.parse(line.fields.get("time")!),
      seenMs: performance.timeOrigin + line.arrivedMs,
    }));
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

function bytesFrom(path: string, offset: number): Buffer {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(fd).size - offset));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, offset));
  } finally {
    closeSync(fd);
  }
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
