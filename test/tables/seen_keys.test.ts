import { describe, expect, test } from "bun:test";
import { SeenKeys } from "../../src/tables/seen_keys.ts";

const COUNT = 100_000;

describe("SeenKeys", () => {
  test("knows each key that it has met, as a Set does", () => {
    const keys = new SeenKeys(COUNT);
    const twin = new Set<number>();
    let random = 1;
    let sameAnswers = 0;
    for (let index = 0; index < COUNT; index++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const key = random % (COUNT / 2);
      const isNew = !twin.has(key);
      twin.add(key);
      if (keys.add(key) === isNew) sameAnswers += 1;
    }
    expect(sameAnswers).toBe(COUNT);
  });

  test.each([0, 1, 0xffff_fffe, 0xffff_ffff])("meets the key %d once", (key) => {
    const keys = new SeenKeys(1);
    expect([keys.add(key), keys.add(key)]).toEqual([true, false]);
  });

  test("has places for all keys that rise by one, as pids do", () => {
    const keys = new SeenKeys(COUNT);
    for (let key = 1; key <= COUNT; key++) keys.add(key);
    const again = Array.from({ length: COUNT }, (_, index) => keys.add(index + 1));
    expect(again.filter(Boolean)).toHaveLength(0);
  });

  test("is full without an end of its search: what has no place is met each time", () => {
    const keys = new SeenKeys(1);
    expect([keys.add(1), keys.add(2), keys.add(3), keys.add(3)]).toEqual([true, true, true, true]);
    expect(keys.add(1)).toBe(false);
  });
});
