import { describe, expect, test } from "bun:test";
import { AllowList, allowListOf } from "../../src/listener/allow_list.ts";

describe("AllowList", () => {
  const list = new AllowList([1000, 1001], [50]);

  test.each([
    [1000, 7, true],
    [1001, 50, true],
    [7, 50, true],
    [7, 7, false],
    [50, 1000, false],
    [0, 0, false],
    [2 ** 32 - 1, 2 ** 32 - 1, false],
  ])(
    "allows(uid %d, gid %d) is %p: the uid or the primary gid must be listed",
    (uid, gid, passes) => {
      expect(list.allows(uid, gid)).toBe(passes);
    },
  );
});

describe("allowListOf()", () => {
  test("without uids and gids there is no list, so every sender passes", () => {
    expect(allowListOf(undefined, undefined)).toBeUndefined();
  });

  test("an empty list lets no sender pass", () => {
    expect(allowListOf([], undefined)?.allows(0, 0)).toBe(false);
  });

  test("uids alone and gids alone make a list", () => {
    expect(allowListOf([5], undefined)?.allows(5, 9)).toBe(true);
    expect(allowListOf(undefined, [9])?.allows(5, 9)).toBe(true);
    expect(allowListOf(undefined, [9])?.allows(9, 5)).toBe(false);
  });
});
