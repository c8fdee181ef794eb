// The budgets of a turn (spec 10 section 4), and what a reload of the configuration changes.
import { describe, expect, test } from "bun:test";
import {
  RECOVERY_EVALUATIONS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
} from "../../src/base/limits.ts";
import { EndlessStalls, recoveryHarness, ScriptedRunner, stallOf, T0, waiting } from "./harness.ts";

describe("Recovery.decide()", () => {
  /** Decides as many stalls as the turn allows, from `firstPid` on. */
  function turn(
    recovery: ReturnType<typeof recoveryHarness>["recovery"],
    firstPid: number,
  ): number {
    const stalls = new EndlessStalls(firstPid);
    recovery.decide(stalls, T0);
    return stalls.taken;
  }

  test("ends a turn after 16 spawns, and counts it once", () => {
    const runner = new ScriptedRunner();
    const { recovery } = recoveryHarness({ runner });
    expect(turn(recovery, 100)).toBe(RECOVERY_SPAWNS_PER_TURN_MAX);
    expect(recovery.counted("spawnBudgetExceeded")).toBe(1);
    expect(turn(recovery, 200)).toBe(16);
    expect(recovery.counted("spawnBudgetExceeded")).toBe(2);
    expect(runner.spawnCount).toBe(32);
  });

  test("counts a failed spawn as an attempt", () => {
    const runner = new ScriptedRunner();
    runner.spawnError = "EAGAIN";
    expect(turn(recoveryHarness({ runner }).recovery, 100)).toBe(16);
  });

  test("does not count a turn in which the 16th spawn was the last stall", () => {
    const { recovery } = recoveryHarness({ runner: new ScriptedRunner() });
    const stalls = Array.from({ length: 16 }, (_, at) => stallOf({ pid: 100 + at }));
    recovery.decide(
      waiting(() => stalls.shift()),
      T0,
    );
    expect(stalls).toEqual([]);
    expect(recovery.counted("spawnBudgetExceeded")).toBe(0);
  });

  test("ends a turn after 256 decisions that start nothing, uncounted", () => {
    const { recovery } = recoveryHarness({ runner: new ScriptedRunner(), freshness: () => 1 });
    expect(turn(recovery, 1000)).toBe(RECOVERY_EVALUATIONS_PER_TURN_MAX);
    expect(recovery.counted("spawnBudgetExceeded")).toBe(0);
  });
});
