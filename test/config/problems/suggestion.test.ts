import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearest } from "../../../src/config/problems/suggestion.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

test("nearest() allows two edits, and one in words of up to four letters", () => {
  const known = ["capacity", "mode", "path", "name"];
  expect(nearest("capcity", known)).toBe("capacity");
  expect(nearest("kapazity", known)).toBe("capacity");
  expect(nearest("kapazitty", known)).toBeUndefined();
  expect(nearest("mod", known)).toBe("mode");
  expect(nearest("mdoe", known)).toBe("mode");
  expect(nearest("mo", known)).toBeUndefined();
  expect(nearest("zzzz", known)).toBeUndefined();
});

test("nearest() takes the first of equals", () => {
  expect(nearest("bat", ["cat", "hat"])).toBe("cat");
});

test("editDistance() agrees with the textbook recursion", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 5 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b)).toBe(slowDistance(a, b));
    }),
    { numRuns: 200 },
  );
});

/** Optimal string alignment, straight from its definition. */
function slowDistance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const same = a.at(-1) === b.at(-1);
  const options = [
    slowDistance(a.slice(0, -1), b) + 1,
    slowDistance(a, b.slice(0, -1)) + 1,
    slowDistance(a.slice(0, -1), b.slice(0, -1)) + (same ? 0 : 1),
  ];
  if (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)) {
    options.push(slowDistance(a.slice(0, -2), b.slice(0, -2)) + 1);
  }
  return Math.min(...options);
}
