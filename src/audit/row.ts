// One line of the audit log read back (spec 11 sections 1 and 5): for the probe at a restart, for
// `audit verify` and for `audit show`. Works on bytes, because the chain is over bytes and a
// damaged file need not be UTF-8.
import { chainBytes, isKeyId } from "./chain.ts";
import { ABSENT } from "./record.ts";

/** Names of the columns of each kind; the chain is always the last one. */
export const COLUMNS = {
  boot: columns("daemon_pid prev_chain reason"),
  spawn: columns("agent_pid child_pid mode program source template_len"),
  complete: columns(
    "agent_pid child_pid outcome exit_code signal duration_ns stdout_len stderr_len truncated",
  ),
  refused: columns("agent_pid reason"),
  act: columns("agent_pid by_uid by_pid by act target outcome detail"),
  moved: columns("direction other_file other_seq other_chain"),
  tamper_suspected: columns("what found_seq found_chain head_seq head_chain"),
} as const;

/** What rows about agents say beside, where the daemon has a configuration file. */
export const RUN_COLUMNS: readonly string[] = ["recovery_id", "agent", "verdict"];

/** A `boot` row while `audit.key_file` is set. */
export const BOOT_COLUMNS_KEYED: readonly string[] = [
  ...COLUMNS.boot.slice(0, -1),
  "key_id",
  "chain",
];

/** A `complete` row while `recovery.capture` is on. */
export const COMPLETE_COLUMNS_CAPTURED: readonly string[] = [
  ...COLUMNS.complete.slice(0, -1),
  "stdout_tail",
  "stderr_tail",
  "chain",
];

export type RowKind = keyof typeof COLUMNS;

/** Kinds that may have more columns. No two forms of a kind have the same number of them. */
const LONGER: Partial<Record<RowKind, readonly (readonly string[])[]>> = {
  boot: [BOOT_COLUMNS_KEYED],
  spawn: [withRun(COLUMNS.spawn)],
  complete: [
    COMPLETE_COLUMNS_CAPTURED,
    withRun(COLUMNS.complete),
    withRun(COMPLETE_COLUMNS_CAPTURED),
  ],
  refused: [withRun(COLUMNS.refused)],
};

export interface AuditRow {
  readonly kind: RowKind;
  readonly seq: number;
  /** Every column, decoded byte by byte (latin1). */
  readonly columns: readonly string[];
  /** Undefined = the row has none: a writer without the chain made it. */
  readonly chain: Buffer | undefined;
  /** What the chain is over, in place. */
  readonly body: Uint8Array;
}

/** `line` without its LF; undefined if it is no record. */
export function parseRow(line: Uint8Array): AuditRow | undefined {
  const text = latin1(line);
  const parts = text.split("\t");
  const kind = parts[3];
  if (kind === undefined || !isRowKind(kind) || !fits(kind, parts.length)) return undefined;
  const seq = decimal(parts[0]!);
  if (seq === undefined || seq === 0) return undefined;
  if (decimal(parts[1]!) === undefined || decimal(parts[2]!) === undefined) return undefined;
  const chainText = parts.at(-1)!;
  const chain = chainBytes(chainText);
  if (chain === undefined && chainText !== ABSENT) return undefined;
  if (kind === "boot" && !isBoot(parts)) return undefined;
  const body = line.subarray(0, line.length - chainText.length - 1);
  return { kind, seq, columns: parts, chain, body };
}

/** True if a comment is a row but for its first byte, the first digit of its number. */
export function wasRow(comment: Uint8Array): boolean {
  const line = Uint8Array.from(comment);
  line[0] = 0x31;
  return parseRow(line) !== undefined;
}

export function columnNames({ kind, columns: found }: AuditRow): readonly string[] {
  return [COLUMNS[kind], ...(LONGER[kind] ?? [])].find(({ length }) => length === found.length)!;
}

/** The link of a boot row as the bytes it names; undefined = absent. */
export function bootLink(row: AuditRow): Buffer | undefined {
  return chainBytes(row.columns[5]!);
}

/** Of the key that a boot row and those after it are under; undefined = none. */
export function bootKeyId(row: AuditRow): string | undefined {
  return row.columns.length === BOOT_COLUMNS_KEYED.length ? row.columns[7] : undefined;
}

export function bootReason(row: AuditRow): string {
  return row.columns[6]!;
}

/**
 * The number at the start of a line that is not a record; 0 if there is none that a seq could
 * follow.
 */
export function leadingSeq(line: Uint8Array): number {
  const [digits] = /^[0-9]+(?=\t|$)/.exec(latin1(line.subarray(0, 32))) ?? [];
  const seq = digits === undefined ? undefined : decimal(digits);
  // Half of the exact range stays free: a damaged number must not end the numbering.
  return seq === undefined || seq > 2 ** 52 ? 0 : seq;
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function columns(own: string): readonly string[] {
  return `seq wallclock_ms observer_ns kind ${own} chain`.split(" ");
}

function withRun(names: readonly string[]): readonly string[] {
  return [...names.slice(0, -1), ...RUN_COLUMNS, "chain"];
}

function isRowKind(word: string): word is RowKind {
  return Object.hasOwn(COLUMNS, word);
}

function fits(kind: RowKind, columnCount: number): boolean {
  return [COLUMNS[kind], ...(LONGER[kind] ?? [])].some(({ length }) => length === columnCount);
}

function isBoot(parts: readonly string[]): boolean {
  if (parts.length === BOOT_COLUMNS_KEYED.length && !isKeyId(parts[7]!)) return false;
  return isLink(parts[5]!);
}

function isLink(text: string): boolean {
  return text === ABSENT || chainBytes(text) !== undefined;
}

/** A decimal number in 0..2^53-1 without sign and leading zeros. */
function decimal(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
