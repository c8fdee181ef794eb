// Checks an audit log row by row (spec 11 section 7): columns, seq, and the chain recomputed from the row before. Pure over
// lines and streaming: it keeps one row, whatever the size of the log. Each damage is told once, at the line where the
// chain stops to fit.
import { chainOf, CHAIN_START } from "./chain.ts";
import { ABSENT, AUDIT_HEADER, AUDIT_HEADER_V1 } from "./record.ts";
import { type AuditRow, bootLink, bootReason, latin1, parseRow } from "./row.ts";

export interface Finding {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** True if the log may still be intact: something worth knowing, not a damage. */
  readonly isNote: boolean;
}

interface Place {
  readonly file: string;
  readonly line: number;
  /** Lines before it in all files. */
  readonly order: number;
}

export interface Verdict {
  readonly isIntact: boolean;
  readonly recordCount: number;
  readonly seqFirst: number | undefined;
  readonly seqLast: number | undefined;
  /** The chain of the last record; undefined = there is none. */
  readonly head: string | undefined;
  readonly firstProblem: Finding | undefined;
}

/** What a boot record says about the start before it, beyond what its link proves. */
const BOOT_NOTES: Readonly<Record<string, string>> = {
  corrupt_tail: "boot corrupt_tail: the line before it was torn by a crash and cut off",
  schema_drift: "boot schema_drift: the daemon could not read what was before it",
  legacy_v1: "boot legacy_v1: the chain begins here, below records of schema v1",
};

/** Feed it every file, oldest first: `beginFile`, then its lines. */
export class Verifier {
  readonly #onFinding: (finding: Finding) => void;
  #file = "";
  #line = 0;
  #order = 0;
  #isV1Section = false;
  #recordCount = 0;
  #seqFirst: number | undefined;
  #previous: AuditRow | undefined;
  #previousPlace: Place | undefined;
  #unchainedCount = 0;
  #unchainedPlace: Place | undefined;
  #firstProblem: Finding | undefined;
  #firstProblemOrder = Number.POSITIVE_INFINITY;
  /** An anchored chain, and how many records came after the one that has it. */
  #anchor: string | undefined;
  #recordsSinceAnchor = -1;

  /** `expectedHead`, if given, must be the chain of the very last record. */
  constructor(onFinding: (finding: Finding) => void, expectedHead?: string) {
    this.#onFinding = onFinding;
    this.#anchor = expectedHead;
  }

  beginFile(file: string): void {
    this.#file = file;
    this.#line = 0;
    this.#isV1Section = false;
  }

  /** `line` without its LF. A last line without one is no record: the next start would cut it off. */
  line(line: Uint8Array, hasLineEnd: boolean): void {
    this.#line += 1;
    this.#order += 1;
    if (line[0] === 0x23 && hasLineEnd) {
      this.#comment(latin1(line));
      return;
    }
    if (this.#isV1Section) return;
    const row = hasLineEnd ? parseRow(line) : undefined;
    if (row === undefined) this.#problem("not a record");
    else this.#row(row);
  }

  finish(): Verdict {
    if (this.#unchainedPlace !== undefined) {
      this.#problemAt(this.#unchainedPlace, `${this.#unchainedCount} rows without a chain`);
    }
    const head = this.#previous === undefined ? undefined : chainText(this.#previous);
    if (this.#anchor !== undefined && head !== this.#anchor) this.#anchorMissed(head);
    return {
      isIntact: this.#firstProblem === undefined,
      recordCount: this.#recordCount,
      seqFirst: this.#seqFirst,
      seqLast: this.#previous?.seq,
      head,
      firstProblem: this.#firstProblem,
    };
  }

  // Only the first line can begin a v1 section: further down it would be a way to hide rows.
  #comment(text: string): void {
    if (text === AUDIT_HEADER) this.#isV1Section = false;
    if (text !== AUDIT_HEADER_V1 || this.#line !== 1) return;
    this.#isV1Section = true;
    this.#note("a section of schema v1, skipped");
  }

  #row(row: AuditRow): void {
    const previous = this.#previous;
    const isLinked = this.#checkLink(row, previous);
    const isChained = this.#checkChain(row, previous);
    this.#checkSeq(row, previous, isLinked && isChained);
    const note = row.kind === "boot" ? BOOT_NOTES[bootReason(row)] : undefined;
    if (note !== undefined) this.#note(note);
    this.#recordCount += 1;
    this.#seqFirst ??= row.seq;
    this.#previous = row;
    this.#previousPlace = this.#here();
    if (chainText(row) === this.#anchor) this.#recordsSinceAnchor = 0;
    else if (this.#recordsSinceAnchor >= 0) this.#recordsSinceAnchor += 1;
  }

  /** A boot record that continues a section names the chain it continues. */
  #checkLink(row: AuditRow, previous: AuditRow | undefined): boolean {
    if (row.kind !== "boot") return true;
    const reason = bootReason(row);
    const link = row.columns[5]!;
    if (reason !== "resume" && reason !== "rotation") return true;
    if (previous === undefined && link === ABSENT) return true;
    if (previous === undefined && reason === "rotation") {
      this.#note(`starts at seq ${row.seq}, anchored at ${link}`);
      return true;
    }
    if (previous !== undefined && link === chainText(previous)) return true;
    this.#problem("link to the previous section broken");
    return false;
  }

  #checkChain(row: AuditRow, previous: AuditRow | undefined): boolean {
    if (row.chain === undefined) {
      this.#unchainedCount += 1;
      this.#unchainedPlace ??= this.#here();
      return false;
    }
    for (const before of startsOf(row, previous)) {
      if (chainOf(row.kind, before, row.body).equals(row.chain)) return true;
    }
    this.#problem(
      `chain broken: row ${row.seq} was changed, or a row before it was removed, inserted or moved`,
    );
    return false;
  }

  #checkSeq(row: AuditRow, previous: AuditRow | undefined, isIntact: boolean): void {
    const before = previous?.seq ?? (isAnchored(row) ? row.seq - 1 : 0);
    if (row.seq <= before) this.#problem("sequence goes back");
    else if (row.seq > before + 1 && isIntact) {
      this.#note(`records ${before + 1}..${row.seq - 1} were lost (ring overflow)`);
    }
  }

  #anchorMissed(head: string | undefined): void {
    const place = this.#previousPlace ?? this.#here();
    const since = this.#recordsSinceAnchor;
    const where =
      since < 0
        ? "no record has the expected one"
        : `the expected one is ${since} ${since === 1 ? "record" : "records"} back`;
    this.#problemAt(place, `the head is ${head ?? ABSENT}, ${where}`);
  }

  #here(): Place {
    return { file: this.#file, line: this.#line, order: this.#order };
  }

  #note(text: string): void {
    this.#onFinding({ file: this.#file, line: this.#line, text, isNote: true });
  }

  #problem(text: string): void {
    this.#problemAt(this.#here(), text);
  }

  #problemAt(place: Place, text: string): void {
    const { file, line, order } = place;
    const finding = { file, line, text, isNote: false };
    if (order < this.#firstProblemOrder) {
      this.#firstProblem = finding;
      this.#firstProblemOrder = order;
    }
    this.#onFinding(finding);
  }
}

/** The last line of a report. */
export function verdictText(verdict: Verdict): string {
  const { firstProblem, recordCount, seqFirst, seqLast, head } = verdict;
  if (firstProblem !== undefined) {
    return `NOT intact: first problem at ${firstProblem.file}:${firstProblem.line}`;
  }
  if (recordCount === 0) return "intact: 0 records";
  return `intact: ${recordCount} records, seq ${seqFirst}..${seqLast}, head ${head}`;
}

/** What the hash of `row` may continue from. */
function startsOf(row: AuditRow, previous: AuditRow | undefined): readonly Uint8Array[] {
  const before = previous?.chain ?? CHAIN_START;
  if (row.kind !== "boot") return [before];
  switch (bootReason(row)) {
    case "fresh":
    case "legacy_v1":
      return [CHAIN_START];
    case "resume":
    case "rotation":
      return [bootLink(row) ?? CHAIN_START];
    case "schema_drift":
      // The daemon that wrote it may not have been able to read what we can.
      return [before, CHAIN_START];
    default:
      return [before];
  }
}

function isAnchored(row: AuditRow): boolean {
  return row.kind === "boot" && bootReason(row) === "rotation" && bootLink(row) !== undefined;
}

function chainText(row: AuditRow): string {
  return row.chain?.toString("hex") ?? ABSENT;
}
