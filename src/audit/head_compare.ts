// Holds an audit log against the row that was remembered of it (spec 11 section 5): is the row
// still there, and is it the same? Reads backwards from the end, because the row is one of the
// last; rows after it were synced after the memory was written, and prove nothing against it.
import type { HeadRecord } from "./head_record.ts";
import { type ByteSource, linesBackwards } from "./probe.ts";
import { ABSENT, type Suspicion } from "./record.ts";
import { bootLink, type AuditRow, parseRow } from "./row.ts";

/** Bytes read back at a start to find the remembered row: as a rule it is one of the last. */
const AUDIT_COMPARE_BYTES_MAX = 64 * 1_048_576;

/** A file of the log and how much of it counts. */
export interface ComparedFile {
  readonly source: ByteSource;
  readonly endBytes: number;
}

export interface Difference {
  readonly what: Suspicion;
  /** The last row that is there; 0 and undefined = none. */
  readonly foundSeq: number;
  readonly foundChain: string | undefined;
}

/**
 * `files` from the newest to the oldest. Undefined = the log holds the row, or all that is left of
 * it is newer.
 */
export async function compareWithHead(
  files: AsyncIterable<ComparedFile>,
  head: HeadRecord,
): Promise<Difference | undefined> {
  let last: AuditRow | undefined;
  let first: AuditRow | undefined;
  let readBytes = 0;
  for await (const { source, endBytes } of files) {
    for await (const line of linesBackwards(source, endBytes)) {
      readBytes += line.length + 1;
      if (readBytes > AUDIT_COMPARE_BYTES_MAX) return undefined;
      const row = parseRow(line);
      if (row === undefined) continue;
      last ??= row;
      first = row;
      if (row.seq > head.seq) continue;
      if (row.seq === head.seq && chainText(row) === head.chain) return undefined;
      return difference(last.seq < head.seq ? "behind" : "rewritten", last);
    }
  }
  if (last === undefined) return { what: "gone", foundSeq: 0, foundChain: undefined };
  // What a rotation dropped is named by the first row of what is left.
  return first?.kind === "boot" && bootLink(first) !== undefined
    ? undefined
    : difference("rewritten", last);
}

function difference(what: Suspicion, last: AuditRow): Difference {
  return { what, foundSeq: last.seq, foundChain: chainText(last) };
}

function chainText(row: AuditRow): string | undefined {
  const text = row.columns.at(-1)!;
  return text === ABSENT ? undefined : text;
}
