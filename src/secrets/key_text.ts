// The text of keys (spec 02 section 3): one key of 64 hex digits, or a list with one per line,
// comments after "#". Read from bytes and not from strings, because bytes can be wiped; what is
// wrong is described by a length or one character and its place, never by a digit of a key.
import { KEY_BYTES } from "../wire/secure_frame.ts";

const KEY_DIGITS = KEY_BYTES * 2;
const LF = 0x0a;
const HASH = 0x23;

export type ParsedKey =
  | { readonly ok: true; readonly key: Uint8Array }
  /** Completes "found FOUND". */
  | { readonly ok: false; readonly found: string };

/** A line of a list that is neither blank nor a comment. */
export interface KeyLine {
  /** From 1. */
  readonly line: number;
  readonly parsed: ParsedKey;
}

/** The 32 bytes of exactly 64 hex digits, in either case. The key is an array of its own. */
export function parseKey(text: Uint8Array): ParsedKey {
  if (text.length !== KEY_DIGITS) return wrongKey(text);
  const key = new Uint8Array(KEY_BYTES);
  for (let i = 0; i < KEY_BYTES; i++) {
    const high = digitValue(text[2 * i]!);
    const low = digitValue(text[2 * i + 1]!);
    if (high < 0 || low < 0) {
      key.fill(0);
      return wrongKey(text);
    }
    key[i] = high * 16 + low;
  }
  return { ok: true, key };
}

/** Every line of a list that should hold a key. */
export function parseKeyList(text: Uint8Array): KeyLine[] {
  const lines: KeyLine[] = [];
  for (let start = 0, line = 1; start < text.length; line++) {
    const lineFeed = text.indexOf(LF, start);
    const end = lineFeed < 0 ? text.length : lineFeed;
    const whole = text.subarray(start, end);
    const comment = whole.indexOf(HASH);
    const content = trimmed(comment < 0 ? whole : whole.subarray(0, comment));
    if (content.length > 0) lines.push({ line, parsed: parseKey(content) });
    start = end + 1;
  }
  return lines;
}

/** `bytes` without the white space around its content; a view of the same memory. */
export function trimmed(bytes: Uint8Array): Uint8Array {
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes[start]!)) start++;
  while (end > start && isSpace(bytes[end - 1]!)) end--;
  return bytes.subarray(start, end);
}

// What is no key may become a string. Characters are what a person counts.
function wrongKey(bytes: Uint8Array): ParsedKey {
  const text = Buffer.from(bytes).toString("utf8");
  if (text.length !== KEY_DIGITS) return { ok: false, found: `${text.length} characters` };
  const wrongAt = text.search(/[^0-9a-fA-F]/);
  return { ok: false, found: `${JSON.stringify(text[wrongAt])} at position ${wrongAt + 1}` };
}

/** 0 to 15, or -1 for what is no hex digit. */
function digitValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
