// `varta-watch audit verify FILE...` and `varta-watch audit show FILE`: whether an audit log is as it was written (spec 11
// section 7), and what it says. Both read without a lock, so the daemon may go on writing. Results go to stdout.
import {
  closeLogFiles,
  forEachLine,
  type LogFile,
  openLogFile,
  openLogFiles,
} from "../audit/log_files.ts";
import { ABSENT, AUDIT_HEADER, AUDIT_HEADER_V1 } from "../audit/record.ts";
import { type AuditRow, columnNames, latin1, parseRow } from "../audit/row.ts";
import { type Finding, type Verdict, Verifier, verdictText } from "../audit/verify.ts";
import { escapeUnprintable } from "../base/unprintable.ts";
import { type Invocation, ownFlag, ownText } from "./invocation.ts";
import { print, printDiagnostics, printError, printHint } from "./output.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 64;
/** Text collected for one write: a log may have a million lines. */
const PRINT_CHARACTERS = 64 * 1_024;

export async function run(invocation: Invocation): Promise<number> {
  const [action, ...files] = invocation.operands;
  const head = ownText(invocation, "expect-head")?.toLowerCase();
  const isJson = ownFlag(invocation, "json");
  if (action === "verify") {
    if (files.length === 0) return refuse('found "audit verify" without a file; want a FILE');
    if (head !== undefined && !/^[0-9a-f]{64}$/.test(head)) {
      return refuse(`found ${head.length} characters after --expect-head; want 64 hex digits`);
    }
    if (head !== undefined && files.length > 1) {
      return refuse(`found --expect-head with ${files.length} files; want one FILE`);
    }
    const codes = files.map((file) => verify(file, head, isJson));
    return Math.max(...codes);
  }
  if (action === "show") {
    if (head !== undefined)
      return refuse('found --expect-head with "audit show"; want "audit verify"');
    if (files.length !== 1) return refuse(`found ${files.length} files; want one FILE`);
    return show(files[0]!, isJson);
  }
  const found = action === undefined ? "nothing" : `"${action}"`;
  return refuse(`found ${found} after "audit"; want "verify FILE..." or "show FILE"`);
}

function refuse(message: string): number {
  printError(message);
  printHint('"varta-watch help audit" shows what is possible');
  return EXIT_USAGE;
}

function verify(path: string, head: string | undefined, isJson: boolean): number {
  const output = new Output();
  const findings: Finding[] = [];
  const verifier = new Verifier((finding) => {
    if (isJson) findings.push(finding);
    else output.line(`${finding.file}:${finding.line}: ${visible(finding.text)}`);
  }, head);
  const isRead = reading(path, openLogFiles, (file) => {
    verifier.beginFile(file.path);
    forEachLine(file, (line, hasLineEnd) => verifier.line(line, hasLineEnd));
  });
  if (!isRead) {
    output.flush();
    return EXIT_FAILURE;
  }
  const verdict = verifier.finish();
  output.line(isJson ? JSON.stringify(verdictJson(path, verdict, findings)) : verdictText(verdict));
  output.flush();
  return verdict.isIntact ? 0 : EXIT_FAILURE;
}

function verdictJson(file: string, verdict: Verdict, findings: readonly Finding[]): object {
  return {
    file,
    intact: verdict.isIntact,
    records: verdict.recordCount,
    seq_first: verdict.seqFirst,
    seq_last: verdict.seqLast,
    head: verdict.head,
    findings: findings.map(({ file: at, line, text, isNote }) => ({
      file: at,
      line,
      text,
      intact: isNote,
    })),
  };
}

function show(path: string, isJson: boolean): number {
  const output = new Output();
  let lineNumber = 0;
  let isV1Section = false;
  let allRead = true;
  const isRead = reading(
    path,
    (file) => [openLogFile(file)],
    (file) =>
      forEachLine(file, (line, hasLineEnd) => {
        lineNumber += 1;
        if (line[0] === 0x23) {
          isV1Section = isHeaderOfV1(line, lineNumber, isV1Section);
          return;
        }
        if (isV1Section) return;
        const row = hasLineEnd ? parseRow(line) : undefined;
        if (row !== undefined) {
          output.line(isJson ? escapeUnprintable(JSON.stringify(rowJson(row))) : rowText(row));
          return;
        }
        allRead = false;
        output.flush();
        printDiagnostics(`${path}:${lineNumber}: not a record\n`);
      }),
  );
  output.flush();
  return isRead && allRead ? 0 : EXIT_FAILURE;
}

function isHeaderOfV1(line: Uint8Array, lineNumber: number, isV1Section: boolean): boolean {
  const text = latin1(line);
  if (lineNumber === 1 && text === AUDIT_HEADER_V1) return true;
  return isV1Section && text !== AUDIT_HEADER;
}

/** True if every file could be read; otherwise the reason is on stderr. */
function reading(
  path: string,
  open: (path: string) => readonly LogFile[],
  read: (file: LogFile) => void,
): boolean {
  let files: readonly LogFile[] = [];
  try {
    files = open(path);
    for (const file of files) read(file);
    return true;
  } catch (error) {
    printError(error instanceof Error ? error.message : String(error));
    printHint("an audit log is readable by the daemon's user and by root");
    return false;
  } finally {
    closeLogFiles(files);
  }
}

/** One record for people: the columns that say something. */
function rowText(row: AuditRow): string {
  const names = columnNames(row);
  const values = row.columns
    .map((column, index) => [names[index]!, utf8(column)] as const)
    .slice(4, -1)
    .filter(([, value]) => value !== ABSENT)
    .map(([name, value]) => `${name}=${quotedIfNeeded(value)}`);
  const when = timeText(Number(row.columns[1]));
  return `${when} ${String(row.seq).padStart(6)} ${row.kind.padEnd(8)} ${values.join(" ")}`;
}

const TEXT_COLUMNS: ReadonlySet<string> = new Set(
  "kind prev_chain reason mode program source outcome stdout_tail stderr_tail chain".split(" "),
);

/** A key without a value is left out. */
function rowJson(row: AuditRow): Record<string, string | number | boolean> {
  const object: Record<string, string | number | boolean> = {};
  columnNames(row).forEach((name, index) => {
    const value = utf8(row.columns[index]!);
    if (value === ABSENT) return;
    const number = TEXT_COLUMNS.has(name) ? Number.NaN : Number(value);
    if (name === "truncated") object[name] = value === "true";
    else object[name] = Number.isNaN(number) ? value : number;
  });
  return object;
}

function timeText(unixMs: number): string {
  const time = new Date(unixMs);
  return Number.isNaN(time.getTime()) ? `${unixMs}ms` : time.toISOString();
}

function utf8(column: string): string {
  return Buffer.from(column, "latin1").toString("utf8");
}

function quotedIfNeeded(value: string): string {
  const text = visible(value);
  return /[ "=]/.test(text) ? `"${text.replaceAll('"', '\\"')}"` : text;
}

/** A file must not be able to move the cursor of who reads it, or to turn a line around. */
function visible(text: string): string {
  const escaped = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return escapeUnprintable(escaped);
}

/** Lines for stdout, printed by the block. */
class Output {
  #text = "";

  line(text: string): void {
    this.#text += `${text}\n`;
    if (this.#text.length >= PRINT_CHARACTERS) this.flush();
  }

  flush(): void {
    if (this.#text !== "") print(this.#text);
    this.#text = "";
  }
}
