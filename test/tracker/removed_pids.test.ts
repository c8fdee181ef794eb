import { describe, expect, test } from "bun:test";
import { Harness } from "./harness.ts";

describe("removed pids", () => {
  test("come back last in, first out, and then none", () => {
    const h = new Harness({ capacity: 2, policy: "balanced" });
    for (let pid = 1; pid <= 4; pid++) h.beat(pid, 1, pid * 5_000);
    expect(h.removedPids()).toEqual([2, 1]);
    expect(h.tracker.takeEvictedPid()).toBe(-1);
  });

  test("beyond one capacity are dropped and counted", () => {
    const h = new Harness({ capacity: 2, policy: "balanced" });
    for (let pid = 1; pid <= 7; pid++) h.beat(pid, 1, pid * 5_000);
    expect(h.removedPids()).toEqual([2, 1]);
    expect(h.takeMoved()).toEqual({ evictions: 5, removedPidDrops: 3 });
  });
});
