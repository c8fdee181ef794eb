// Globs against a regular expression that is made of them here, where no attacker writes them.
import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { coversGlob, matchesAnyGlob, matchesGlob } from "../../src/base/glob.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const WILDCARDS: Readonly<Record<string, string>> = { "*": ".*", "?": "." };

test.each([
  ["worker@*.service", "worker@1.service", true],
  ["worker@*.service", "worker@.service", true],
  ["worker@*.service", "worker.service", false],
  ["worker@*.service", "worker@1.service.d", false],
  ["app?.service", "app1.service", true],
  ["app?.service", "app12.service", false],
  ["app.service", "appXservice", false],
  ["*.service", "cron.service", true],
  ["dev-a\\x2d*.service", "dev-a\\x2db.service", true],
])("matchesGlob() of %p and %p is %p", (glob, name, expected) => {
  expect(matchesGlob(glob, name)).toBe(expected);
});

test("matchesAnyGlob() takes the name that any glob matches, and none without globs", () => {
  expect(matchesAnyGlob(["a.service", "b*.service"], "bc.service")).toBe(true);
  expect(matchesAnyGlob([], "a.service")).toBe(false);
});

test("matchesGlob() is what the same pattern is as a regular expression", () => {
  const letters = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 8 });
  const names = fc.array(fc.constantFrom("a", "b"), { maxLength: 10 });
  fc.assert(
    fc.property(letters, names, (glob, name) => {
      const source = glob.map((letter) => WILDCARDS[letter] ?? letter).join("");
      const expected = new RegExp(`^${source}$`).test(name.join(""));
      expect(matchesGlob(glob.join(""), name.join(""))).toBe(expected);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["worker@*.service", "worker@1.service", true],
  ["*", "worker", true],
  ["worker*", "worker@*", true],
  ["worker@*", "worker*", false],
  ["a?*", "a*?", true],
  ["a?", "a*", false],
  ["a??", "a?", false],
  ["?", "a", true],
  ["a", "?", false],
])("coversGlob() of %p and %p is %p", (wide, narrow, expected) => {
  expect(coversGlob(wide, narrow)).toBe(expected);
});

test("coversGlob() is never true of a glob that takes a text which the other does not", () => {
  const globs = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 5 });
  const texts = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 7 });
  fc.assert(
    fc.property(globs, globs, texts, (one, other, letters) => {
      const [wide, narrow, text] = [one.join(""), other.join(""), letters.join("")];
      if (coversGlob(wide, narrow) && matchesGlob(narrow, text))
        expect(matchesGlob(wide, text)).toBe(true);
    }),
    { numRuns: atLength(400, 4_000) },
  );
});
