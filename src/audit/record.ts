// What becomes a row of the audit log, and its columns between seq and chain (spec 11 section 1).
// Other tools parse these bytes. Arguments of the recovery command are never written: they may hold
// secrets.
import { escapeUnprintable, isUnprintable } from "../base/unprintable.ts";
import type { Act } from "../events/act.ts";
import type {
  CompleteOutcome,
  RecoveryOutcome,
  SpawnOutcome,
  StepOutcome,
} from "../events/outcome.ts";

export const AUDIT_HEADER = "# varta-watch recovery audit v2";
export const AUDIT_HEADER_V1 = "# varta-watch recovery audit v1";

/** Names have no more: what comes as one is bounded all the same. */
const AGENT_NAME_CHARACTERS_MAX = 64;

/** Stands for a value that is absent. */
export const ABSENT = "-";

export type BootReason =
  | "fresh"
  | "resume"
  | "legacy_v1"
  | "corrupt_tail"
  | "schema_drift"
  | "rotation"
  /** The rows before it are under no key, or under another one. */
  | "keyed"
  /** The rows before it are under a key. */
  | "unkeyed";

/** How the log differs from what it is remembered to be. */
export type Suspicion =
  /** At the start: rows at its end are missing. */
  | "behind"
  /** At the start: another row has the remembered number, or none has. */
  | "rewritten"
  /** At the start: there is no row at all. */
  | "gone"
  /** At the start: what is remembered cannot be read or was not written by the daemon. */
  | "head_unreadable"
  /** While it was open. */
  | "removed"
  | "replaced"
  | "cut";

interface MovedFields {
  readonly unixMs: number;
  readonly direction: "to" | "from";
  /** Path of the other log; undefined = there is none. */
  readonly file: string | undefined;
  /** The last row of the other log; 0 and undefined = none. */
  readonly seq: number;
  readonly chain: string | undefined;
}

/** As `outcomeFields`, of the row that says where the log goes on, or comes from. */
export function movedFields({ unixMs, direction, file, seq, chain }: MovedFields): string {
  const other = [direction, free(file ?? ""), seq, chain ?? ABSENT];
  return [count(unixMs), 0, "moved", ...other].join("\t");
}

interface TamperFields {
  readonly unixMs: number;
  readonly observerNs: number;
  readonly what: Suspicion;
  /** The last row that was found; 0 and undefined = none. */
  readonly foundSeq: number;
  readonly foundChain: string | undefined;
  /** The row that should be there. */
  readonly headSeq: number;
  readonly headChain: string | undefined;
}

/** As `outcomeFields`, of the row that says what was found instead of the log. */
export function tamperFields(fields: TamperFields): string {
  const { unixMs, observerNs, what, foundSeq, foundChain, headSeq, headChain } = fields;
  const found = [foundSeq, foundChain ?? ABSENT, headSeq, headChain ?? ABSENT];
  return [count(unixMs), count(observerNs), "tamper_suspected", what, ...found].join("\t");
}

/**
 * The columns from wallclock_ms on, without the chain; undefined for an outcome that is no record.
 * `agentName` is "" for one without a name, and undefined where rows say no more than those of the
 * Rust observer.
 */
export function outcomeFields(
  outcome: RecoveryOutcome,
  unixMs: number,
  agentName?: string,
): string | undefined {
  const own = ownFields(outcome, unixMs);
  if (own === undefined || agentName === undefined || outcome.kind === "storm") return own;
  const { recoveryId, verdict } = outcome;
  const id = recoveryId === 0 ? ABSENT : recoveryId;
  return [own, id, nameText(agentName), verdict || ABSENT].join("\t");
}

function ownFields(outcome: RecoveryOutcome, unixMs: number): string | undefined {
  switch (outcome.kind) {
    case "spawn":
      return spawnColumns(outcome, unixMs).join("\t");
    case "complete":
      return completeColumns(outcome, unixMs).join("\t");
    case "refused": {
      const { reason, dryRun } = outcome;
      return refusedColumns(outcome, dryRun ? `dry_run_${reason}` : reason, unixMs);
    }
    case "step":
      return stepFields(outcome, unixMs);
    case "began":
    case "timeout":
    case "deferred":
    case "end":
    case "verdict":
    case "result":
    case "storm":
      return undefined;
  }
}

/** As `outcomeFields`, of what somebody asked for. */
export function actFields(act: Act, unixMs: number): string {
  const { observerNs, pid, byUid, byPid, by, target, detail, isRefused } = act;
  const who = [orAbsent(pid), byUid, byPid, free(by), act.act];
  const what = [free(target), isRefused ? "refused" : "done", free(detail)];
  return [count(unixMs), count(observerNs), "act", ...who, ...what].join("\t");
}

/** The kind of the row that `fields` become: what its hash begins with. */
export function kindOfFields(fields: string): string {
  return fields.split("\t", 3)[2]!;
}

// The schema has no kind for what needs no child. A signal to an agent is a `spawn` with mode
// `signal` and child 0, and a dry run refuses what it would have done.
function stepFields(outcome: StepOutcome, unixMs: number): string | undefined {
  if (outcome.dryRun) return refusedColumns(outcome, "dry_run", unixMs);
  if (outcome.step !== "signal") return undefined;
  const { observerNs, pid, detail } = outcome;
  const what = ["signal", free(detail), "inline", 0];
  return [count(unixMs), count(observerNs), "spawn", pid, 0, ...what].join("\t");
}

function refusedColumns(
  { observerNs, pid }: { readonly observerNs: number; readonly pid: number },
  reason: string,
  unixMs: number,
): string {
  return [count(unixMs), count(observerNs), "refused", pid, reason].join("\t");
}

interface BootFields {
  readonly unixMs: number;
  readonly daemonPid: number;
  /** The chain column that the row is linked to; undefined = absent. */
  readonly previousChain: string | undefined;
  readonly reason: BootReason;
  /**
   * Of the key that this row and those up to the next boot record are under; undefined = of none.
   */
  readonly keyId: string | undefined;
}

/** As `outcomeFields`, of a boot record. */
export function bootFields(fields: BootFields): string {
  const { unixMs, daemonPid, previousChain, reason, keyId } = fields;
  const columns = [count(unixMs), 0, "boot", daemonPid, previousChain ?? ABSENT, reason];
  return [...columns, ...(keyId === undefined ? [] : [keyId])].join("\t");
}

function spawnColumns(outcome: SpawnOutcome, unixMs: number): (string | number)[] {
  const { observerNs, pid, childPid, program, source, templateSizeBytes } = outcome;
  const command = ["exec", free(program), free(source), templateSizeBytes];
  return [count(unixMs), count(observerNs), "spawn", pid, childPid, ...command];
}

function completeColumns(outcome: CompleteOutcome, unixMs: number): (string | number | boolean)[] {
  const { observerNs, pid, childPid, completion, exitCode, signal, durationNs } = outcome;
  const { captured } = outcome;
  const child = [count(unixMs), count(observerNs), "complete", pid, childPid];
  const end = [completion, orAbsent(exitCode), orAbsent(signal), count(durationNs)];
  if (captured?.isAudited !== true) return [...child, ...end, 0, 0, false];
  const { stdoutSizeBytes, stderrSizeBytes, truncated, stdoutTail, stderrTail } = captured;
  const tails = [tailText(stdoutTail), tailText(stderrTail)];
  return [...child, ...end, stdoutSizeBytes, stderrSizeBytes, truncated, ...tails];
}

/**
 * Times are fractions at most by rounding, and a clock before 1970 is no reason to break a column.
 */
function count(value: number): string {
  return String(Math.max(0, Math.trunc(value)));
}

function orAbsent(value: number): string {
  return Number.isNaN(value) ? ABSENT : String(value);
}

function free(text: string): string {
  return text === "" ? ABSENT : escapeUnprintable(text.replace(/[\t\n\r]/g, " "));
}

/** A name that is that of nothing is escaped, too. */
function nameText(name: string): string {
  if (name === ABSENT) return "%2D";
  return free([...name].slice(0, AGENT_NAME_CHARACTERS_MAX).join(""));
}

function tailText(tail: Uint8Array): string {
  return tail.length === 0 ? ABSENT : escapeTail(tail);
}

const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  9: "\\t",
  10: "\\n",
  13: "\\r",
  92: "\\\\",
};

/**
 * Bytes as text without tab and LF: what is not UTF-8, and what a terminal would obey, become
 * escapes of bytes (spec 10 section 5).
 */
export function escapeTail(bytes: Uint8Array): string {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: string[] = [];
  let plainStart = 0;
  let at = 0;
  while (at < source.length) {
    const size = plainSize(source, at);
    if (size > 0) {
      at += size;
      continue;
    }
    const byte = source[at]!;
    parts.push(source.toString("utf8", plainStart, at));
    parts.push(SHORT_ESCAPES[byte] ?? `\\x${byte.toString(16).padStart(2, "0")}`);
    at += 1;
    plainStart = at;
  }
  parts.push(source.toString("utf8", plainStart));
  return parts.join("");
}

/** Bytes of the character at `at` that stands for itself; 0 if that byte must be escaped. */
function plainSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return first < 0x20 || first === 0x7f || first === 0x5c ? 0 : 1;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  // The first byte narrows the second: neither overlong forms, nor surrogates, nor beyond U+10FFFF
  // (RFC 3629).
  if (first < 0xc2 || first > 0xf4) return 0;
  const secondMin = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const secondMax = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1] ?? 0;
  if (second < secondMin || second > secondMax) return 0;
  for (let i = 2; i < size; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return isUnprintable(codePointOf(bytes, at, size)) ? 0 : size;
}

/** The code point of the character of `size` >= 2 bytes at `at`, which is right. */
function codePointOf(bytes: Uint8Array, at: number, size: number): number {
  let code = bytes[at]! & (0x7f >>> size);
  for (let i = 1; i < size; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
  return code;
}
