import { expect, test } from "bun:test";
import { sameLineage } from "../../src/processes/generation.ts";

test("sameLineage() takes only two known and different generations for different processes", () => {
  expect(sameLineage(1, 1)).toBe(true);
  expect(sameLineage(1, 2)).toBe(false);
  expect(sameLineage(NaN, 2)).toBe(true);
  expect(sameLineage(1, NaN)).toBe(true);
  expect(sameLineage(NaN, NaN)).toBe(true);
});
