// `varta-watch audit verify FILE...` and `varta-watch audit show FILE`: whether an audit log is as
// it was written (spec 11 section 7), and what it says. Both read without a lock, so the daemon may
// go on writing. Results go to stdout.
import { dirname, resolve } from "node:path";
import type { ChainKey } from "../audit/chain.ts";
import { findHead } from "../audit/head_search.ts";
import { readLog, readLogFile } from "../audit/log_files.ts";
import { ABSENT } from "../audit/record.ts";
import { type AuditRow, columnNames, latin1, parseRow } from "../audit/row.ts";
import { type SectionKind, sectionOf } from "../audit/section.ts";
import { type Finding, FINDING_KINDS, type FindingKind, type Verdict } from "../audit/finding.ts";
import { type RememberedRow, Verifier, verdictText } from "../audit/verify.ts";
import { escapeUnprintable } from "../base/unprintable.ts";
import { readVerifyKeys } from "./audit_keys.ts";
import { type Invocation, ownFlag, ownText } from "./invocation.ts";
import { print, printDiagnostics, printError, printHint } from "./output.ts";

const EXIT_FAILURE = 1;
/** By the worst finding. */
const EXITS: Readonly<Record<FindingKind, number>> = {
  note: 0,
  broken: EXIT_FAILURE,
  section: 2,
  behind: 3,
  key: 4,
};
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
    const keys = readVerifyKeys(ownText(invocation, "key-file"));
    if (keys === undefined) return EXIT_FAILURE;
    const setting: VerifySetting = {
      head,
      keys,
      state: ownText(invocation, "state"),
      allowLegacy: ownFlag(invocation, "allow-legacy"),
      isJson,
    };
    return worstExit(files.map((file) => verify(file, setting)));
  }
  const only = ["expect-head", "key-file", "state", "allow-legacy"].find(
    (name) => ownText(invocation, name) !== undefined || ownFlag(invocation, name),
  );
  if (action === "show") {
    if (only !== undefined) {
      return refuse(`found --${only} with "audit show"; want "audit verify"`);
    }
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

interface VerifySetting {
  readonly head: string | undefined;
  readonly keys: readonly ChainKey[];
  readonly state: string | undefined;
  readonly allowLegacy: boolean;
  readonly isJson: boolean;
}

/** Of several logs, the exit code of the one that is worst off. */
function worstExit(codes: readonly number[]): number {
  const worst = FINDING_KINDS.map((kind) => EXITS[kind]).find((code) => codes.includes(code));
  return worst ?? EXIT_FAILURE;
}

function verify(path: string, setting: VerifySetting): number {
  const { isJson, keys, allowLegacy } = setting;
  const output = new Output();
  const findings: Finding[] = [];
  const onFinding = (finding: Finding): void => {
    if (isJson) findings.push(finding);
    else output.line(`${finding.file}:${finding.line}: ${visible(finding.text)}`);
  };
  // Read before the log is: the daemon may write rows and remember them at this very moment.
  const remembered = rememberedRow(path, setting, onFinding);
  if (remembered === "unreadable") {
    output.flush();
    return EXIT_FAILURE;
  }
  const verifier = new Verifier({
    onFinding,
    expectedHead: setting.head,
    keys,
    allowLegacy,
    remembered,
  });
  if (!reading(() => readLog(path, verifier))) {
    output.flush();
    return EXIT_FAILURE;
  }
  const verdict = verifier.finish();
  const json = () => escapeUnprintable(JSON.stringify(verdictJson(path, verdict, findings)));
  output.line(isJson ? json() : verdictText(verdict));
  output.flush();
  return EXITS[verdict.worst];
}

/**
 * Without --state, the directory of the log is where an unmanaged daemon remembers: no memory there
 * is no finding.
 */
function rememberedRow(
  path: string,
  { state, keys }: VerifySetting,
  onFinding: (finding: Finding) => void,
): RememberedRow | undefined | "unreadable" {
  const search = findHead(state ?? dirname(path), resolve(path), keys);
  if (search.ok) {
    if (!search.isChecked) {
      const text = "the remembered head is under a key that was not given, and is taken as it is";
      onFinding({ file: search.path, line: 1, text, kind: "note" });
    }
    return search.record;
  }
  if (state === undefined) {
    if (search.isBad) onFinding({ file: path, line: 1, text: search.found, kind: "note" });
    return undefined;
  }
  printError(search.found);
  printHint("--state names the directory that the daemon keeps audit.head in");
  return "unreadable";
}

function verdictJson(file: string, verdict: Verdict, findings: readonly Finding[]): object {
  return {
    file,
    intact: verdict.isIntact,
    exit: EXITS[verdict.worst],
    records: verdict.recordCount,
    seq_first: verdict.seqFirst,
    seq_last: verdict.seqLast,
    head: verdict.head,
    key_id: verdict.keyId,
    findings: findings.map(({ file: at, line, text, kind }) => ({
      file: at,
      line,
      text,
      kind,
      intact: kind === "note",
    })),
  };
}

function show(path: string, isJson: boolean): number {
  const output = new Output();
  let lineNumber = 0;
  let section: SectionKind = "v2";
  let allRead = true;
  const isRead = reading(() =>
    readLogFile(path, (line, hasLineEnd) => {
      lineNumber += 1;
      if (line[0] === 0x23) {
        section = sectionOf(latin1(line)) ?? section;
        return;
      }
      const row = hasLineEnd ? parseRow(line) : undefined;
      if (row !== undefined) {
        output.line(isJson ? escapeUnprintable(JSON.stringify(rowJson(row))) : rowText(row));
        return;
      }
      if (section === "legacy") return;
      allRead = false;
      output.flush();
      printDiagnostics(`${path}:${lineNumber}: not a record\n`);
    }),
  );
  output.flush();
  return isRead && allRead ? 0 : EXIT_FAILURE;
}

/** True if every file could be read; otherwise the reason is on stderr. */
function reading(read: () => void): boolean {
  try {
    read();
    return true;
  } catch (error) {
    printError(error instanceof Error ? error.message : String(error));
    printHint("an audit log is readable by the daemon's user and by root");
    return false;
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
  (
    "kind prev_chain reason key_id agent verdict mode program source outcome stdout_tail stderr_tail what " +
    "found_chain head_chain chain"
  ).split(" "),
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
