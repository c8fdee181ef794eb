import { describe, expect, test } from "bun:test";
import { AssertionError, assert } from "../../src/base/assert.ts";

describe("assert()", () => {
  test("throws AssertionError with its message only if the condition is false", () => {
    expect(() => assert(true, "never told")).not.toThrow();
    expect(() => assert(false, "a slot is live")).toThrow(new AssertionError("a slot is live"));
  });
});
