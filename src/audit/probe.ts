// Reads the end of an audit log at a start, to go on where it ends (spec 11 section 5): what the
// last record is, whether the tail is torn, and what the boot record has to say about it. Decides
// only; changes nothing.
import { AUDIT_LINE_BYTES_MAX, FILE_WRITE_BYTES_MAX } from "../base/limits.ts";
import { CHAIN_START } from "./chain.ts";
import { AUDIT_HEADER, AUDIT_HEADER_V1, type BootReason } from "./record.ts";
import { type AuditRow, leadingSeq, parseRow } from "./row.ts";

/** First bytes read from the end of an audit log to find its last record. */
const AUDIT_PROBE_BYTES = 4_096;

export interface ByteSource {
  readonly sizeBytes: number;
  /** Exactly these bytes. */
  read(position: number, sizeBytes: number): Promise<Buffer>;
}

export interface Probe {
  readonly reason: BootReason;
  /** What follows is a torn line, to be cut off. */
  readonly keepBytes: number;
  /** The last line of another writer has no end; the next one must not be joined to it. */
  readonly lineEndWanted: boolean;
  readonly headerWanted: boolean;
  /** True if there is a record to go on from. */
  readonly hasRecords: boolean;
  /** Of the last record or of what looks like one; 0 = none. */
  readonly seq: number;
  /** What the next row's hash continues from. */
  readonly chain: Uint8Array;
  /** True if the last record has a chain. */
  readonly isChained: boolean;
  /** The last record and the chain of the one before it; undefined = there is none. */
  readonly row: AuditRow | undefined;
  readonly chainBefore: Uint8Array | undefined;
  /** Nothing in the file is of an audit log: it must not be changed. */
  readonly isForeign: boolean;
}

const HEADER_LINE = Buffer.from(`${AUDIT_HEADER}\n`);
const HEADER_V1_LINE = Buffer.from(`${AUDIT_HEADER_V1}\n`);
const HEADER_OF_ANY_VERSION = Buffer.from(AUDIT_HEADER.slice(0, -1));
const HEAD_BYTES = 64;
const LF = 0x0a;
const HASH = 0x23;

const NOTHING = {
  keepBytes: 0,
  lineEndWanted: false,
  headerWanted: true,
  hasRecords: false,
  seq: 0,
  chain: CHAIN_START,
  isChained: false,
  row: undefined,
  chainBefore: undefined,
  isForeign: false,
} as const;

/** A file that cannot be read gets a section of its own, unlinked. */
export function unreadable(sizeBytes: number): Probe {
  return { ...NOTHING, reason: "schema_drift", keepBytes: sizeBytes };
}

export async function probe(source: ByteSource): Promise<Probe> {
  const { sizeBytes } = source;
  if (sizeBytes === 0) return { ...NOTHING, reason: "fresh" };
  const head = await source.read(0, Math.min(HEAD_BYTES, sizeBytes));
  // A start that was killed inside its first write.
  if (HEADER_LINE.subarray(0, sizeBytes).equals(head) && sizeBytes < HEADER_LINE.length) {
    return { ...NOTHING, reason: "corrupt_tail" };
  }
  const isV2 = startsWith(head, HEADER_LINE);
  const isV1 = startsWith(head, HEADER_V1_LINE);
  const keepBytes = await endOfLastLine(source);
  const tail = await readTail(source, keepBytes, isV2);
  if (!isV2 && !tail.hasHeader) {
    return unmarked({ sizeBytes, keepBytes, isV1, isOurs: looksLikeOurs(head), tail });
  }
  const isTorn = keepBytes < sizeBytes;
  const reason = isTorn ? "corrupt_tail" : reasonOf(tail, isV1, isV2);
  return { ...NOTHING, ...endOf(tail), headerWanted: false, reason, keepBytes };
}

interface Unmarked {
  readonly sizeBytes: number;
  readonly keepBytes: number;
  readonly isV1: boolean;
  readonly isOurs: boolean;
  readonly tail: Tail;
}

/**
 * No v2 section yet: one is appended. Only an audit log is cut; another file is kept to its last
 * byte.
 */
function unmarked({ sizeBytes, keepBytes, isV1, isOurs, tail }: Unmarked): Probe {
  if (isV1) return { ...NOTHING, reason: "legacy_v1", keepBytes };
  const lineEndWanted = keepBytes < sizeBytes;
  return {
    ...NOTHING,
    ...endOf(tail),
    reason: "schema_drift",
    keepBytes: sizeBytes,
    lineEndWanted,
    isForeign: !isOurs && tail.row === undefined,
  };
}

/**
 * A header of any version; or zero bytes, which is what the crash of a machine can leave of the
 * first write.
 */
export function looksLikeOurs(head: Buffer): boolean {
  return startsWith(head, HEADER_OF_ANY_VERSION) || head.every((byte) => byte === 0);
}

function reasonOf(tail: Tail, isV1: boolean, isV2: boolean): BootReason {
  if (tail.isDrifted) return "schema_drift";
  if (tail.row !== undefined) return "resume";
  if (isV2) return "fresh";
  return isV1 ? "legacy_v1" : "schema_drift";
}

type End = Pick<Probe, "hasRecords" | "seq" | "chain" | "isChained" | "row" | "chainBefore">;

function endOf({ row, chainBefore, seqMin }: Tail): End {
  return {
    row,
    chainBefore,
    hasRecords: row !== undefined,
    seq: Math.max(seqMin, row?.seq ?? 0),
    chain: row?.chain ?? CHAIN_START,
    isChained: row?.chain !== undefined,
  };
}

interface Tail {
  /** The last line that is a record. */
  readonly row: AuditRow | undefined;
  /** Of the record before it. */
  readonly chainBefore: Uint8Array | undefined;
  /** The last line that should be a record is none. */
  readonly isDrifted: boolean;
  /** The number at the start of that line. */
  readonly seqMin: number;
  /** A v2 header was met before the search ended. */
  readonly hasHeader: boolean;
}

/**
 * Walks back to the last two records and, unless the file begins with a v2 header, to the last such
 * header.
 */
async function readTail(source: ByteSource, endBytes: number, isV2: boolean): Promise<Tail> {
  let row: AuditRow | undefined;
  let before: AuditRow | undefined;
  let isDrifted = false;
  let seqMin = 0;
  let hasHeader = false;
  for await (const line of linesBackwards(source, endBytes)) {
    if (line[0] === HASH) {
      hasHeader = !isV2 && HEADER_LINE.subarray(0, -1).equals(line);
      if (hasHeader) break;
      continue;
    }
    if (before !== undefined) continue;
    const parsed = parseRow(line);
    if (row === undefined && parsed === undefined && !isDrifted) {
      isDrifted = true;
      seqMin = leadingSeq(line);
    }
    if (row !== undefined) before = parsed;
    row ??= parsed;
    if (before !== undefined && isV2) break;
  }
  return { row, chainBefore: before?.chain, isDrifted, seqMin, hasHeader };
}

/** Whole lines without their LF, the last one first. `endBytes` is after an LF, or 0. */
export async function* linesBackwards(
  source: ByteSource,
  endBytes: number,
): AsyncGenerator<Buffer> {
  let windowStart = endBytes;
  let window: Buffer = Buffer.alloc(0);
  let stepBytes = AUDIT_PROBE_BYTES;
  while (windowStart + window.length > 0) {
    const lf = window.length < 2 ? -1 : window.lastIndexOf(LF, window.length - 2);
    if (lf >= 0 || (windowStart === 0 && window.length > 0)) {
      yield window.subarray(lf + 1, -1);
      window = window.subarray(0, lf + 1);
      continue;
    }
    // Too long for a record: its end is not kept.
    if (window.length > AUDIT_LINE_BYTES_MAX) window = Buffer.from("?\n");
    const sizeBytes = Math.min(stepBytes, windowStart);
    windowStart -= sizeBytes;
    window = Buffer.concat([await source.read(windowStart, sizeBytes), window]);
    stepBytes = Math.min(2 * stepBytes, FILE_WRITE_BYTES_MAX);
  }
}

/** The position after the last LF; 0 if there is none. */
async function endOfLastLine(source: ByteSource): Promise<number> {
  let end = source.sizeBytes;
  let stepBytes = AUDIT_PROBE_BYTES;
  while (end > 0) {
    const sizeBytes = Math.min(stepBytes, end);
    const lf = (await source.read(end - sizeBytes, sizeBytes)).lastIndexOf(LF);
    if (lf >= 0) return end - sizeBytes + lf + 1;
    end -= sizeBytes;
    stepBytes = FILE_WRITE_BYTES_MAX;
  }
  return 0;
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.subarray(0, prefix.length).equals(prefix);
}
