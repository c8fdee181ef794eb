// Keys as text: what is one, and what may be said about what is not.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { parseKey, parseKeyList, trimmed } from "../../src/secrets/key_text.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const K1 = "0123456789abcdef".repeat(4);
const K2 = "fedcba9876543210".repeat(4);
const K3 = "a5".repeat(32);

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function parse(text: string) {
  return parseKey(bytesOf(text));
}

describe("parseKey()", () => {
  test("reads 64 hex digits in either case", () => {
    for (const text of [K1, K1.toUpperCase(), K3]) {
      const parsed = parse(text);
      expect(parsed.ok && parsed.key.toHex()).toBe(text.toLowerCase());
    }
  });

  test("reports a wrong length, and the first wrong character with its place", () => {
    expect(parse("")).toEqual({ ok: false, found: "0 characters" });
    expect(parse(K1.slice(1))).toEqual({ ok: false, found: "63 characters" });
    expect(parse(`${K1}0`)).toEqual({ ok: false, found: "65 characters" });
    expect(parse(`${K1.slice(0, 9)}g${K1.slice(10)}`)).toEqual({
      ok: false,
      found: '"g" at position 10',
    });
    expect(parse(` ${K1.slice(1)}`)).toEqual({ ok: false, found: '" " at position 1' });
    expect(parse(`${K1.slice(0, 63)}\n`)).toEqual({
      ok: false,
      found: '"\\n" at position 64',
    });
  });

  test("takes nothing else for a key", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 64, maxLength: 64, unit: "grapheme" }), (text) => {
        expect(parse(text).ok).toBe(/^[0-9a-fA-F]{64}$/.test(text));
      }),
    );
  });
});

describe("parseKeyList()", () => {
  test("finds one key per line, between blanks and comments, and counts the lines from 1", () => {
    const list = parseKeyList(
      bytesOf(`# old\n\n ${K1} # until May\r\n\t${K2.toUpperCase()}\n#\n${K3}`),
    );
    expect(list.map(({ line, parsed }) => [line, parsed.ok && parsed.key.toHex()])).toEqual([
      [3, K1],
      [4, K2],
      [6, K3],
    ]);
  });

  test("reports each line that holds something else", () => {
    expect(parseKeyList(bytesOf(`${K1}${K2}\nxyz # ${K1}\n${K1}`))).toMatchObject([
      { line: 1, parsed: { ok: false, found: "128 characters" } },
      { line: 2, parsed: { ok: false, found: "3 characters" } },
      { line: 3, parsed: { ok: true } },
    ]);
  });

  test("finds nothing in nothing", () => {
    for (const text of ["", "\n", "# a\n \t\n"]) expect(parseKeyList(bytesOf(text))).toEqual([]);
  });

  test("does as a split into lines would, over any text", () => {
    const unit = fc.constantFrom("a", "#", "\n", " ", "\t", K1, K2, "é");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        const wanted = text
          .split("\n")
          .map((line, index) => ({ line: index + 1, text: line.replace(/#.*/s, "").trim() }))
          .filter(({ text: content }) => content !== "");
        const found = parseKeyList(bytesOf(text));
        expect(found.map(({ line }) => line)).toEqual(wanted.map(({ line }) => line));
        expect(found.map(({ parsed }) => parsed.ok)).toEqual(
          wanted.map(({ text: content }) => /^[0-9a-fA-F]{64}$/.test(content)),
        );
      }),
    );
  });
});

test("trimmed() is a view of the same memory, so that it can be wiped there", () => {
  const bytes = bytesOf(" \t\r\nkey\v\f\n");
  const key = trimmed(bytes);
  expect(new TextDecoder().decode(key)).toBe("key");
  key.fill(0);
  expect(bytes.subarray(4, 7)).toEqual(new Uint8Array(3));
  expect(trimmed(bytesOf(" \n"))).toHaveLength(0);
});
