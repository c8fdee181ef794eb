import { describe, expect, test } from "bun:test";
import { saturatingAdd, saturatingSub } from "../../src/base/saturating.ts";

const MAX = Number.MAX_SAFE_INTEGER;

describe("saturatingAdd()", () => {
  test.each([
    [0, 0, 0],
    [1, 2, 3],
    [MAX - 1, 1, MAX],
    [MAX, 0, MAX],
    [MAX, 1, MAX],
    [MAX, MAX, MAX],
  ])("%d + %d is %d", (a, b, sum) => {
    expect(saturatingAdd(a, b)).toBe(sum);
  });
});

describe("saturatingSub()", () => {
  test.each([
    [5, 3, 2],
    [3, 3, 0],
    [3, 5, 0],
    [0, Number.POSITIVE_INFINITY, 0],
    [5, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("%d - %d is %d", (a, b, difference) => {
    expect(saturatingSub(a, b)).toBe(difference);
  });
});
