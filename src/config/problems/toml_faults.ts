// The words for a file that is no TOML 1.0: what was most likely meant, rather than what the parser
// stumbled over (spec 07 section 4). Loaded and run only when there is such a fault to report.
import { characterName, characterText } from "./characters.ts";
import { DURATION_PATTERN } from "../keys/duration.ts";
import { pathLabel } from "./fault.ts";
import { quoted } from "./found.ts";
import { type Definition, walkToml } from "../toml_walk.ts";

/** Where the parser stopped, and why. */
interface SyntaxError {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  readonly reason: string;
}

export interface SyntaxFault {
  /** UTF-16 index in the text. */
  readonly offset: number;
  readonly found: string;
  readonly want: string;
}

/** Longest unquoted text that is taken for a string whose quotes were left out. */
const UNQUOTED_LENGTH_MAX = 200;

export function syntaxFault(text: string, error: SyntaxError): SyntaxFault {
  const lines = text.split("\n");
  const lineOffset = lines.slice(0, error.line - 1).join("\n").length + (error.line > 1 ? 1 : 0);
  const at: Place = {
    text,
    lines,
    line: lines[error.line - 1] ?? "",
    lineOffset,
    offset: lineOffset + error.column - 1,
  };
  if (error.reason.startsWith("trying to redefine")) return redefinition(at);
  return (
    otherFormat(at) ??
    deceptive(at) ??
    unclosed(at, error) ??
    unquotedValue(at) ?? {
      offset: at.offset,
      found: `invalid TOML (${error.reason})`,
      want: "a file in TOML 1.0",
    }
  );
}

/** The first spelling of TOML 1.1 in a text that the parser accepted. */
export function newerSyntaxFault(text: string): SyntaxFault | undefined {
  const first = walkToml(text).newer[0];
  if (first === undefined) return undefined;
  return {
    ...first,
    found: `${first.found}, which only TOML 1.1 has`,
    want: `TOML 1.0: ${first.want}`,
  };
}

/** The bytes from `index` on are not UTF-8. */
export function encodingFault(bytes: Uint8Array, index: number): SyntaxFault {
  const offset = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    bytes.subarray(0, index),
  ).length;
  const [first = 0, second = 0] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return { offset, found: "a file in UTF-16", want: "a TOML file in UTF-8" };
  }
  const byte = bytes[index]!;
  const latin = byte >= 0xa0 ? `; in Latin-1 it would be ${quoted(String.fromCharCode(byte))}` : "";
  const found = `the byte 0x${byte.toString(16)}, which is not UTF-8${latin}`;
  return { offset, found, want: "a TOML file in UTF-8" };
}

interface Place {
  readonly text: string;
  readonly lines: readonly string[];
  readonly line: string;
  readonly lineOffset: number;
  readonly offset: number;
}

function redefinition({ text, offset }: Place): SyntaxFault {
  const { definitions } = walkToml(text, offset + 1);
  const again = rereadDefinition(text, offset);
  const first = again === undefined ? undefined : firstDefinition(definitions, again);
  const want = "each key and table once";
  if (first === undefined) {
    return { offset, found: "a key or table that is already defined", want };
  }
  const line = text.slice(0, first.offset).split("\n").length;
  const column = [...text.slice(0, first.offset).split("\n").at(-1)!].length + 1;
  const isSameLine = line === text.slice(0, offset).split("\n").length;
  const place = isSameLine ? `column ${column} of this line` : `line ${line}, column ${column}`;
  return { offset, found: `${pathLabel(again!.path)} again, first defined in ${place}`, want };
}

/** The definition whose key begins at `offset`: the walk goes on to the end of its line. */
function rereadDefinition(text: string, offset: number): Definition | undefined {
  const end = text.indexOf("\n", offset);
  const { definitions } = walkToml(text, end === -1 ? text.length : end);
  return definitions.find((definition) => definition.offset === offset);
}

/** What `again` collides with: the same path, or one that is within the other. */
function firstDefinition(
  definitions: readonly Definition[],
  again: Definition,
): Definition | undefined {
  const earlier = definitions.filter(({ offset }) => offset < again.offset);
  const id = JSON.stringify(again.path);
  const inner = id.slice(0, -1);
  return (
    earlier.find(({ path }) => JSON.stringify(path) === id) ??
    // [listener] after [[listener]]: the same words, one of them with an index.
    earlier.find(({ path }) => namesOf(path) === namesOf(again.path)) ??
    earlier.find(({ path }) => JSON.stringify(path).startsWith(`${inner},`)) ??
    earlier.findLast(({ path }) => id.startsWith(`${JSON.stringify(path).slice(0, -1)},`))
  );
}

function namesOf(path: Definition["path"]): string {
  return JSON.stringify(path.filter((part) => typeof part === "string"));
}

const TOML_SAMPLE = 'TOML, such as threshold = "5s" below a line [observer]';

const YAML_LINE = /^\s*(- )?["']?[A-Za-z_][\w.-]*["']?:(\s|$)/;

/** A file that was written in the format of another program. */
function otherFormat({ text, lines }: Place): SyntaxFault | undefined {
  const told = lines.map((line) => line.replace(/\r$/, ""));
  const index = told.findIndex((line) => /\S/.test(line) && !/^\s*#/.test(line));
  if (index === -1) return undefined;
  const first = told[index]!;
  const rest = told.slice(index).filter((line) => /\S/.test(line) && !/^\s*#/.test(line));
  const hasTomlValue = rest.some((line) => /^\s*["'\w.-]+\s*=\s*["'[{]/.test(line));
  const where = (line: string) => lineStart(text, lines, told.indexOf(line));
  if (/^(---|%YAML|\s*- )/.test(first) || (!hasTomlValue && YAML_LINE.test(first))) {
    return { offset: where(first), found: "what looks like YAML", want: TOML_SAMPLE };
  }
  if (/^\s*\{\s*("|\}|$)/.test(first)) {
    return { offset: where(first), found: "what looks like JSON", want: TOML_SAMPLE };
  }
  const comment = rest.find((line) => /^\s*;/.test(line));
  const bare = rest.filter(
    (line) => isUnquoted(line.replace(/^[^=]*=\s*/, "")) && line.includes("="),
  );
  const colon = rest.find((line) => !hasTomlValue && YAML_LINE.test(line));
  const telling = comment ?? colon ?? (!hasTomlValue && bare.length > 1 ? bare[0] : undefined);
  if (telling === undefined) return undefined;
  const want = 'TOML: comments begin with #, and strings are in quotes, such as threshold = "5s"';
  return { offset: where(telling), found: "what looks like an INI file", want };
}

function lineStart(text: string, lines: readonly string[], index: number): number {
  const start = lines.slice(0, index).join("\n").length + (index > 0 ? 1 : 0);
  return start + /^\ufeff?\s*/.exec(text.slice(start))![0].length;
}

/**
 * A character that is not what it looks like: at the place itself, else the first in the rest of
 * its word.
 */
function deceptive({ text, lineOffset, line, offset }: Place): SyntaxFault | undefined {
  const character = String.fromCodePoint(text.codePointAt(offset) ?? 0x20);
  if (isDeceptive(character) || (character > "\u007f" && offset < text.length)) {
    const shown = isDeceptive(character) ? "" : `${quoted(character)}, `;
    const found = `${shown}${characterText(character)}`;
    return { offset, found, want: wantInsteadOf(character) };
  }
  const index = [...line].findIndex(isDeceptive);
  if (index === -1) return undefined;
  const before = [...line].slice(0, index).join("").length;
  // Within quotes it is as good as any other.
  if (/["']/.test(line.slice(0, before))) return undefined;
  const found = [...line][index]!;
  return { offset: lineOffset + before, found: characterText(found), want: wantInsteadOf(found) };
}

function isDeceptive(character: string): boolean {
  return characterName(character) !== undefined && !/[\r\n]/.test(character);
}

function wantInsteadOf(character: string): string {
  const name = characterName(character) ?? "";
  if (/quot|prime/.test(name)) return 'plain quotes: "..."';
  if (/space/.test(name) && !/zero/.test(name)) return "a plain space";
  if (/letter/.test(name)) return `the plain letter ${name.slice(-1)}`;
  if (/invisible|control/.test(name)) return "nothing there";
  if (/dash|hyphen|minus/.test(name)) return "a plain -";
  return "plain ASCII outside of quotes";
}

function unclosed(
  { line, offset }: Place,
  { reason, column }: SyntaxError,
): SyntaxFault | undefined {
  if (!reason.startsWith("control characters") || column <= line.replace(/\r$/, "").length) {
    return undefined;
  }
  const want = "a closing quote before the end of the line";
  return { offset, found: "a string that is not closed", want };
}

/** `threshold = 5s`, `level = info`: a string whose quotes were left out. */
function unquotedValue({ text, line, lineOffset, offset }: Place): SyntaxFault | undefined {
  const equals = line.indexOf("=");
  if (equals === -1 || lineOffset + equals >= offset) return undefined;
  const start = equals + 1 + /^\s*/.exec(line.slice(equals + 1))![0].length;
  const value = line.slice(start).replace(/\s*(#.*)?\r?$/, "");
  if (!isUnquoted(value)) return undefined;
  // The value of a variable may be a secret.
  if (walkToml(text, offset).definitions.at(-1)?.path.includes("env")) {
    return {
      offset: lineOffset + start,
      found: "a value without quotes",
      want: "a string in quotes",
    };
  }
  const found = `${value} without quotes`;
  const at = lineOffset + start;
  if (/^(yes|on|true)$/i.test(value)) return { offset: at, found: value, want: "true" };
  if (/^(no|off|false)$/i.test(value)) return { offset: at, found: value, want: "false" };
  const kind = DURATION_PATTERN.test(value) ? "a duration in quotes" : "a string in quotes";
  return { offset: at, found, want: `${kind}: ${quoted(value)}` };
}

/** A value that only lacks its quotes: no number, no TOML of any kind. */
function isUnquoted(value: string): boolean {
  if (value === "" || value.length > UNQUOTED_LENGTH_MAX) return false;
  if (/^(true|false|[+-]?(inf|nan))$/.test(value)) return false;
  if (/^[+-]?[0-9_]+(\.[0-9_]+)?([eE][+-]?[0-9]+)?$/.test(value)) return /^0[0-9]+$/.test(value);
  return /^[\w./:@%+-][\w ./:@%+,-]*$/.test(value) && !/^[\d-]+[T ][\d:.]+/.test(value);
}
