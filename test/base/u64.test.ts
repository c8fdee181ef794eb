import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { u64FromPair, u64Greater, u64Hi, u64Lo, u64Text } from "../../src/base/u64.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const U64_MAX = 2n ** 64n - 1n;
const u64 = fc.oneof(
  fc.bigInt(0n, U64_MAX),
  fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, U64_MAX),
);

describe("u64 as two u32", () => {
  test("comes back as it was taken apart", () => {
    fc.assert(
      fc.property(u64, (value) => {
        expect(u64FromPair(u64Hi(value), u64Lo(value))).toBe(value);
        expect(u64Text(u64Hi(value), u64Lo(value))).toBe(value.toString());
      }),
      { numRuns: 300 },
    );
  });

  test("compares as the numbers do", () => {
    fc.assert(
      fc.property(u64, u64, (a, b) => {
        expect(u64Greater(u64Hi(a), u64Lo(a), u64Hi(b), u64Lo(b))).toBe(a > b);
        expect(u64Greater(u64Hi(a), u64Lo(a), u64Hi(a), u64Lo(a))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
