import { describe, expect, test } from "bun:test";
import {
  characterName,
  characterText,
  deceptiveCharacter,
} from "../../../src/config/problems/characters.ts";

describe("characterText()", () => {
  test.each([
    ["\u00a0", "U+00A0, a non-breaking space"],
    ["\u202f", "U+202F, a space of another kind"],
    ["\u201c", "U+201C, a curly quote"],
    ["\u0435", "U+0435, a Cyrillic letter that looks like e"],
    ["\u03bf", "U+03BF, a Greek letter that looks like o"],
    ["\u041d", "U+041D, a Cyrillic letter that looks like H"],
    ["\uff1d", "U+FF1D, a full-width character"],
    ["\u202e", "U+202E, an invisible character"],
    ["\u009b", "U+009B, a control character"],
    ["\u{e0041}", "U+E0041, an invisible character"],
    ["ö", "U+00F6"],
  ])("calls %p %s", (character, text) => {
    expect(characterText(character)).toBe(text);
  });
});

test("plain characters, and letters that are what they look like, have no name", () => {
  for (const character of [..."aZ09 _-=\"'#\t", "ö", "日", "я", "😀"])
    expect(characterName(character)).toBeUndefined();
  expect(deceptiveCharacter("größe 日本")).toBeUndefined();
  expect(deceptiveCharacter("a\u200bb")).toBe("\u200b");
});
