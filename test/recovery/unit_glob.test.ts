// Globs against a regular expression that is made of them here, where no attacker writes them.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { matchesUnit } from "../../src/recovery/unit_glob.ts";

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
])("matchesUnit() of %p and %p is %p", (glob, name, expected) => {
  expect(matchesUnit([glob], name)).toBe(expected);
});

test("matchesUnit() takes the name that any glob matches, and none without globs", () => {
  expect(matchesUnit(["a.service", "b*.service"], "bc.service")).toBe(true);
  expect(matchesUnit([], "a.service")).toBe(false);
});

test("matchesUnit() is what the same pattern is as a regular expression", () => {
  const letters = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 8 });
  const names = fc.array(fc.constantFrom("a", "b"), { maxLength: 10 });
  fc.assert(
    fc.property(letters, names, (glob, name) => {
      const source = glob.map((letter) => WILDCARDS[letter] ?? letter).join("");
      const expected = new RegExp(`^${source}$`).test(name.join(""));
      expect(matchesUnit([glob.join("")], name.join(""))).toBe(expected);
    }),
    { numRuns: 500 },
  );
});
