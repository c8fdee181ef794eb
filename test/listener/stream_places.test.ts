import { describe, expect, test } from "bun:test";
import { CLOSE_LIMIT, CLOSE_LIMIT_PID, CLOSE_LIMIT_UID } from "../../src/listener/stream_close.ts";
import { StreamPlaces } from "../../src/listener/stream_places.ts";

/** How many of `wanted` places were given before the first refusal, and that. */
function fill(places: StreamPlaces, wanted: number, who: (i: number) => [number, number]) {
  for (let i = 0; i < wanted; i++) {
    const refusal = places.take(...who(i));
    if (refusal >= 0) return { given: i, refusal };
  }
  return { given: wanted, refusal: -1 };
}

describe("StreamPlaces", () => {
  test("one process has 16, and others of its user go on", () => {
    const places = new StreamPlaces();
    expect(fill(places, 20, () => [7, 100])).toEqual({ given: 16, refusal: CLOSE_LIMIT_PID });
    expect(places.take(7, 101)).toBe(-1);
  });

  test("one user has 1,024, and others go on", () => {
    const places = new StreamPlaces();
    const found = fill(places, 2_000, (i) => [7, 100 + i]);
    expect(found).toEqual({ given: 1_024, refusal: CLOSE_LIMIT_UID });
    expect(places.take(8, 100)).toBe(-1);
  });

  test("all have 4,096", () => {
    const places = new StreamPlaces();
    const found = fill(places, 5_000, (i) => [i >> 9, 100 + i]);
    expect(found).toEqual({ given: 4_096, refusal: CLOSE_LIMIT });
  });

  test("the pid 0 of those whom the daemon cannot see is nobody's: their user bounds them", () => {
    const places = new StreamPlaces();
    expect(fill(places, 2_000, () => [7, 0]).given).toBe(1_024);
  });

  test("a place that is given back is there for the next one", () => {
    const places = new StreamPlaces();
    fill(places, 16, () => [7, 100]);
    places.give(7, 100);
    expect(places.count).toBe(15);
    expect(fill(places, 2, () => [7, 100])).toEqual({ given: 1, refusal: CLOSE_LIMIT_PID });
  });
});
