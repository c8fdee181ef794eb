import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import { ObserverHarness, THRESHOLD_NS } from "../observer/harness.ts";
import { beatOf, damaged, ScriptedListener } from "../support/scripted_listener.ts";
import { viewOf } from "../support/views.ts";

describe("View", () => {
  test("shows totals, listeners and children as they are when it is asked", () => {
    const listeners = [
      new ScriptedListener({ name: "first" }),
      new ScriptedListener({ name: "second" }),
    ];
    const bench = new ObserverHarness({ listeners });
    const recovery = { outstandingCount: 0 };
    const view = viewOf(bench.observer, { recovery });
    expect(view.totals()).toEqual({ tracked: 0, stalled: 0, queuedStalls: 0 });

    for (const pid of [100, 101]) bench.processes.set(pid, 1);
    listeners[1]!.queue([beatOf(100), damaged(beatOf(9)), beatOf(101)]);
    bench.pump();
    expect(view.totals()).toEqual({ tracked: 2, stalled: 0, queuedStalls: 0 });
    expect(view.listeners()).toEqual([
      { name: "first", received: 0, accepted: 0, rejected: 0 },
      { name: "second", received: 3, accepted: 2, rejected: 1 },
    ]);

    bench.pass(THRESHOLD_NS / NS_PER_MS);
    bench.pump();
    expect(view.totals()).toEqual({ tracked: 2, stalled: 2, queuedStalls: 2 });
    recovery.outstandingCount = 3;
    expect(view.recovery()).toEqual({ children: 3 });
  });
});
