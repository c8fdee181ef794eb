// One turn of the daemon (spec 12 section 1): the order of its stages, their budgets, and what each of them tells.
import { describe, expect, test } from "bun:test";
import {
  PUMP_BUDGET_PER_TURN,
  RECOVERY_EVALUATIONS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
  REMOVED_PIDS_PER_TURN_MAX,
} from "../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { THRESHOLD_NS } from "../observer/bench.ts";
import { beatOf, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { TickBench, type TickBenchOptions } from "./bench.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const COMMAND = ["/bin/recover", "{pid}"];

/** A bench that watches `count` kernel-attested agents, pids 100 and up, which have beaten once. */
function watching(count: number, options: TickBenchOptions = {}): TickBench {
  const bench = new TickBench({ trackerCapacity: Math.max(count, 64), ...options });
  for (let at = 0; at < count; at += 64) {
    const pids = Array.from({ length: Math.min(64, count - at) }, (_, i) => 100 + at + i);
    for (const pid of pids) bench.processes.set(pid, pid);
    bench.listener.queue(pids.map((pid) => beatOf(pid)));
  }
  bench.turn();
  bench.turn();
  return bench;
}

function starting(prefix: string, diary: readonly string[]): string[] {
  return diary.filter((line) => line.startsWith(prefix));
}

describe("a turn", () => {
  test("exports a stall before it is told and before its recovery begins", () => {
    const bench = watching(1, { command: COMMAND });
    bench.pass(THRESHOLD_MS);
    expect(bench.turn()).toEqual([
      "export at 1000",
      "export stall 100",
      "stalled 100",
      "spawn 100",
    ]);
    expect(bench.series('varta_stalls_total{pid="100"}')).toBe(1);
    expect(bench.series('varta_status{pid="100"}')).toBe(3);
    expect(bench.turn()).toEqual(["export at 1000"]);
  });

  test("counts beats before it judges, so a beat in the socket cancels the stall", () => {
    const bench = watching(1, { command: COMMAND });
    bench.pass(THRESHOLD_MS);
    bench.listener.queue([beatOf(100, { nonce: 2 })]);
    expect(bench.turn()).toEqual(["export at 1000", "export 1 rows"]);
    expect(bench.series('varta_beats_total{pid="100"}')).toBe(2);
  });

  test("tells the beat that ends a stall, with its listener and status, once", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const bench = watching(1, { listeners });
    bench.pass(THRESHOLD_MS);
    bench.turn();
    listeners[1]!.queue([beatOf(100, { nonce: 2, status: 1 }), beatOf(100, { nonce: 3 })]);
    expect(bench.turn()).toEqual(["export at 1000", "export 2 rows", "back 100 by 1 status 1"]);
    expect(bench.series('varta_status{pid="100"}')).toBe(0);
  });

  test("tells a stall before the return of its agent, when both fall into one turn", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const bench = watching(1, { command: COMMAND, listeners });
    for (const pid of [200, 300]) bench.processes.set(pid, pid);
    bench.pass(THRESHOLD_MS);
    // Short batches from both: all sockets were seen empty, so 100 is judged. Then its beat comes.
    listeners[0]!.queue([beatOf(200)], [beatOf(100, { nonce: 2 })]);
    listeners[1]!.queue([beatOf(300)]);
    expect(bench.turn()).toEqual([
      "export at 1000",
      "export 1 rows",
      "export 1 rows",
      "export stall 100",
      "stalled 100",
      "export 1 rows",
      "back 100 by 0 status 0",
      "refused 100",
    ]);
    expect(bench.series('varta_status{pid="100"}')).toBe(0);
    expect(bench.hasWorkLeft).toBe(false);
  });

  test("tells a stall after the beats that came in before it was judged", () => {
    let slowNs = 0;
    // A receive that lasts longer than the threshold: the beats in it are overdue when they are judged.
    const slow = new ScriptedListener({
      onReceive: () => {
        if (slowNs > 0) bench.clock.ns += slowNs;
      },
    });
    const bench: TickBench = watching(1, { listeners: [slow] });
    bench.pass(THRESHOLD_MS);
    bench.turn();
    slowNs = THRESHOLD_NS;
    bench.processes.set(200, 200);
    bench.listener.queue([beatOf(100, { nonce: 2 }), beatOf(200)]);
    expect(bench.turn()).toEqual([
      "export at 1000",
      "export 2 rows",
      "back 100 by 0 status 0",
      "export stall 100",
      "stalled 100",
      "export stall 200",
      "stalled 200",
    ]);
    expect(bench.series('varta_status{pid="200"}')).toBe(3);
    expect(bench.series('varta_stalls_total{pid="200"}')).toBe(1);
  });

  test("tells a conflict of two known namespaces, for strict mode, and no other", () => {
    const bench = watching(1);
    bench.processes.set(200, 1, 77);
    bench.listener.queue([beatOf(200)]);
    expect(bench.turn()).toContain("foreign 200 in 77");
    bench.processes.table.clear();
    bench.clock.ns += THRESHOLD_NS;
    bench.listener.queue([beatOf(100, { nonce: 2 })]);
    const diary = bench.turn();
    expect(starting("foreign", diary)).toEqual([]);
    expect(starting("export 1 rows", diary)).toHaveLength(1);
  });

  test("asks for the wall clock once, before the first row", () => {
    const bench = watching(1);
    bench.wallOffsetNs = 1.7e18;
    bench.listener.queue([beatOf(100, { nonce: 2 })]);
    expect(bench.turn()).toEqual(["export at 1700000000000000000", "export 1 rows"]);
    const atS = bench.series('varta_agent_last_beat_timestamp_seconds{pid="100"}');
    expect(atS).toBe(1.7e9 + 1);
    expect(bench.series("varta_watch_last_poll_loop_timestamp_seconds")).toBe(1.7e9 + 1);
  });

  test("is busy if it told or decided something, and not for plain beats", () => {
    const bench = watching(1);
    bench.listener.queue([beatOf(100, { nonce: 2 })]);
    bench.turn();
    expect(bench.busy).toBe(false);
    bench.pass(THRESHOLD_MS);
    bench.turn();
    expect(bench.busy).toBe(true);
    bench.turn();
    expect(bench.busy).toBe(false);
    bench.listener.queue([beatOf(100, { nonce: 3 })]);
    bench.turn();
    expect(bench.busy).toBe(true);
  });

  test("brings the gauges and the drained counters to the page", () => {
    const bench = watching(3, { readPidMax: () => 4_242 });
    bench.clock.ns -= 1;
    bench.turn();
    expect(bench.series("varta_watch_pids_tracked")).toBe(3);
    expect(bench.series("varta_pid_max_current")).toBe(4_242);
    expect(bench.series("varta_observer_clock_regression_total")).toBeGreaterThan(0);
    expect(bench.series("varta_observer_clock_jump_forward_total")).toBe(0);
    bench.clock.ns += 6 * NS_PER_S;
    bench.turn();
    expect(bench.series("varta_observer_clock_jump_forward_total")).toBe(1);
  });

  test("reads pid_max again when it is a minute old", () => {
    let reads = 0;
    const bench = watching(1, { readPidMax: () => 1_000 + reads++ });
    bench.clock.ns = 60 * NS_PER_S - 1;
    bench.turn();
    expect(reads).toBe(1);
    bench.clock.ns = 60 * NS_PER_S;
    bench.turn();
    bench.turn();
    expect(bench.series("varta_pid_max_current")).toBe(1_001);
    expect(reads).toBe(2);
  });

  test("makes one observation per stage, also of those that had nothing to do", () => {
    const bench = new TickBench();
    const plain: boolean[] = [];
    for (let turn = 0; turn < 5; turn++) {
      bench.turn();
      plain.push(bench.plain);
    }
    expect(plain).toEqual([false, true, true, true, true]);
    for (const stage of ["receive", "judge", "recover", "reap", "maintain"])
      expect(bench.series(`varta_observer_stage_seconds_count{stage="${stage}"}`)).toBe(5);
  });
});

describe("the budgets of a turn", () => {
  test("4096 datagrams; then the next turn must not wait", () => {
    const bench = watching(1);
    const noise = Array.from({ length: 64 }, () => damaged(beatOf(9)));
    for (let i = 0; i < PUMP_BUDGET_PER_TURN / 64 + 1; i++) bench.listener.queue(noise);
    bench.turn();
    expect([bench.consumed, bench.hasWorkLeft]).toEqual([PUMP_BUDGET_PER_TURN, true]);
    bench.turn();
    expect([bench.consumed, bench.hasWorkLeft]).toEqual([64, false]);
  });

  test("256 stalls, with recovery off; the rest waits for the next turn, and none is lost", () => {
    const count = RECOVERY_EVALUATIONS_PER_TURN_MAX + 44;
    const bench = watching(count);
    bench.pass(THRESHOLD_MS);
    const first = starting("stalled", bench.turn());
    expect(first).toHaveLength(RECOVERY_EVALUATIONS_PER_TURN_MAX);
    expect(bench.hasWorkLeft).toBe(true);
    const second = starting("stalled", bench.turn());
    expect(second).toHaveLength(44);
    expect(bench.hasWorkLeft).toBe(false);
    expect(new Set([...first, ...second]).size).toBe(count);
  });

  test("16 recoveries; a deferred stall is exported and told in the turn that decides it", () => {
    const count = 2 * RECOVERY_SPAWNS_PER_TURN_MAX + 1;
    const bench = watching(count, { command: COMMAND });
    bench.pass(THRESHOLD_MS);
    for (const expected of [RECOVERY_SPAWNS_PER_TURN_MAX, RECOVERY_SPAWNS_PER_TURN_MAX, 1, 0]) {
      const diary = bench.turn();
      for (const told of ["export stall", "stalled", "spawn"])
        expect(starting(told, diary)).toHaveLength(expected);
    }
    expect(bench.runner.children).toHaveLength(count);
    expect(bench.series("varta_recovery_spawn_budget_exceeded_total")).toBe(2);
    expect(bench.series('varta_recovery_outcomes_total{outcome="spawned"}')).toBe(count);
  });

  test("4096 removed pids", () => {
    const count = REMOVED_PIDS_PER_TURN_MAX + 100;
    const bench = watching(count);
    // Every pid was reused meanwhile: the stall scan drops them all without a stall.
    for (const process of bench.processes.table.values()) process.startTime += 1;
    bench.pass(THRESHOLD_MS);
    const first = bench.turn();
    expect(starting("stalled", first)).toEqual([]);
    expect(starting("export removal", first)).toHaveLength(REMOVED_PIDS_PER_TURN_MAX);
    expect(starting("export removal", bench.turn())).toHaveLength(100);
    expect(bench.series("varta_tracker_pid_recycle_total")).toBe(count);
  });
});

describe("a removed pid", () => {
  test("loses its row and is exported, unless it is tracked again", () => {
    const bench = watching(2);
    for (const pid of [100, 101]) bench.processes.set(pid, 1);
    bench.pass(THRESHOLD_MS);
    // The scan comes at the end of the pump, so both are judged; 101 is back before the removals are handled.
    bench.observer.pump(() => {}, 1);
    bench.listener.queue([beatOf(101)]);
    const diary = bench.turn();
    expect(starting("export removal", diary)).toEqual(["export removal 100"]);
    expect(() => bench.series('varta_beats_total{pid="100"}')).toThrow("no series");
    expect(bench.series('varta_beats_total{pid="101"}')).toBe(2);
  });
});

describe("a stage that takes too long", () => {
  // The measurements of a turn: its start, then the end of each stage.
  test.each([
    [[0, 2 * NS_PER_S + 1], ["slow receive 2000000001"]],
    [[0, 0, 2 * NS_PER_S + 1], ["slow recover 2000000001"]],
    [[0, 0, 0, NS_PER_S + 1], ["slow reap 1000000001"]],
    [[0, 0, 0, 0, NS_PER_S + 1], ["slow maintain 1000000001"]],
    [[0, 2 * NS_PER_S, 2 * NS_PER_S, NS_PER_S, NS_PER_S], []],
  ])("with durations %p is told as %p", (durationsNs, told) => {
    const bench = watching(1);
    bench.pass(THRESHOLD_MS);
    bench.durationsNs.push(...durationsNs);
    expect(starting("slow", bench.turn())).toEqual(told);
  });

  test("is told of a turn that only takes beats, too", () => {
    const bench = watching(1);
    bench.durationsNs.push(0, 2 * NS_PER_S + 1);
    expect(starting("slow", bench.turn())).toEqual(["slow receive 2000000001"]);
    expect(bench.plain).toBe(true);
  });
});

describe("a plain turn", () => {
  test("takes beats, and leaves the other stages out", () => {
    const bench = watching(2);
    bench.listener.queue([beatOf(100, { nonce: 2 }), beatOf(101, { nonce: 2 })]);
    expect(bench.turn()).toEqual(["export at 1000", "export 2 rows"]);
    expect(bench.plain).toBe(true);
    expect(bench.series('varta_beats_total{pid="100"}')).toBe(2);
    expect(bench.series("varta_watch_pids_tracked")).toBe(2);
  });

  test.each([
    ["a refused datagram", (bench: TickBench) => bench.listener.queue([damaged(beatOf(100))])],
    ["a stall", (bench: TickBench) => bench.pass(THRESHOLD_MS)],
    ["a second without a full one", (bench: TickBench) => bench.pass(1_000)],
  ])("is not what %s gets", (_what, happens) => {
    const bench = watching(1);
    bench.turn();
    expect(bench.plain).toBe(true);
    happens(bench);
    bench.turn();
    expect(bench.plain).toBe(false);
  });

  test("is not what the beat gets that ends a stall", () => {
    const bench = watching(1);
    bench.pass(THRESHOLD_MS);
    bench.turn();
    bench.listener.queue([beatOf(100, { nonce: 2 })]);
    bench.turn();
    expect(bench.plain).toBe(false);
  });
});

describe("exportQueuedStalls()", () => {
  test("exports what waits and decides nothing", () => {
    const bench = watching(20, { command: COMMAND });
    bench.pass(THRESHOLD_MS);
    bench.turn();
    bench.tick.exportQueuedStalls();
    expect(starting("export stall", bench.diary)).toHaveLength(4);
    expect(starting("spawn", bench.diary)).toEqual([]);
    bench.turn();
    expect(bench.hasWorkLeft).toBe(false);
  });
});
