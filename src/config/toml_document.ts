// Reads the configuration file and its TOML values (spec 07 section 1). Integers and floats stay distinguishable;
// nothing is interpreted here. A syntax error is one fault with its position, and then there are no others.
import { closeSync, openSync, readSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { TomlFloat } from "./found.ts";

export const CONFIG_FILE_BYTES_MAX = 1_048_576;

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
    bytes = readAtMost(file, CONFIG_FILE_BYTES_MAX + 1);
  } catch (error) {
    return fileFault(unreadable(error), "a configuration file that the daemon can read");
  }
  if (bytes.length > CONFIG_FILE_BYTES_MAX) return fileFault("more than 1 MiB", "at most 1 MiB");
  try {
    return parseToml(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fileFault("bytes that are not UTF-8", "a TOML file in UTF-8");
  }
}

export function parseToml(text: string): TomlDocument {
  try {
    const tree = parse(text, { integersAsBigInt: true });
    return { ok: true, text, tree: plainTable(tree) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return syntaxFault(text, error);
  }
}

/** Number of code points before UTF-16 index `index` of line `line` (1-based), plus one. */
export function codePointColumn(lines: readonly string[], line: number, index: number): number {
  return [...(lines[line - 1] ?? "").slice(0, index)].length + 1;
}

function syntaxFault(text: string, error: TomlError): TomlDocument {
  const column = codePointColumn(text.split("\n"), error.line, error.column - 1);
  const reason = error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
  if (reason.startsWith("trying to redefine")) {
    const found = "a key or table that is already defined";
    return { ok: false, line: error.line, column, found, want: "each key and table once" };
  }
  const lineLength = (text.split("\n")[error.line - 1] ?? "").length;
  if (reason.startsWith("control characters") && error.column > lineLength) {
    const want = "a closing quote before the end of the line";
    return { ok: false, line: error.line, column, found: "a string that is not closed", want };
  }
  const found = `invalid TOML (${reason})`;
  return { ok: false, line: error.line, column, found, want: "a file in TOML 1.0" };
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

/** Integers beyond 2^53 stay bigint: they are out of every range, and messages show them exactly. */
function smallInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function readAtMost(file: string, bytesMax: number): Buffer {
  const fd = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(bytesMax);
    let length = 0;
    while (length < bytesMax) {
      const count = readSync(fd, buffer, length, bytesMax - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
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
