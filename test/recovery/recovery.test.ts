// The budgets of a turn (spec 10 section 4), and what a reload of the configuration changes.
import { describe, expect, test } from "bun:test";
import {
  RECOVERY_EVALUATIONS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
} from "../../src/base/limits.ts";
import {
  EndlessStalls,
  recoveryConfig,
  recoveryHarness,
  ScriptedRunner,
  stallOf,
  T0,
  waiting,
} from "./harness.ts";

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
    expect(recovery.takeSpawnBudgetExceeded()).toBe(1);
    expect(turn(recovery, 200)).toBe(16);
    expect(recovery.takeSpawnBudgetExceeded()).toBe(1);
    expect(recovery.takeSpawnBudgetExceeded()).toBe(0);
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
    expect(recovery.takeSpawnBudgetExceeded()).toBe(0);
  });

  test("ends a turn after 256 decisions that start nothing, uncounted", () => {
    const { recovery } = recoveryHarness({ runner: new ScriptedRunner(), freshness: () => 1 });
    expect(turn(recovery, 1000)).toBe(RECOVERY_EVALUATIONS_PER_TURN_MAX);
    expect(recovery.takeSpawnBudgetExceeded()).toBe(0);
  });
});

describe("Recovery.configure()", () => {
  test("takes a new command, environment, debounce and listener names over", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf({ pid: 1 }), T0);
    recovery.configure({
      config: recoveryConfig({ command: ["/bin/other", "{listener}"], debounceNs: 0 }),
      allowCrossNamespace: true,
      listenerNames: ["a", "b"],
    });
    recovery.decideOne(stallOf({ pid: 2, namespaceInode: NaN, thresholdNs: 1e9 }), T0);
    expect(runner.children[1]!.argv).toEqual(["/bin/other", "b"]);
    expect(runner.children[1]!.env["VARTA_THRESHOLD_MS"]).toBe("1000");
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0);
    recovery.decideOne(stallOf({ pid: 1 }), T0);
    expect(tell().at(-1)).toBe("spawn 1 child 1002");
  });

  test("without a command keeps its children and decides nothing", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner });
    expect(recovery.isEnabled).toBe(true);
    recovery.decideOne(stallOf(), T0);
    recovery.configure({
      config: recoveryConfig({ command: undefined }),
      allowCrossNamespace: false,
      listenerNames: [],
    });
    expect(recovery.isEnabled).toBe(false);
    tell();
    recovery.decideOne(stallOf({ pid: 2 }), T0);
    expect([tell(), runner.spawnCount]).toEqual([[], 1]);
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0);
    expect(tell().at(-1)).toBe("complete 4242 child 1000 reaped code 0 after 0ms");
  });
});
