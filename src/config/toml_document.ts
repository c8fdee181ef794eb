// Reads the configuration file and its TOML values (spec 07 section 1). Integers and floats stay
// distinguishable; nothing is interpreted here. A syntax error is one fault with its position, and
// then there are no others. The parser takes TOML 1.1 as well; what only that has is refused,
// because tools around a configuration read TOML 1.0.
import { isUtf8 } from "node:buffer";
import { closeSync, openSync, statSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { readAtMost } from "../files/read_at_most.ts";
import { TomlFloat } from "./problems/found.ts";
import {
  encodingFault,
  newerSyntaxFault,
  type SyntaxFault,
  syntaxFault,
} from "./problems/toml_faults.ts";

const CONFIG_FILE_BYTES_MAX = 1_048_576;

/** Tables and arrays within each other; the deepest key that there is has four. */
const NESTING_MAX = 64;

export type TomlTree = Readonly<Record<string, unknown>>;

export type TomlDocument =
  | { readonly ok: true; readonly text: string; readonly tree: TomlTree }
  | {
      readonly ok: false;
      readonly line: number | undefined;
      readonly column: number | undefined;
      readonly found: string;
      readonly want: string;
    };

export function readTomlDocument(file: string): TomlDocument {
  let bytes: Buffer;
  try {
    // It would wait for a writer for ever. The pipe of a shell, -c <(command), has one.
    if (statSync(file).isFIFO() && !/^\/(dev|proc)\//.test(file))
      return fileFault("a FIFO", "a regular file");
    bytes = readFile(file);
  } catch (error) {
    return fileFault(unreadable(error), "a configuration file that the daemon can read");
  }
  if (bytes.length > CONFIG_FILE_BYTES_MAX) return fileFault("more than 1 MiB", "at most 1 MiB");
  const wrongIndex = firstNonUtf8(bytes);
  if (wrongIndex === undefined) return parseToml(bytes.toString("utf8"));
  return placed(bytes.toString("utf8"), encodingFault(bytes, wrongIndex));
}

/** What `text` has. */
export function parseToml(text: string): TomlDocument {
  try {
    const tree = parse(text, { integersAsBigInt: true });
    // A function that walks such a tree would run out of stack.
    if (isDeeperThan(tree, NESTING_MAX)) return placed(text, nestingFault(text));
    const newer = newerSyntaxFault(text);
    return newer === undefined ? { ok: true, text, tree: plainTable(tree) } : placed(text, newer);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column, message } = error;
    const reason = message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    return placed(text, syntaxFault(text, { line, column, reason }));
  }
}

/** Number of code points before UTF-16 index `index` of line `line` (1-based), plus one. */
export function codePointColumn(lines: readonly string[], line: number, index: number): number {
  return [...(lines[line - 1] ?? "").slice(0, index)].length + 1;
}

function placed(text: string, { offset, found, want }: SyntaxFault): TomlDocument {
  const before = text.slice(0, offset).split("\n");
  const line = before.length;
  const start = line === 1 && text.startsWith("\ufeff") ? 1 : 0;
  const column = [...before[line - 1]!.slice(start)].length + 1;
  return { ok: false, line, column, found, want };
}

/** Index of the first byte that no UTF-8 text has at its place; undefined if all of it is UTF-8. */
function firstNonUtf8(bytes: Buffer): number | undefined {
  if (isUtf8(bytes)) return undefined;
  // The decoder does not say where: the longest prefix that it takes ends within the wrong
  // character.
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (wholeCharacters(bytes.subarray(0, middle)) !== undefined) good = middle;
    else bad = middle;
  }
  return Buffer.byteLength(wholeCharacters(bytes.subarray(0, good))!);
}

/**
 * The text of `bytes` without a character that the end cuts in two; undefined if they are no UTF-8.
 */
function wholeCharacters(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, {
      stream: true,
    });
  } catch {
    return undefined;
  }
}

/** Level by level, because a recursion could be as deep as the file is long. */
function isDeeperThan(tree: object, levelsMax: number): boolean {
  let level = [tree];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levelsMax) return true;
    level = level
      .flatMap((holder) => Object.values(holder) as unknown[])
      .filter((value): value is object => typeof value === "object" && value !== null);
  }
  return false;
}

/** At the first line that has a dot for each level; brackets can nest over several lines. */
function nestingFault(text: string): SyntaxFault {
  const dotted = text.split("\n").findIndex((line) => line.split(".").length > NESTING_MAX);
  const before = text.split("\n").slice(0, Math.max(0, dotted));
  return {
    offset: before.reduce((offset, line) => offset + line.length + 1, 0),
    found: `tables within tables, more than ${NESTING_MAX} deep`,
    want: "the keys that varta.toml.example shows",
  };
}

function plainTable(table: object): TomlTree {
  const plain: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(table)) plain[name] = plainValue(value);
  return plain;
}

function plainValue(value: unknown): unknown {
  if (typeof value === "number") return new TomlFloat(value);
  if (typeof value === "bigint") return smallInteger(value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return plainTable(value);
}

/**
 * Integers beyond 2^53 stay bigint: they are out of every range, and messages show them exactly.
 */
function smallInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function readFile(file: string): Buffer {
  const fd = openSync(file, "r");
  try {
    const { buffer, byteOffset, length } = readAtMost(fd, CONFIG_FILE_BYTES_MAX + 1);
    return Buffer.from(buffer, byteOffset, length);
  } finally {
    closeSync(fd);
  }
}

function fileFault(found: string, want: string): TomlDocument {
  return { ok: false, line: undefined, column: undefined, found, want };
}

function unreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "a directory";
  if (code === "EACCES") return "a file that must not be read (EACCES)";
  return `a file that cannot be read (${code})`;
}
