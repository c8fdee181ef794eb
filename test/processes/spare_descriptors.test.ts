import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { SpareDescriptors } from "../../src/processes/spare_descriptors.ts";
import { openDescriptors } from "../support/descriptors.ts";

/** Threads of the runtime open and close others. */
function nulls(): string[] {
  return [...openDescriptors()].filter((one) => one.endsWith(" /dev/null"));
}

test("SpareDescriptors gives its two up for an attempt that is short of one, and has them back afterwards", () => {
  const spares = new SpareDescriptors();
  const before = nulls();
  const missing: number[] = [];
  const result = spares.use(
    () => {
      missing.push(before.length - nulls().length);
      return missing.length === 1 ? "short" : "done";
    },
    (answer) => answer === "short",
  );
  expect(result).toBe("done");
  expect(missing).toEqual([0, 2]);
  expect(nulls()).toHaveLength(before.length);
});

test("SpareDescriptors tries once more and no more", () => {
  let attempts = 0;
  expect(
    new SpareDescriptors().use(
      () => ++attempts,
      () => true,
    ),
  ).toBe(2);
});

test("SpareDescriptors has them back after an attempt that throws", () => {
  const spares = new SpareDescriptors();
  const before = nulls();
  const attempt = (() => {
    let attempts = 0;
    return () => {
      if (++attempts === 2) throw new Error("a mistake");
      const fd = openSync("/dev/null", "r");
      closeSync(fd);
      return "short";
    };
  })();
  expect(() => spares.use(attempt, (answer) => answer === "short")).toThrow("a mistake");
  expect(nulls()).toHaveLength(before.length);
});
