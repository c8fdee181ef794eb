import { describe, expect, test } from "bun:test";
import { escapeUnprintable, isUnprintable } from "../../src/base/unprintable.ts";

const CODE_POINT_MAX = 0x10ffff;

describe("escapeUnprintable()", () => {
  test("leaves plain text of any language alone", () => {
    const text = 'plain "x" \\ größe 日本 😀 \u00a0';
    expect(escapeUnprintable(text)).toBe(text);
  });

  test("writes control, separator and format characters as JSON would have them", () => {
    const text =
      "\0\t\n\u007f\u0080\u009b\u009f\u00ad\u061c\u200e\u202a\u202e\u2028\u2029\u2066\u2069\ufeff\u{e0001}";
    const escaped = escapeUnprintable(text);
    expect(escaped).toMatch(/^(\\u[0-9a-f]{4})+$/);
    expect(JSON.parse(`"${escaped}"`)).toBe(text);
  });
});

test("isUnprintable() says of every code point what escapeUnprintable() does", () => {
  for (let code = 0; code <= CODE_POINT_MAX; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    const isEscaped = escapeUnprintable(character) !== character;
    if (isEscaped !== isUnprintable(code))
      expect({ code, isEscaped }).toEqual({ code, isEscaped: !isEscaped });
  }
});
