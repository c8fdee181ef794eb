// Checks an audit log row by row (spec 11 section 7): sections, columns, seq, and the chain
// recomputed from the row before. Pure over lines and streaming: it keeps one row, whatever the
// size of the log. Each damage is reported once, at the line where the chain stops to fit.
import type { ChainKey } from "./chain.ts";
import { continues, isLinkedReason } from "./chain_check.ts";
import { FINDING_KINDS, type Finding, type FindingKind, type Verdict } from "./finding.ts";
import { ABSENT } from "./record.ts";
import { type AuditRow, bootKeyId, bootLink, bootReason, latin1, parseRow, wasRow } from "./row.ts";
import { type SectionKind, sectionOf, sectionText } from "./section.ts";

interface Place {
  readonly file: string;
  readonly line: number;
  /** Lines before it in all files. */
  readonly order: number;
}

/** A row that the log must hold, kept outside of it. */
export interface RememberedRow {
  readonly seq: number;
  readonly chain: string;
  /** Of the key that the memory is under; undefined = none. */
  readonly keyId?: string | undefined;
}

export interface VerifierOptions {
  readonly onFinding: (finding: Finding) => void;
  /** Must be the chain of the very last record. */
  readonly expectedHead?: string | undefined;
  /** Must be in the log, unless all that is left is newer. */
  readonly remembered?: RememberedRow | undefined;
  /** Keys that sections may be under; the last section must be under one of them. */
  readonly keys?: readonly ChainKey[];
  /** Sections of schema v1 may stand before the first record. */
  readonly allowLegacy?: boolean;
}

/** What a boot record says about the start before it, beyond what its link proves. */
const BOOT_NOTES: Readonly<Record<string, string>> = {
  corrupt_tail: "boot corrupt_tail: the line before it was torn by a crash and cut off",
  schema_drift: "boot schema_drift: the daemon could not read what was before it",
  legacy_v1: "boot legacy_v1: the chain begins here, below records of schema v1",
  keyed: "boot keyed: the rows from here on are under a key, or under another one",
};

const TAMPER_TEXTS: Readonly<Record<string, string>> = {
  behind: "rows at the end were missing at the start",
  rewritten: "the remembered row was missing or another one at the start",
  gone: "all rows were missing at the start",
  removed: "the file was removed while it was open",
  replaced: "another file was put in its place while it was open",
  cut: "rows at the end were cut off while it was open",
};

const EMPTY = "an empty section: no record in this file";

/** Feed it every file, oldest first: `beginFile`, then its lines. */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #keys: ReadonlyMap<string, ChainKey>;
  #file = "";
  #line = 0;
  #order = 0;
  #fileRecordCount = 0;
  #section: SectionKind = "v2";
  /** A section of schema v1 came before the first record. */
  #isAfterLegacy = false;
  #recordCount = 0;
  #seqFirst: number | undefined;
  #previous: AuditRow | undefined;
  #previousPlace: Place | undefined;
  #keyId: string | undefined;
  #unchained = new Tally();
  /** Rows under keys that were not given, by key. */
  readonly #unreadable = new Map<string, Tally>();
  #firstProblem: Finding | undefined;
  #firstProblemOrder = Number.POSITIVE_INFINITY;
  #worst: FindingKind = "note";
  /** Records after the one with the expected head; -1 = it has not come yet. */
  #recordsSinceAnchor = -1;
  #isRememberedSeen = false;
  /** A row that was made a comment, while no later row shows that it is missing. */
  #hidden: Place | undefined;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#keys = new Map((options.keys ?? []).map((key) => [key.id, key]));
  }

  beginFile(file: string): void {
    if (this.#isEmptyFile()) this.#found("section", EMPTY);
    this.#file = file;
    this.#line = 0;
    this.#fileRecordCount = 0;
    this.#section = "v2";
  }

  /**
   * `line` without its LF. A last line without one is no record: the next start would cut it off.
   */
  line(line: Uint8Array, hasLineEnd: boolean): void {
    this.#line += 1;
    this.#order += 1;
    const isComment = line[0] === 0x23 && hasLineEnd;
    const begun = isComment ? sectionOf(latin1(line)) : undefined;
    if (begun !== undefined) this.#beginSection(begun, latin1(line));
    else if (this.#line === 1) this.#beginSection("none", "");
    if (isComment) {
      if (wasRow(line)) this.#hidden = this.#here();
      return;
    }
    const row = hasLineEnd ? parseRow(line) : undefined;
    if (row !== undefined) this.#row(row);
    else if (this.#section === "v2" || this.#section === "none") {
      this.#found("broken", "not a record");
    }
  }

  finish(): Verdict {
    this.#tellTallies();
    if (this.#hidden !== undefined) {
      this.#foundAt(this.#hidden, "broken", "a record was changed into a comment");
    }
    const last = this.#previous;
    const head = last === undefined ? undefined : chainText(last);
    const { expectedHead } = this.#options;
    if (expectedHead !== undefined && head !== expectedHead) this.#anchorMissed(head);
    this.#checkRemembered();
    if (this.#isEmptyFile()) this.#endsEmpty();
    if (this.#keys.size > 0 && this.#keyId === undefined && last !== undefined) {
      this.#foundAt(this.#previousPlace!, "section", "the last section is under no key");
    }
    return {
      isIntact: this.#worst === "note",
      worst: this.#worst,
      recordCount: this.#recordCount,
      seqFirst: this.#seqFirst,
      seqLast: last?.seq,
      head,
      keyId: this.#keyId,
      firstProblem: this.#firstProblem,
    };
  }

  #beginSection(kind: SectionKind, header: string): void {
    this.#section = kind;
    if (kind === "v2") return;
    const isFirst = this.#recordCount === 0;
    const text = sectionText(kind, header);
    if (kind === "legacy" && isFirst) this.#isAfterLegacy = true;
    if (kind === "legacy" && isFirst && this.#options.allowLegacy === true) {
      this.#found("note", text);
    } else if (kind === "legacy" && isFirst) {
      this.#found("section", `${text} (--allow-legacy takes it where a history begins)`);
    } else this.#found("section", text);
  }

  /**
   * The daemon begins each file with a record, so one without any was emptied, or a rotation was
   * cut short.
   */
  #isEmptyFile(): boolean {
    return this.#file !== "" && this.#fileRecordCount === 0 && this.#section === "v2";
  }

  /** If the remembered row is in an older file, the last file never had any. */
  #endsEmpty(): void {
    if (this.#isRememberedSeen) {
      this.#found("note", "no record yet: a rotation was interrupted, the next start completes it");
    } else this.#found("section", EMPTY);
  }

  #row(row: AuditRow): void {
    const previous = this.#previous;
    this.#checkSection(row);
    const isLinked = this.#checkLink(row, previous);
    if (row.kind === "boot") this.#checkKey(row);
    const isChained = this.#checkChain(row, previous);
    this.#checkSeq(row, previous, isLinked && isChained);
    this.#checkKind(row);
    this.#recordCount += 1;
    this.#fileRecordCount += 1;
    this.#seqFirst ??= row.seq;
    this.#previous = row;
    this.#previousPlace = this.#here();
    this.#hidden = undefined;
    this.#compare(row);
  }

  /** A row that can be read under a header of another schema: the header was changed. */
  #checkSection(row: AuditRow): void {
    if (this.#section === "legacy" || this.#section === "unknown") {
      this.#found("section", `row ${row.seq} stands under the header of another schema`);
      this.#section = "v2";
    }
    if (!this.#isAfterLegacy) return;
    this.#isAfterLegacy = false;
    if (row.kind !== "boot" || bootReason(row) !== "legacy_v1") {
      this.#found("section", `row ${row.seq} does not begin a chain, and there is none before it`);
    }
  }

  /** A boot record that continues a section names the chain it continues. */
  #checkLink(row: AuditRow, previous: AuditRow | undefined): boolean {
    if (row.kind !== "boot" || !isLinkedReason(bootReason(row))) return true;
    const link = row.columns[5]!;
    if (previous === undefined && link === ABSENT) return true;
    if (previous === undefined && bootReason(row) === "rotation") {
      this.#found("note", `starts at seq ${row.seq}, anchored at ${link}`);
      return true;
    }
    if (previous !== undefined && link === chainText(previous)) return true;
    this.#found("broken", "link to the previous section broken");
    return false;
  }

  /**
   * A section without a key can be begun without knowing the key, so it is never taken for granted.
   */
  #checkKey(row: AuditRow): void {
    const keyId = bootKeyId(row);
    if (this.#keyId !== undefined && keyId === undefined) {
      this.#found("section", `a section without a key, after rows under key ${this.#keyId}`);
    }
    this.#keyId = keyId;
  }

  #checkChain(row: AuditRow, previous: AuditRow | undefined): boolean {
    if (row.chain === undefined) {
      this.#unchained.add(row, this.#here());
      return false;
    }
    const keyId = this.#keyId;
    const key = keyId === undefined ? undefined : this.#keys.get(keyId);
    if (keyId !== undefined && key === undefined) {
      const tally = this.#unreadable.get(keyId) ?? new Tally();
      tally.add(row, this.#here());
      if (this.#unreadable.size < KEYS_TOLD_MAX) this.#unreadable.set(keyId, tally);
      return true;
    }
    if (continues(row, previous?.chain, key)) return true;
    this.#found(
      "broken",
      `chain broken: row ${row.seq} was changed, or a row before it was removed, inserted or moved`,
    );
    return false;
  }

  #checkSeq(row: AuditRow, previous: AuditRow | undefined, isIntact: boolean): void {
    const before = previous?.seq ?? (isAnchored(row) ? row.seq - 1 : 0);
    if (row.seq <= before) this.#found("broken", "sequence goes back");
    else if (row.seq > before + 1 && isIntact) {
      const rows = `records ${before + 1}..${row.seq - 1}`;
      const isOverflow = row.kind !== "boot";
      this.#found("note", `${rows} ${isOverflow ? "were lost (ring overflow)" : "are missing"}`);
    }
  }

  #checkKind(row: AuditRow): void {
    if (row.kind === "boot") {
      const note = BOOT_NOTES[bootReason(row)];
      if (note !== undefined) this.#found("note", note);
    }
    if (row.kind === "moved") this.#found("note", movedText(row));
    if (row.kind !== "tamper_suspected") return;
    const [what, , , headSeq] = row.columns.slice(4);
    const text = TAMPER_TEXTS[what!];
    if (text === undefined) this.#found("note", "tamper suspected: the remembered head was bad");
    else this.#found("broken", `tamper suspected: ${text}, row ${headSeq} was the last one`);
  }

  #compare(row: AuditRow): void {
    const { expectedHead, remembered } = this.#options;
    if (chainText(row) === expectedHead) this.#recordsSinceAnchor = 0;
    else if (this.#recordsSinceAnchor >= 0) this.#recordsSinceAnchor += 1;
    if (row.seq !== remembered?.seq || this.#isRememberedSeen) return;
    this.#isRememberedSeen = true;
    if (chainText(row) === remembered.chain) return;
    this.#found(
      "behind",
      `row ${row.seq} is not the one that is remembered: history was rewritten`,
    );
  }

  #checkRemembered(): void {
    const { remembered } = this.#options;
    if (remembered === undefined) return;
    if (this.#keyId !== undefined && remembered.keyId !== this.#keyId) {
      const text =
        "the remembered head is not under the key of the log: any user can have written it";
      this.#foundAt(this.#previousPlace ?? this.#here(), "behind", text);
    }
    if (this.#isRememberedSeen) return;
    const last = this.#previous?.seq ?? 0;
    // The row may be among those that a rotation has dropped.
    if ((this.#seqFirst ?? 0) > remembered.seq) return;
    const text =
      last < remembered.seq
        ? `the last row is ${last}, the remembered head is row ${remembered.seq}: rows are missing`
        : `row ${remembered.seq}, the remembered head, is missing`;
    this.#foundAt(this.#previousPlace ?? this.#here(), "behind", text);
  }

  #tellTallies(): void {
    const { count, place } = this.#unchained;
    if (place !== undefined) this.#foundAt(place, "broken", `${count} rows without a chain`);
    for (const [keyId, tally] of this.#unreadable) {
      const rows = `${tally.count} rows from seq ${tally.seq} on`;
      this.#foundAt(tally.place!, "key", `${rows} are under key ${keyId}, which was not given`);
    }
  }

  #anchorMissed(head: string | undefined): void {
    const place = this.#previousPlace ?? this.#here();
    const since = this.#recordsSinceAnchor;
    const where =
      since < 0
        ? "no record has the expected one"
        : `the expected one is ${since} ${since === 1 ? "record" : "records"} back`;
    this.#foundAt(place, "broken", `the head is ${head ?? ABSENT}, ${where}`);
  }

  #here(): Place {
    return { file: this.#file, line: this.#line, order: this.#order };
  }

  #found(kind: FindingKind, text: string): void {
    this.#foundAt(this.#here(), kind, text);
  }

  #foundAt({ file, line, order }: Place, kind: FindingKind, text: string): void {
    const finding = { file, line: Math.max(1, line), text, kind };
    this.#options.onFinding(finding);
    if (kind === "note") return;
    if (order < this.#firstProblemOrder) {
      this.#firstProblem = finding;
      this.#firstProblemOrder = order;
    }
    if (FINDING_KINDS.indexOf(kind) < FINDING_KINDS.indexOf(this.#worst)) this.#worst = kind;
  }
}

/** Keys that are counted apart; a forged log can name any number. */
const KEYS_TOLD_MAX = 16;

/** Rows that are reported together, at the first of them. */
class Tally {
  count = 0;
  seq = 0;
  place: Place | undefined;

  add(row: AuditRow, place: Place): void {
    if (this.count === 0) this.seq = row.seq;
    this.count += 1;
    this.place ??= place;
  }
}

/** The last line of a report. */
export function verdictText(verdict: Verdict): string {
  const { worst, firstProblem, recordCount, seqFirst, seqLast, head, keyId } = verdict;
  if (firstProblem !== undefined) {
    const where = `${firstProblem.file}:${firstProblem.line}`;
    if (worst === "key") return `NOT verified: a key is wanted, first at ${where}`;
    return `NOT intact: first problem at ${where}`;
  }
  if (recordCount === 0) return "intact: 0 records";
  const under = keyId === undefined ? "" : `, under key ${keyId}`;
  return `intact: ${recordCount} records, seq ${seqFirst}..${seqLast}, head ${head}${under}`;
}

function movedText({ columns }: AuditRow): string {
  const [direction, file, seq, chain] = columns.slice(4);
  if (file === ABSENT) return "the log was switched off here";
  const other = Buffer.from(file!, "latin1").toString();
  if (seq === "0") return `moved ${direction} ${other}, which had no row`;
  return `moved ${direction} ${other}, whose last row was ${seq} with chain ${chain}`;
}

function isAnchored(row: AuditRow): boolean {
  return row.kind === "boot" && bootReason(row) === "rotation" && bootLink(row) !== undefined;
}

function chainText(row: AuditRow): string {
  return row.chain?.toString("hex") ?? ABSENT;
}
