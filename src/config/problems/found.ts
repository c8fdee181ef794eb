// The words for a value that was found in a configuration: what the middle of "found X; want Y"
// says (spec 07 section 4). Values are escaped and cut, and the content of arrays and tables is
// never shown.
import { escapedCode, UNPRINTABLE_CLASS } from "../../base/unprintable.ts";
import { characterText, deceptiveCharacter } from "./characters.ts";

/**
 * A TOML float: kept apart from integers, because 5.0 is not accepted where an integer is wanted.
 */
export class TomlFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export type ValueKind = "string" | "integer" | "string or integer" | "boolean" | "array" | "table";

/** Longest piece of a found string that a message repeats. */
const FOUND_CODE_POINTS_MAX = 80;

/** `value` in words, for a key that wants a value of `wanted` kind. */
export function foundText(value: unknown, wanted: ValueKind): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") {
    if (wanted.startsWith("string")) return quoted(value) + hiddenRemark(value);
    return wanted === "array" || wanted === "table" ? "a string" : `the string ${quoted(value)}`;
  }
  if (typeof value === "number" || typeof value === "bigint") {
    return wanted.endsWith("integer") ? String(value) : `the integer ${value}`;
  }
  if (typeof value === "boolean")
    return wanted === "boolean" ? String(value) : `the boolean ${value}`;
  if (value instanceof TomlFloat) return `the float ${floatText(value.value)}`;
  if (value instanceof Date) return "a date or time";
  if (Array.isArray(value)) return arrayText(value.length, wanted);
  return "a table";
}

/** The remark about a character of a string that a person cannot see for what it is. */
export function hiddenRemark(value: string): string {
  if (value.includes("\0")) return " (with a NUL)";
  const character = deceptiveCharacter(value);
  return character === undefined ? "" : ` (with ${characterText(character)})`;
}

/**
 * `text` in double quotes, control characters, quotes and backslashes escaped, cut if it is long.
 */
export function quoted(text: string): string {
  const points = [...text];
  const cut = points.length > FOUND_CODE_POINTS_MAX;
  const shown = cut ? points.slice(0, FOUND_CODE_POINTS_MAX).join("") : text;
  return `"${escaped(shown)}${cut ? "..." : ""}"`;
}

/** A path in a message: bare if it is plain, else quoted. */
export function pathText(path: string): string {
  return /^[\w./@:+,-]+$/.test(path) ? path : `"${escaped(path)}"`;
}

/** "a", "a or b", "a, b or c". */
export function alternatives(words: readonly string[], last = "or"): string {
  if (words.length <= 1) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${last} ${words[words.length - 1]}`;
}

/** Octal text of a file mode as ls-lovers know it: 0644. */
export function modeText(mode: number): string {
  return `0${(mode & 0o777).toString(8).padStart(3, "0")}`;
}

function floatText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function arrayText(length: number, wanted: ValueKind): string {
  if (wanted !== "array") return "an array";
  return length === 0 ? "an empty array" : `an array of ${length} item${length === 1 ? "" : "s"}`;
}

/**
 * What a terminal would obey, and spaces that are not the plain one: neither can be seen in a
 * message.
 */
const HIDDEN = new RegExp(`[${UNPRINTABLE_CLASS}]|(?! )\\p{Zs}`, "gu");

function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replace(HIDDEN, escapedCode);
}
