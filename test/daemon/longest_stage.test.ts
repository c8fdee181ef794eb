// Which stage of a turn took long (spec 12 sections 1 and 8.1).
import { expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import { LongestStage } from "../../src/daemon/longest_stage.ts";

function subject(): { longest: LongestStage; told: string[] } {
  const told: string[] = [];
  return {
    longest: new LongestStage((stage, ns) => told.push(`${stage} ${ns / NS_PER_MS}`)),
    told,
  };
}

test("the longest of those that took 50 ms is named once", () => {
  const { longest } = subject();
  longest.turned(49 * NS_PER_MS, 0, 0, 49 * NS_PER_MS);
  expect(longest.take()).toBeUndefined();
  longest.turned(60 * NS_PER_MS, 0, 80 * NS_PER_MS, 0);
  longest.took("serve", 70 * NS_PER_MS);
  expect(longest.take()).toBe("reap");
  expect(longest.take()).toBeUndefined();
  longest.received(50 * NS_PER_MS);
  expect(longest.take()).toBe("receive");
});

test("a stage over its limit is told: a second, or two where it takes beats or starts children", () => {
  const { longest, told } = subject();
  longest.turned(2_000 * NS_PER_MS, 2_000 * NS_PER_MS, 1_000 * NS_PER_MS, 1_000 * NS_PER_MS);
  expect(told).toEqual([]);
  longest.turned(2_001 * NS_PER_MS, 2_002 * NS_PER_MS, 1_001 * NS_PER_MS, 1_002 * NS_PER_MS);
  expect(told).toEqual(["receive 2001", "recover 2002", "reap 1001", "maintain 1002"]);
});
