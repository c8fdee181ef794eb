import { describe, expect, test } from "bun:test";
import { noWords } from "../../src/tracker/said_words.ts";
import { saidText, saidView } from "../../src/view/said_view.ts";

describe("saidView()", () => {
  test("is null of who has said nothing that is worth a word", () => {
    expect(saidView(undefined)).toBeNull();
    expect(saidView({ ...noWords(), isSpokenFor: true })).toBeNull();
  });

  test("has no character that a terminal obeys", () => {
    const status = "a\u001b[31mb\nc\u202ed\u0000\u009b";
    const { text } = saidView({ ...noWords(), status })!;
    expect(text).toBe("a\\u001b[31mb\\u000ac\\u202ed\\u0000\\u009b");
  });
});

test("saidText() is what a person reads of it", () => {
  const all = { text: "382 requests", reloading: true, errno: 13, triggered: true };
  expect(saidText(all)).toBe('"382 requests", reloading, error 13, WATCHDOG=trigger');
  expect(saidText({ text: "", reloading: true, errno: 0, triggered: false })).toBe("reloading");
});
