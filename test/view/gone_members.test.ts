// Members that have left the table, for who asks about them later.
import { describe, expect, test } from "bun:test";
import { GoneMembers } from "../../src/view/gone_members.ts";
import { endNumbers } from "../../src/base/wait_status.ts";
import type { MemberExit, MemberGone } from "../../src/events/member_end.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { joinMembers } from "../support/named_members.ts";

function watching(...pids: readonly number[]) {
  const harness = new ObserverHarness();
  joinMembers(harness, pids, () => "worker");
  const { tracker } = harness.observer;
  const of = (pid: number) => {
    const slot = tracker.slotOf(pid);
    const { agent, generation } = tracker.slots;
    return {
      agent: agent[slot]!,
      pid,
      generation: generation[slot]!,
      observerNs: 7e9,
      endedNs: 6e9,
    };
  };
  const exit = (pid: number): MemberExit => ({
    ...of(pid),
    ...endNumbers(11),
    ...{ how: "unclean", isBySystemd: false, listener: 0, recoveryId: Number.NaN },
  });
  const replaced = (pid: number, byPid: number): MemberGone => ({
    ...of(pid),
    ...endNumbers(11),
    ...{ reason: "replaced", byPid, gapNs: 1e9, endedNs: Number.NaN },
  });
  return { gone: new GoneMembers(harness.observer), exit, replaced };
}

describe("a member that is gone", () => {
  test("is known by its pid, and as the last one of its agent", () => {
    const { gone, exit } = watching(100, 101);
    gone.ended(exit(101));
    gone.ended(exit(100));
    expect(gone.ofPid(101)).toMatchObject({
      name: "worker",
      isStalled: false,
      end: { signal: 11 },
    });
    expect(gone.lastOf("worker")!.end.pid).toBe(100);
    expect(gone.ofPid(102)).toBeUndefined();
    expect(gone.lastOf("api")).toBeUndefined();
  });

  test("keeps its exit when another takes its place, and counts once among the crashes", () => {
    const { gone, exit, replaced } = watching(100);
    gone.ended(exit(100));
    gone.ended(replaced(100, 200));
    expect(gone.ofPid(100)).toMatchObject({ end: { byPid: 200 }, exit: { endedNs: 6e9 } });
    expect([gone.uncleanSince("worker", 7e9), gone.uncleanSince("worker", 7e9 + 1)]).toEqual([
      1, 0,
    ]);
  });

  test("is nobody where the table has another process by then", () => {
    const { gone, exit } = watching(100);
    gone.ended({ ...exit(100), generation: 99 });
    expect(gone.ofPid(100)).toBeUndefined();
  });
});
