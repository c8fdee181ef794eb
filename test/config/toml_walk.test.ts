// The walk is held against a whole parser that keeps positions and knows TOML 1.0 from 1.1, on
// documents made at random.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "smol-toml";
import { type AST, parseTOML } from "toml-eslint-parser";
import { walkToml } from "../../src/config/toml_walk.ts";

interface Piece {
  readonly text: string;
}

const piece = (...texts: string[]): fc.Arbitrary<Piece> =>
  fc.constantFrom(...texts).map((text) => ({ text }));

const scalar = piece(
  "1",
  "true",
  '"a"',
  "'a \\e # {'",
  '"\\u0041 \\\\x"',
  '"\\e"',
  '"\\x41"',
  '""',
  '"""\nx = { , }\n\\\n  y"""',
  '"""a"""""',
  "'''\n[a]\n'''",
  "07:32:00",
  "07:32",
  "1979-05-27T07:32:00+01:00",
  "1979-05-27 07:32",
  "1979-05-27T07:32:00.5Z",
  "1979-05-27",
);
const space = piece("", " ", "\t").map(({ text }) => text);
const lineEnd = fc.constantFrom("", "", "", "\n", " # c }\n", "\r\n");

const { value } = fc.letrec<{ value: Piece; array: Piece; table: Piece }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    tie("array"),
    tie("table"),
  ),
  array: fc
    .tuple(fc.array(tie("value"), { maxLength: 3 }), lineEnd, fc.boolean())
    .map(([items, end, comma]) => {
      const inner = items.map(({ text }) => text + end).join(`,${end}`);
      return { text: `[${end}${inner}${comma && items.length > 0 ? "," : ""}${end}]` };
    }),
  table: fc
    .tuple(fc.array(tie("value"), { maxLength: 3 }), lineEnd, fc.boolean(), space)
    .map(([items, end, comma, gap]) => {
      const inner = items
        .map(({ text }, index) => `k${index}${gap}= ${text}${end}`)
        .join(`,${gap}`);
      return { text: `{${gap}${inner}${comma && items.length > 0 ? "," : ""}${gap}}` };
    }),
}));

const line = fc.oneof(
  fc
    .tuple(fc.constantFrom("a", "b", '"x y"', "'q'", "d.e", 'f . "g"'), value)
    .map(([key, { text }]) => `${key} = ${text}`),
  fc.constantFrom("[t]", "[ t.u ]", "[[l]]", "[l.m]", "[[l.n]]", "# [no]", ""),
);
const documents = fc
  .array(line, { maxLength: 8 })
  .map((lines) => lines.join("\n"))
  .filter(isToml);

function isToml(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function isToml10(text: string): boolean {
  try {
    parseTOML(text, { tomlVersion: "1.0" });
    return true;
  } catch {
    return false;
  }
}

/** Offset of every key and header by the other parser, in order. */
function offsets(text: string): number[] {
  const found: number[] = [];
  function visit(node: AST.TOMLNode): void {
    if (node.type === "TOMLTable" || node.type === "TOMLKeyValue") found.push(node.key.range[0]);
    if (node.type === "TOMLTable" || node.type === "TOMLInlineTable") node.body.forEach(visit);
    if (node.type === "TOMLKeyValue") visit(node.value);
    if (node.type === "TOMLArray") node.elements.forEach(visit);
  }
  parseTOML(text, { tomlVersion: "1.1" }).body[0].body.forEach(visit);
  return found.sort((a, b) => a - b);
}

describe("walkToml()", () => {
  test("finds what is of TOML 1.1 exactly where a parser of 1.0 finds a fault", () => {
    let newer = 0;
    fc.assert(
      fc.property(documents, (text) => {
        const found = walkToml(text).newer.length > 0;
        if (found) newer++;
        expect(found).toBe(!isToml10(text));
      }),
      { numRuns: 1_000 },
    );
    expect(newer).toBeGreaterThan(100);
  });

  test("finds every key and header at the place where a whole parser has it", () => {
    fc.assert(
      fc.property(documents, (text) => {
        expect(walkToml(text).definitions.map(({ offset }) => offset)).toEqual(offsets(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test("counts the tables of an array, and names what is within each", () => {
    const text = '[[l]]\na = 1\n[[l]]\n[l.m]\nb.c = { d = [{ e = 1 }] }\n"x y" = 1\n';
    expect(walkToml(text).definitions.map(({ path }) => path)).toEqual([
      ["l", 0],
      ["l", 0, "a"],
      ["l", 1],
      ["l", 1, "m"],
      ["l", 1, "m", "b", "c"],
      ["l", 1, "m", "b", "c", "d"],
      ["l", 1, "m", "b", "c", "d", 0, "e"],
      ["l", 1, "m", "x y"],
    ]);
  });

  test("ends on any text, at whatever place it is told to stop", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."[]{}=,.\"'\\#\n ae1:-") }),
        fc.nat(40),
        (text, end) => {
          walkToml(text, Math.min(end, text.length));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
