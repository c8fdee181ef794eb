// Characters that a terminal obeys instead of showing, or that hide what a text says: control
// characters (C0, DEL and C1, of which U+009B begins a command just as ESC [ does), line and
// paragraph separators, and format characters, among them the bidi controls that turn the rest of a
// line around. Text that came from elsewhere goes to a person only with these written out.

/** One of them. Global, for `replace`; do not use with `test`. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same as a set for another pattern with the `u` flag. */
export const UNPRINTABLE_CLASS = "\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}";

/** `text` with each of them as an escape that JSON knows: \u009b; above U+FFFF as two of them. */
export function escapeUnprintable(text: string): string {
  return text.replace(UNPRINTABLE, escapedCode);
}

/** The escape of one character, by its UTF-16 units. */
export function escapedCode(character: string): string {
  let text = "";
  for (let index = 0; index < character.length; index++) {
    text += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return text;
}

/** Whether the character with this code is one of them, for text that is still bytes. */
export function isUnprintable(code: number): boolean {
  if (code < 0xa0) return code < 0x20 || code >= 0x7f;
  // None in most of the Latin alphabets, and none from the Chinese ones to the compatibility forms.
  if ((code < 0x600 && code !== 0xad) || (code >= 0x3000 && code < 0xfe00)) return false;
  return FORMAT.test(String.fromCodePoint(code));
}

const FORMAT = /[\p{Cf}\p{Zl}\p{Zp}]/u;
