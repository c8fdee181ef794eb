import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { DayCounts } from "../../src/metrics/day_counts.ts";

const HOUR_NS = 3_600 * NS_PER_S;

describe("the counts of a day", () => {
  test("have what was within it, and forget half-hours that are a day old", () => {
    const counts = new DayCounts();
    counts.add(0);
    counts.add(HOUR_NS);
    counts.add(HOUR_NS + 1);
    expect(counts.count(23.4 * HOUR_NS)).toBe(3);
    expect(counts.count(24 * HOUR_NS)).toBe(2);
    expect(counts.count(25 * HOUR_NS)).toBe(0);
    counts.add(49 * HOUR_NS);
    expect(counts.count(49 * HOUR_NS)).toBe(1);
  });

  test("are none after days in which nothing happened", () => {
    const counts = new DayCounts();
    for (let hour = 0; hour < 48; hour++) counts.add(hour * HOUR_NS);
    expect(counts.count(48 * HOUR_NS)).toBe(23);
    expect(counts.count(4_000 * HOUR_NS)).toBe(0);
  });
});
