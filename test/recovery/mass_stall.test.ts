// Five thousand agents that fall silent at once, in real turns: recoveries begin sixteen at a time,
// in order, each agent once, and the beats of all others are taken in the turn in which they come.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  RECOVERY_SPAWN_NS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
} from "../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { TickHarness } from "../daemon/harness.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { EndlessStalls, recoveryHarness, ScriptedRunner } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const SILENT = 5_000;
const STEADY = 50;
const FIRST_PID = 100;
const FIRST_STEADY_PID = 50_000;

describe("A mass stall", () => {
  test("is recovered sixteen at a time, while beats keep flowing", () => {
    const bed = new TickHarness({
      trackerCapacity: SILENT + STEADY,
      command: ["/bin/recover", "{pid}"],
    });
    const pids = (first: number, count: number) =>
      Array.from({ length: count }, (_, i) => first + i);
    const silent = pids(FIRST_PID, SILENT);
    const steady = pids(FIRST_STEADY_PID, STEADY);
    for (const pid of [...silent, ...steady]) bed.processes.set(pid, pid);
    for (let at = 0; at < SILENT; at += 64) {
      bed.listener.queue(silent.slice(at, at + 64).map((pid) => beatOf(pid)));
    }
    while (bed.observer.tracker.len < SILENT) bed.turn();
    bed.clock.ns += THRESHOLD_NS;

    const recovered: number[] = [];
    let turns = 0;
    while (recovered.length < SILENT) {
      turns += 1;
      bed.listener.queue(steady.map((pid) => beatOf(pid, { nonce: turns })));
      const diary = bed.turn();
      // All of them, whatever else the turn had to do.
      expect(diary).toContain(`export ${STEADY} rows`);
      const spawned = diary.filter((line) => line.startsWith("spawn "));
      expect(spawned.length).toBeLessThanOrEqual(RECOVERY_SPAWNS_PER_TURN_MAX);
      recovered.push(...spawned.map((line) => Number(line.slice("spawn ".length))));
      for (const child of bed.runner.children.slice(-spawned.length)) child.exited(0, NaN);
      bed.clock.ns += NS_PER_MS;
      if (turns > SILENT) throw new Error("the mass stall does not end");
    }
    expect(recovered).toEqual(silent);
    expect(turns).toBeLessThan(1.1 * (SILENT / RECOVERY_SPAWNS_PER_TURN_MAX) + 10);
    expect(bed.series('varta_recovery_outcomes_total{outcome="spawned"}')).toBe(SILENT);
    expect(bed.series("varta_recovery_spawn_budget_exceeded_total")).toBeGreaterThan(turns - 20);
    for (const pid of steady) expect(bed.series(`varta_stalls_total{pid="${pid}"}`)).toBe(0);
  });
});

describe("The time of spawns", () => {
  /** Every spawn takes `spawnNs`. */
  function slow(spawnNs: number) {
    let monotonicNs = 0;
    const runner = new ScriptedRunner();
    const made = recoveryHarness({
      runner: {
        spawn: (...call) => {
          monotonicNs += spawnNs;
          return runner.spawn(...call);
        },
        signalGroup: (...call) => runner.signalGroup(...call),
      },
      capacity: 1_000,
      monotonicNs: () => monotonicNs,
    });
    const stalls = new EndlessStalls(1);
    /** Decides as many stalls as the turn takes. */
    function turn(): number {
      const before = runner.spawnCount;
      made.recovery.decide(stalls, NS_PER_S);
      made.recovery.reap(NS_PER_S);
      return runner.spawnCount - before;
    }
    return { ...made, turn };
  }

  test("ends a turn before their number does, on a machine that is busy", () => {
    const { recovery, turn } = slow(RECOVERY_SPAWN_NS_PER_TURN_MAX / 4);
    expect([turn(), turn()]).toEqual([4, 4]);
    expect(recovery.counted("spawnBudgetExceeded")).toBe(2);
  });

  test("lets one begin in every turn, however long they take", () => {
    const { turn } = slow(NS_PER_S);
    expect([turn(), turn()]).toEqual([1, 1]);
  });

  test("does not matter on a machine that is idle", () => {
    expect(slow(1).turn()).toBe(RECOVERY_SPAWNS_PER_TURN_MAX);
  });
});
