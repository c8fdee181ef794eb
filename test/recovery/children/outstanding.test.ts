// Children from spawn to exit, with a scripted runner and clock (spec 10 section 5).
import { describe, expect, test } from "bun:test";
import { RECOVERY_COMPLETIONS_PER_TURN_MAX } from "../../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../../src/base/time.ts";
import { after, running, SIGKILL, stallOf, T0, TIMED } from "../harness.ts";

describe("Recovery.reap() of a child that exits by itself", () => {
  test("reports code and duration, and leaves its group alone", () => {
    const { runner, recovery, outcomes } = running(1);
    runner.children[0]!.exited(0, NaN);
    expect(recovery.reap(after(20))).toBe(1);
    expect(outcomes.at(-1)).toEqual({
      kind: "complete",
      label: "reaped_zero",
      completion: "reaped",
      observerNs: after(20),
      pid: 1,
      agent: 9,
      recoveryId: 1,
      plan: "",
      verdict: "",
      step: "exec",
      stepNumber: 1,
      stepCount: 1,
      childPid: 1000,
      exitCode: 0,
      signal: NaN,
      durationNs: 20 * NS_PER_MS,
      error: "",
      captured: undefined,
    });
    expect(runner.children[0]!.signals).toEqual([]);
    expect(recovery.outstandingCount).toBe(0);
  });

  test("counts a code other than 0 and a signal of another process as reaped_nonzero", () => {
    const { runner, recovery, outcomes } = running(2);
    runner.children[0]!.exited(1, NaN);
    runner.children[1]!.exited(NaN, SIGKILL);
    recovery.reap(after(20));
    expect(outcomes.slice(-2)).toMatchObject([
      { label: "reaped_nonzero", completion: "reaped", exitCode: 1, signal: NaN },
      { label: "reaped_nonzero", completion: "reaped", exitCode: NaN, signal: 9 },
    ]);
  });

  test("reports a failed reap when the system has no status", () => {
    const { runner, recovery, outcomes } = running(1);
    runner.children[0]!.exited(NaN, NaN);
    recovery.reap(after(20));
    expect(outcomes.at(-1)).toMatchObject({
      label: "reaped_nonzero",
      completion: "reap_failed",
      error: "the system did not give its exit status",
    });
  });

  test("reports one end for an exit that is reported twice", () => {
    const { runner, recovery, tell } = running(1);
    runner.children[0]!.exited(0, NaN);
    runner.children[0]!.exited(1, NaN);
    recovery.reap(after(1));
    runner.children[0]!.exited(2, NaN);
    recovery.reap(after(2));
    expect(tell()).toEqual(["complete 1 child 1000 reaped code 0 after 1ms"]);
  });

  test("handles 64 in one turn, in the order they were reported, and counts the rest as deferred", () => {
    const { runner, recovery, tell } = running(RECOVERY_COMPLETIONS_PER_TURN_MAX + 1);
    for (const child of runner.children.toReversed()) child.exited(0, NaN);
    expect(recovery.reap(after(100))).toBe(64);
    expect(tell()[0]).toBe("complete 65 child 1064 reaped code 0 after 36ms");
    expect(recovery.nextDeadlineNs()).toBe(0);
    expect(recovery.counted("reapTruncated")).toBe(1);
    expect(recovery.reap(after(100))).toBe(1);
    expect(recovery.counted("reapTruncated")).toBe(1);
    expect(tell()).toEqual(["complete 1 child 1000 reaped code 0 after 100ms"]);
  });

  test("handles 64 orphans beside 64 others in one turn", () => {
    const { runner, recovery } = running(65);
    for (let pid = 1; pid <= 65; pid++) {
      recovery.decideOne(stallOf({ pid, generation: 2 }), after(100));
    }
    expect(recovery.outstandingCount).toBe(130);
    for (const child of runner.children) child.exited(0, NaN);
    expect(recovery.reap(after(101))).toBe(128);
    expect(recovery.counted("reapTruncated")).toBe(1);
    expect(recovery.reap(after(101))).toBe(2);
    expect(recovery.outstandingCount).toBe(0);
  });

  test("does not signal a child whose exit waits, though its timeout has passed", () => {
    const { runner, recovery } = running(RECOVERY_COMPLETIONS_PER_TURN_MAX + 1);
    for (const child of runner.children) child.exited(0, NaN);
    recovery.reap(after(1_000));
    expect(runner.children.at(-1)!.signals).toEqual([]);
  });
});

test("every spawn has exactly one end, whatever happens to the child", () => {
  // A fixed generator instead of a property: the interesting part is the long run of one recovery.
  let seed = 12_345;
  function random(below: number): number {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  }
  const { runner, recovery, outcomes } = running(0, TIMED);
  let nowNs = T0;
  for (let step = 0; step < 20_000; step++) {
    nowNs += random(20) * NS_PER_MS;
    const action = random(10);
    runner.signalResult = random(50) === 0 ? -1 : 0;
    runner.spawnError = random(20) === 0 ? "EAGAIN" : "";
    if (action < 4) recovery.decideOne(stallOf({ pid: random(40), generation: random(3) }), nowNs);
    else if (action < 7 && runner.children.length > 0) {
      const recent = Math.max(0, runner.children.length - 60);
      const child = runner.children[recent + random(runner.children.length - recent)]!;
      child.exited(random(2), NaN);
    } else recovery.reap(nowNs);
  }
  runner.signalResult = 0;
  recovery.beginShutdown(nowNs);
  expect(recovery.shutdownDone(nowNs + 5 * NS_PER_S)).toBe(true);
  const spawned: number[] = [];
  const ended: number[] = [];
  for (const outcome of outcomes) {
    if (outcome.kind === "spawn") spawned.push(outcome.childPid);
    if (outcome.kind === "complete") ended.push(outcome.childPid);
  }
  expect(spawned.length).toBeGreaterThan(1_000);
  expect(ended.toSorted((a, b) => a - b)).toEqual(spawned);
  expect(recovery.outstandingCount).toBe(0);
  expect(recovery.counted("invariantViolations")).toBe(0);
});
