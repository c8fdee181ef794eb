// Stalls that wait for recovery, and how many of them one turn takes.
import { expect, test } from "bun:test";
import { ReportedStalls } from "../../src/daemon/reported_stalls.ts";
import { ObserverHarness, THRESHOLD_NS } from "../observer/harness.ts";
import { beatOf } from "../support/scripted_listener.ts";

test("ReportedStalls.within() leaves to the next turn what does not fit into its time", () => {
  const harness = new ObserverHarness();
  const pids = [100, 101, 102, 103, 104];
  for (const pid of pids) harness.processes.set(pid, pid);
  harness.receive(...pids.map((pid) => beatOf(pid)));
  harness.clock.ns += THRESHOLD_NS;
  harness.pump();
  let nowNs = 0;
  const reported: number[] = [];
  const stalls = new ReportedStalls({
    observer: harness.observer,
    held: { hasReleased: false, take: () => undefined },
    report({ pid }) {
      nowNs += 2;
      reported.push(pid);
      return false;
    },
    released: (stall) => stall,
  });
  const takeAll = (): void => {
    const ofTurn = stalls.within(5, () => nowNs);
    while (!ofTurn.isEmpty) ofTurn.take();
  };
  takeAll();
  expect(reported).toEqual([100, 101, 102]);
  expect(stalls.isEmpty).toBeFalse();
  takeAll();
  expect(reported).toEqual(pids);
  expect(stalls.isEmpty).toBeTrue();
});
