// One turn of the daemon (spec 12 section 1): the order of its stages, their budgets, and what each
// of them reports.
import { describe, expect, test } from "bun:test";
import {
  IDENTITY_NS_PER_TURN_MAX,
  PUMP_BUDGET_PER_TURN,
  RECOVERY_EVALUATIONS_PER_TURN_MAX,
  RECOVERY_SPAWNS_PER_TURN_MAX,
  REMOVED_PIDS_PER_TURN_MAX,
} from "../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { LATES } from "../../src/observer/silence_watch.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { beatOf, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { TickHarness, type TickHarnessOptions } from "./harness.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const COMMAND = ["/bin/recover", "{pid}"];

/**
 * A harness that watches `count` kernel-attested agents, pids 100 and up, which have beaten once.
 */
function watching(count: number, options: TickHarnessOptions = {}): TickHarness {
  const harness = new TickHarness({ trackerCapacity: Math.max(count, 64), ...options });
  for (let at = 0; at < count; at += 64) {
    const pids = Array.from({ length: Math.min(64, count - at) }, (_, i) => 100 + at + i);
    for (const pid of pids) harness.processes.set(pid, pid);
    harness.listener.queue(pids.map((pid) => beatOf(pid)));
  }
  harness.turn();
  harness.turn();
  return harness;
}

function starting(prefix: string, diary: readonly string[]): string[] {
  return diary.filter((line) => line.startsWith(prefix));
}

describe("a turn", () => {
  test("exports a stall before it is reported and before its recovery begins", () => {
    const harness = watching(1, { command: COMMAND });
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual([
      "export at 1000",
      "export stall 100",
      "stalled 100",
      "began 100",
      "spawn 100",
    ]);
    expect(harness.series('varta_stalls_total{pid="100"}')).toBe(1);
    expect(harness.series('varta_status{pid="100"}')).toBe(3);
    expect(harness.turn()).toEqual(["export at 1000"]);
  });

  test("tells and exports who is late, before a stall that is found later", () => {
    const harness = watching(2);
    const { lanes } = harness.observer.tracker.table;
    const rule = { thresholdNs: THRESHOLD_NS, lateNs: THRESHOLD_NS / 2, graceNs: 0 };
    for (const slot of [0, 1]) lanes.change(slot, rule);
    harness.pass(THRESHOLD_MS / 2);
    const late = (pid: number) => [`export late ${pid}`, `late ${pid}`];
    expect(harness.turn()).toEqual(["export at 1000", ...late(100), ...late(101)]);
    expect(harness.turn()).toEqual(["export at 1000"]);
    harness.listener.queue([beatOf(100, { nonce: 2 })]);
    harness.turn();
    harness.pass(THRESHOLD_MS / 2);
    const diary = harness.turn().filter((line) => !line.startsWith("export"));
    expect(diary.slice(0, 2)).toEqual(["late 100", "stalled 101"]);
    expect(harness.observer.silence.counters.get(LATES.lates)).toBe(3);
  });

  test("tells who is late again after the beat that it came back with", () => {
    let slowNs = 0;
    const slow = new ScriptedListener({
      onReceive: () => {
        if (slowNs > 0) harness.clock.ns += slowNs;
      },
    });
    const harness: TickHarness = watching(1, { listeners: [slow] });
    const rule = { thresholdNs: THRESHOLD_NS, lateNs: THRESHOLD_NS / 4, graceNs: 0 };
    harness.observer.tracker.table.lanes.change(0, rule);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toContain("stalled 100");
    slowNs = THRESHOLD_NS / 3;
    harness.listener.queue([beatOf(100, { nonce: 2 })]);
    expect(harness.turn().filter((line) => !line.startsWith("export"))).toEqual([
      "back 100 by 0 status 0",
      "late 100",
    ]);
  });

  test("counts beats before it judges, so a beat in the socket cancels the stall", () => {
    const harness = watching(1, { command: COMMAND });
    harness.pass(THRESHOLD_MS);
    harness.listener.queue([beatOf(100, { nonce: 2 })]);
    expect(harness.turn()).toEqual(["export at 1000", "export 1 rows"]);
    expect(harness.series('varta_beats_total{pid="100"}')).toBe(2);
  });

  test("reports the beat that ends a stall, with its listener and status, once", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = watching(1, { listeners });
    harness.pass(THRESHOLD_MS);
    harness.turn();
    listeners[1]!.queue([beatOf(100, { nonce: 2, status: 1 }), beatOf(100, { nonce: 3 })]);
    expect(harness.turn()).toEqual(["export at 1000", "export 2 rows", "back 100 by 1 status 1"]);
    expect(harness.series('varta_status{pid="100"}')).toBe(0);
  });

  test("reports a stall before the return of its agent, when both fall into one turn", () => {
    const listeners = [new ScriptedListener(), new ScriptedListener()];
    const harness = watching(1, { command: COMMAND, listeners });
    for (const pid of [200, 300]) harness.processes.set(pid, pid);
    harness.pass(THRESHOLD_MS);
    // Short batches from both: all sockets were seen empty, so 100 is judged. Then its beat comes.
    listeners[0]!.queue([beatOf(200)], [beatOf(100, { nonce: 2 })]);
    listeners[1]!.queue([beatOf(300)]);
    expect(harness.turn()).toEqual([
      "export at 1000",
      "export 1 rows",
      "export 1 rows",
      "export stall 100",
      "stalled 100",
      "export 1 rows",
      "back 100 by 0 status 0",
      "refused 100",
    ]);
    expect(harness.series('varta_status{pid="100"}')).toBe(0);
    expect(harness.hasWorkLeft).toBe(false);
  });

  test("reports a stall after the beats that came in before it was judged", () => {
    let slowNs = 0;
    // A receive that lasts longer than the threshold: the beats in it are overdue when they are
    // judged.
    const slow = new ScriptedListener({
      onReceive: () => {
        if (slowNs > 0) harness.clock.ns += slowNs;
      },
    });
    const harness: TickHarness = watching(1, { listeners: [slow] });
    harness.pass(THRESHOLD_MS);
    harness.turn();
    slowNs = THRESHOLD_NS;
    harness.processes.set(200, 200);
    harness.listener.queue([beatOf(100, { nonce: 2 }), beatOf(200)]);
    expect(harness.turn()).toEqual([
      "export at 1000",
      "export 2 rows",
      "back 100 by 0 status 0",
      "export stall 100",
      "stalled 100",
      "export stall 200",
      "stalled 200",
    ]);
    expect(harness.series('varta_status{pid="200"}')).toBe(3);
    expect(harness.series('varta_stalls_total{pid="200"}')).toBe(1);
  });

  test("reports a conflict of two known namespaces, for strict mode, and no other", () => {
    const harness = watching(1);
    harness.processes.set(200, 1, 77);
    harness.listener.queue([beatOf(200)]);
    expect(harness.turn()).toContain("foreign 200 in 77");
    harness.processes.table.clear();
    harness.clock.ns += THRESHOLD_NS;
    harness.listener.queue([beatOf(100, { nonce: 2 })]);
    const diary = harness.turn();
    expect(starting("foreign", diary)).toEqual([]);
    expect(starting("export 1 rows", diary)).toHaveLength(1);
  });

  test("asks for the wall clock once, before the first row", () => {
    const harness = watching(1);
    harness.wallOffsetNs = 1.7e18;
    harness.listener.queue([beatOf(100, { nonce: 2 })]);
    expect(harness.turn()).toEqual(["export at 1700000000000000000", "export 1 rows"]);
    const atS = harness.series('varta_agent_last_beat_timestamp_seconds{pid="100"}');
    expect(atS).toBe(1.7e9 + 1);
    expect(harness.series("varta_watch_last_poll_loop_timestamp_seconds")).toBe(1.7e9 + 1);
  });

  test("is busy if it reported or decided something, and not for plain beats", () => {
    const harness = watching(1);
    harness.listener.queue([beatOf(100, { nonce: 2 })]);
    harness.turn();
    expect(harness.busy).toBe(false);
    harness.pass(THRESHOLD_MS);
    harness.turn();
    expect(harness.busy).toBe(true);
    harness.turn();
    expect(harness.busy).toBe(false);
    harness.listener.queue([beatOf(100, { nonce: 3 })]);
    harness.turn();
    expect(harness.busy).toBe(true);
  });

  test("brings the gauges and the drained counters to the page", () => {
    const harness = watching(3, { readPidMax: () => 4_242 });
    harness.clock.ns -= 1;
    harness.turn();
    expect(harness.series("varta_watch_pids_tracked")).toBe(3);
    expect(harness.series("varta_pid_max_current")).toBe(4_242);
    expect(harness.series("varta_observer_clock_regression_total")).toBeGreaterThan(0);
    expect(harness.series("varta_observer_clock_jump_forward_total")).toBe(0);
    harness.clock.ns += 6 * NS_PER_S;
    harness.turn();
    expect(harness.series("varta_observer_clock_jump_forward_total")).toBe(1);
  });

  test("reads pid_max again when it is a minute old", () => {
    let reads = 0;
    const harness = watching(1, { readPidMax: () => 1_000 + reads++ });
    harness.clock.ns = 60 * NS_PER_S - 1;
    harness.turn();
    expect(reads).toBe(1);
    harness.clock.ns = 60 * NS_PER_S;
    harness.turn();
    harness.turn();
    expect(harness.series("varta_pid_max_current")).toBe(1_001);
    expect(reads).toBe(2);
  });

  test("makes one observation per stage, also of those that had nothing to do", () => {
    const harness = new TickHarness();
    const plain: boolean[] = [];
    for (let turn = 0; turn < 5; turn++) {
      harness.turn();
      plain.push(harness.plain);
    }
    expect(plain).toEqual([false, true, true, true, true]);
    for (const stage of ["receive", "judge", "recover", "reap", "maintain"])
      expect(harness.series(`varta_observer_stage_seconds_count{stage="${stage}"}`)).toBe(5);
  });
});

describe("the budgets of a turn", () => {
  test("4096 datagrams; then the next turn must not wait", () => {
    const harness = watching(1);
    const noise = Array.from({ length: 64 }, () => damaged(beatOf(9)));
    for (let i = 0; i < PUMP_BUDGET_PER_TURN / 64 + 1; i++) harness.listener.queue(noise);
    harness.turn();
    expect([harness.consumed, harness.hasWorkLeft]).toEqual([PUMP_BUDGET_PER_TURN, true]);
    harness.turn();
    expect([harness.consumed, harness.hasWorkLeft]).toEqual([64, false]);
  });

  test("256 stalls, with recovery off; the rest waits for the next turn, and none is lost", () => {
    const count = RECOVERY_EVALUATIONS_PER_TURN_MAX + 44;
    const harness = watching(count);
    harness.pass(THRESHOLD_MS);
    const first = starting("stalled", harness.turn());
    expect(first).toHaveLength(RECOVERY_EVALUATIONS_PER_TURN_MAX);
    expect(harness.hasWorkLeft).toBe(true);
    const second = starting("stalled", harness.turn());
    expect(second).toHaveLength(44);
    expect(harness.hasWorkLeft).toBe(false);
    expect(new Set([...first, ...second]).size).toBe(count);
  });

  test("16 recoveries; a deferred stall is exported and reported in the turn that decides it", () => {
    const count = 2 * RECOVERY_SPAWNS_PER_TURN_MAX + 1;
    const harness = watching(count, { command: COMMAND });
    harness.pass(THRESHOLD_MS);
    for (const expected of [RECOVERY_SPAWNS_PER_TURN_MAX, RECOVERY_SPAWNS_PER_TURN_MAX, 1, 0]) {
      const diary = harness.turn();
      for (const told of ["export stall", "stalled", "spawn"])
        expect(starting(told, diary)).toHaveLength(expected);
    }
    expect(harness.runner.children).toHaveLength(count);
    expect(harness.series("varta_recovery_spawn_budget_exceeded_total")).toBe(2);
    expect(harness.series('varta_recovery_outcomes_total{outcome="spawned"}')).toBe(count);
  });

  test("4096 removed pids", () => {
    const count = REMOVED_PIDS_PER_TURN_MAX + 100;
    const harness = watching(count);
    // Every pid was reused meanwhile: the stall scan drops them all without a stall.
    for (const process of harness.processes.table.values()) process.startTime += 1;
    harness.pass(THRESHOLD_MS);
    const first = harness.turn();
    expect(starting("stalled", first)).toEqual([]);
    expect(starting("export removal", first)).toHaveLength(REMOVED_PIDS_PER_TURN_MAX);
    expect(starting("export removal", harness.turn())).toHaveLength(100);
    expect(harness.series("varta_tracker_pid_recycle_total")).toBe(count);
  });
});

describe("a removed pid", () => {
  test("loses its row and is exported, unless it is tracked again", () => {
    const harness = watching(2);
    for (const pid of [100, 101]) harness.processes.set(pid, 1);
    harness.pass(THRESHOLD_MS);
    // The scan comes at the end of the pump, so both are judged; 101 is back before the removals
    // are handled.
    harness.observer.pump(() => {}, 1);
    harness.listener.queue([beatOf(101)]);
    const diary = harness.turn();
    expect(starting("export removal", diary)).toEqual(["export removal 100"]);
    expect(() => harness.series('varta_beats_total{pid="100"}')).toThrow("no series");
    expect(harness.series('varta_beats_total{pid="101"}')).toBe(2);
  });
});

describe("the time for who is new", () => {
  const LOOK_NS = IDENTITY_NS_PER_TURN_MAX / 20;
  const NEWCOMERS = Array.from({ length: 40 }, (_, i) => 100 + i);

  test.each([
    [8 * LOOK_NS, 2],
    [LOOK_NS, 1],
    [5 * NS_PER_MS, 20],
  ])("is a quarter of that of beats: they took %p ns, %p looks", (receiveNs, looks) => {
    const harness = new TickHarness();
    harness.lookNs = LOOK_NS;
    for (const pid of NEWCOMERS) harness.processes.set(pid, pid);
    harness.listener.queue(NEWCOMERS.map((pid) => beatOf(pid)));
    harness.durationsNs.push(0, receiveNs);
    harness.turn();
    expect(harness.identities.looks).toEqual(NEWCOMERS.slice(0, looks));
    // No beat comes.
    harness.turn();
    expect(harness.identities.looks.length).toBe(Math.min(40, looks + 20));
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
  ])("with durations %p is reported as %p", (durationsNs, told) => {
    const harness = watching(1);
    harness.pass(THRESHOLD_MS);
    harness.durationsNs.push(...durationsNs);
    expect(starting("slow", harness.turn())).toEqual(told);
  });

  test("is told of a turn that only takes beats, too", () => {
    const harness = watching(1);
    harness.durationsNs.push(0, 2 * NS_PER_S + 1);
    expect(starting("slow", harness.turn())).toEqual(["slow receive 2000000001"]);
    expect(harness.plain).toBe(true);
  });
});

describe("a plain turn", () => {
  test("takes beats, and leaves the other stages out", () => {
    const harness = watching(2);
    harness.listener.queue([beatOf(100, { nonce: 2 }), beatOf(101, { nonce: 2 })]);
    expect(harness.turn()).toEqual(["export at 1000", "export 2 rows"]);
    expect(harness.plain).toBe(true);
    expect(harness.series('varta_beats_total{pid="100"}')).toBe(2);
    expect(harness.series("varta_watch_pids_tracked")).toBe(2);
  });

  test.each([
    [
      "a refused datagram",
      (harness: TickHarness) => harness.listener.queue([damaged(beatOf(100))]),
    ],
    ["a stall", (harness: TickHarness) => harness.pass(THRESHOLD_MS)],
    ["a second without a full one", (harness: TickHarness) => harness.pass(1_000)],
  ])("is not what %s gets", (_what, happens) => {
    const harness = watching(1);
    harness.turn();
    expect(harness.plain).toBe(true);
    happens(harness);
    harness.turn();
    expect(harness.plain).toBe(false);
  });

  test("is not what the beat gets that ends a stall", () => {
    const harness = watching(1);
    harness.pass(THRESHOLD_MS);
    harness.turn();
    harness.listener.queue([beatOf(100, { nonce: 2 })]);
    harness.turn();
    expect(harness.plain).toBe(false);
  });
});

describe("exportQueuedStalls()", () => {
  test("exports what waits and decides nothing", () => {
    const harness = watching(20, { command: COMMAND });
    harness.pass(THRESHOLD_MS);
    harness.turn();
    harness.tick.exportQueuedStalls();
    expect(starting("export stall", harness.diary)).toHaveLength(4);
    expect(starting("spawn", harness.diary)).toEqual([]);
    harness.turn();
    expect(harness.hasWorkLeft).toBe(false);
  });
});

describe("a turn, while an agent is muted", () => {
  /** One agent that has stalled while it was muted, and what came of it. */
  function heldStall(options: TickHarnessOptions = { command: COMMAND }): TickHarness {
    const harness = watching(1, options);
    harness.muted.add(100);
    harness.pass(THRESHOLD_MS);
    harness.turn();
    return harness;
  }

  function unmute(harness: TickHarness): void {
    harness.muted.clear();
    harness.recovery.held.unmuted();
  }

  /** Until nothing happens any more. */
  function turns(harness: TickHarness): string[] {
    const lines = [0, 1, 2].flatMap(() => harness.turn());
    return lines.filter((line) => !line.startsWith("export at"));
  }

  test("exports, counts and shows its stall, and does nothing", () => {
    const harness = watching(1, { command: COMMAND });
    harness.muted.add(100);
    harness.pass(THRESHOLD_MS);
    expect(turns(harness)).toEqual(["export stall 100", "stalled 100 muted", "refused 100"]);
    expect(harness.series('varta_stalls_total{pid="100"}')).toBe(1);
    expect(harness.series('varta_recovery_outcomes_total{outcome="held"}')).toBe(1);
    expect(harness.runner.spawnCount).toBe(0);
  });

  test("reports it and recovers it once when that is over, and counts it no second time", () => {
    const harness = heldStall();
    unmute(harness);
    expect(turns(harness)).toEqual(["stalled 100", "began 100", "spawn 100"]);
    expect(harness.series('varta_stalls_total{pid="100"}')).toBe(1);
    unmute(harness);
    expect(turns(harness)).toEqual([]);
  });

  test("reports it when that is over, also where nothing is ever recovered", () => {
    const harness = heldStall({});
    unmute(harness);
    expect(turns(harness)).toEqual(["stalled 100"]);
  });

  test("goes on to hold it while another mute holds", () => {
    const harness = heldStall();
    harness.recovery.held.unmuted();
    expect(turns(harness)).toEqual([]);
    unmute(harness);
    expect(starting("stalled", turns(harness))).toEqual(["stalled 100"]);
  });

  test("says nothing when that is over of one that beats again", () => {
    const harness = heldStall();
    harness.listener.queue([beatOf(100, { nonce: 5n })]);
    expect(starting("back", harness.turn())).toEqual(["back 100 by 0 status 0"]);
    unmute(harness);
    expect(turns(harness)).toEqual([]);
    expect(harness.runner.spawnCount).toBe(0);
  });
});
