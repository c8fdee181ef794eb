import { describe, expect, test } from "bun:test";
import { FAMILIES } from "../support/metric_families.ts";

describe("METRIC_BLOCKS", () => {
  test.each(FAMILIES.map((family) => [family.name, family] as const))(
    "%s keeps the naming rules",
    (name, family) => {
      expect(name).toMatch(/^(varta|process)(_[a-z0-9]+)+$/);
      expect(name.endsWith("_total")).toBe(family.type === "counter");
      expect(name).not.toMatch(/_(sum|count|bucket)$/);
      expect(name).not.toMatch(/_(ns|ms|us|milliseconds|nanoseconds|minutes|kilobytes|kb)(_|$)/);
      expect(name).not.toMatch(/counter|gauge|histogram|summary/);
      expect(family.help).toMatch(/^[A-Z].*\.$/);
      expect(family.help).not.toContain("\n");
      expect(family.values.length > 0).toBe(family.label !== "");
      // Whole seconds would lose what comes a part of one at a time.
      if (family.type !== "histogram")
        expect(family.decimals > 0).toBe(/_(seconds|ratio)/.test(name));
    },
  );

  test("no family is named twice, but the one in which agents and pids have rows", () => {
    const names = FAMILIES.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([
      "varta_agent_last_beat_timestamp_seconds",
    ]);
  });

  test("label values are bounded words", () => {
    for (const { values } of FAMILIES) {
      for (const value of values) expect(value).toMatch(/^[a-z_]+$/);
    }
  });

  test("bounds ascend", () => {
    for (const { bounds } of FAMILIES) {
      const numbers = bounds.map(Number);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });
});
