// Recoveries that wait for the guard (spec 12 section 10).
import { describe, expect, test } from "bun:test";
import type { Stall } from "../../src/events/stall.ts";
import { GuardedRecoveries } from "../../src/observer/guarded_recoveries.ts";

function stallAt(observerNs: number, key: number): Stall {
  return { observerNs, key } as Stall;
}

/** A guard that lets a recovery begin `waitNs` after its stall was found. */
function subject(waitNs: number) {
  const guard = { waitNs, recoveryNs: (foundNs: number) => foundNs + guard.waitNs };
  const ended = new Set<number>();
  const back = new Set<number>();
  const recoveries = new GuardedRecoveries({
    guard,
    members: () => 12,
    hasEnded: ({ key }) => ended.has(key),
    isStalled: ({ key }) => !back.has(key),
  });
  return { guard, ended, back, recoveries };
}

describe("GuardedRecoveries", () => {
  test("keep a stall until the guard lets it go, the oldest first", () => {
    const { recoveries } = subject(300);
    expect([stallAt(10, 1), stallAt(20, 2)].map((stall) => recoveries.wait(stall, 20))).toEqual([
      true,
      true,
    ]);
    expect(recoveries.nextDeadlineNs()).toBe(310);
    expect([309, 310].map((ns) => recoveries.hasReady(ns))).toEqual([false, true]);
    expect(recoveries.take()?.key).toBe(1);
    expect(recoveries.nextDeadlineNs()).toBe(320);
  });

  test("keep none that need not wait, and none whose member has ended", () => {
    expect(subject(0).recoveries.wait(stallAt(10, 1), 10)).toBe(false);
    const { recoveries, ended } = subject(300);
    ended.add(1);
    expect(recoveries.wait(stallAt(10, 1), 10)).toBe(false);
    expect(recoveries.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("wait on while the guard is active, and are ready at once when it is over", () => {
    const { guard, recoveries } = subject(300);
    recoveries.wait(stallAt(10, 1), 10);
    guard.waitNs = Number.POSITIVE_INFINITY;
    expect([recoveries.hasReady(1e9), recoveries.nextDeadlineNs()]).toEqual([
      false,
      Number.POSITIVE_INFINITY,
    ]);
    guard.waitNs = 0;
    expect(recoveries.hasReady(1_000)).toBe(true);
  });

  test("forget a stall whose member beats again", () => {
    const { recoveries, back } = subject(300);
    recoveries.wait(stallAt(10, 1), 10);
    back.add(1);
    expect(recoveries.hasReady(310)).toBe(true);
    expect(recoveries.take()).toBeUndefined();
  });
});
