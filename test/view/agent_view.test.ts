import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import type { View } from "../../src/view/view.ts";
import { ObserverHarness, THRESHOLD_NS } from "../observer/harness.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { viewOf } from "../support/views.ts";

function watching(count: number): { harness: ObserverHarness; view: View } {
  const harness = new ObserverHarness();
  const pids = Array.from({ length: count }, (_, at) => 100 + at);
  for (const pid of pids) harness.processes.set(pid, 1);
  harness.receive(...pids.map((pid) => beatOf(pid)));
  const view = viewOf(harness.observer);
  return { harness, view };
}

describe("the view of an agent", () => {
  test("says when it will stall, and after that that it has", () => {
    const { harness, view } = watching(1);
    const beganNs = harness.clock.ns;
    expect(view.walkAgents().next(9)).toMatchObject([
      {
        pid: 100,
        source: "",
        listener: "scripted",
        status: 0,
        state: "ok",
        lastBeatNs: beganNs,
        isStalled: false,
        thresholdNs: THRESHOLD_NS,
        deadlineNs: beganNs + THRESHOLD_NS,
        refused: [],
      },
    ]);
    harness.pass(THRESHOLD_NS / NS_PER_MS);
    harness.pump();
    const [stalled] = view.walkAgents().next(9);
    expect(stalled).toMatchObject({ isStalled: true, state: "stalled", deadlineNs: Number.NaN });
  });

  test.each([
    [1, "degraded"],
    [2, "critical"],
  ])("has the state that it says it is in: status %d is %s", (status, state) => {
    const { harness, view } = watching(1);
    harness.receive(beatOf(100, { nonce: 2n, status }));
    expect(view.walkAgents().next(1)).toMatchObject([{ status, state }]);
  });

  test("is late from its late until its next beat, and new while its grace runs", () => {
    const { harness, view } = watching(1);
    const { table } = harness.observer.tracker;
    const state = () => view.walkAgents().next(1)[0]!.state;
    const rule = { thresholdNs: THRESHOLD_NS, lateNs: THRESHOLD_NS / 2, graceNs: THRESHOLD_NS / 4 };
    table.lanes.change(0, rule);
    expect(state()).toBe("new");
    harness.pass(THRESHOLD_NS / 2 / NS_PER_MS);
    harness.pump();
    expect(state()).toBe("late");
    harness.receive(beatOf(100, { nonce: 2n }));
    expect(state()).toBe("ok");
  });

  test("counts the beats that were refused since the last accepted one", () => {
    const { harness, view } = watching(1);
    harness.receive(beatOf(100), beatOf(100));
    const [agent] = view.walkAgents().next(1);
    expect(agent!.refused).toEqual([{ reason: "out_of_order", count: 2 }]);
  });
});

describe("a walk over agents", () => {
  test("shows each of them once, some at a time", () => {
    const { view } = watching(10);
    const walk = view.walkAgents();
    const slices = [walk.next(4), walk.next(4), walk.next(4), walk.next(4)];
    expect(slices.map((slice) => slice.length)).toEqual([4, 4, 2, 0]);
    const seen = slices.flat().map(({ pid }) => pid);
    expect(new Set(seen).size).toBe(10);
  });

  test.each([
    ["that was seen", 9],
    ["that is next", 6],
    ["that comes last", 0],
  ])("leaves nobody out when a row is removed %s", (_which, slot) => {
    const { harness, view } = watching(10);
    const { slots, table } = harness.observer.tracker;
    const walk = view.walkAgents();
    const seen = walk.next(3).map(({ pid }) => pid);
    const removed = slots.pid[slot]!;
    table.remove(slot);
    for (let slice = walk.next(3); slice.length > 0; slice = walk.next(3))
      seen.push(...slice.map(({ pid }) => pid));
    const others = Array.from({ length: 10 }, (_, at) => 100 + at).filter((pid) => pid !== removed);
    expect([...new Set([...seen, removed])].sort()).toEqual([...others, removed].sort());
  });

  test("ends when all rows are gone in between", () => {
    const { harness, view } = watching(3);
    const { table } = harness.observer.tracker;
    const walk = view.walkAgents();
    walk.next(1);
    for (const slot of [2, 1, 0]) table.remove(slot);
    expect(walk.next(5)).toEqual([]);
  });
});
