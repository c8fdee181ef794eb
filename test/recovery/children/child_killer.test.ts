// Timeouts, kills and the shutdown of children, with a scripted runner and clock (spec 10
// sections 5 and 7).
import { describe, expect, test } from "bun:test";
import { RECOVERY_KILL_STEPS_PER_TURN_MAX } from "../../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../../src/base/time.ts";
import { after, running, SIGKILL, SIGTERM, stallOf, T0, TIMED } from "../harness.ts";

describe("Recovery.reap() of a child that runs too long", () => {
  test("sends SIGTERM at the timeout, SIGKILL after the grace, and SIGKILL to what is left", () => {
    const { runner, recovery, tell } = running(1);
    const child = runner.children[0]!;
    expect(recovery.nextDeadlineNs()).toBe(after(300));
    recovery.reap(after(300) - 1);
    expect(child.signals).toEqual([]);
    recovery.reap(after(300));
    expect(child.signals).toEqual([SIGTERM]);
    expect(recovery.nextDeadlineNs()).toBe(after(500));
    recovery.reap(after(500) - 1);
    expect(child.signals).toEqual([SIGTERM]);
    recovery.reap(after(500));
    expect(child.signals).toEqual([SIGTERM, SIGKILL]);
    expect(recovery.nextDeadlineNs()).toBe(Infinity);
    recovery.reap(after(9_000));
    child.exited(NaN, SIGKILL);
    recovery.reap(after(9_001));
    expect(child.signals).toEqual([SIGTERM, SIGKILL, SIGKILL]);
    expect(tell()).toEqual([
      "timeout 1 child 1000 after 300ms",
      "complete 1 child 1000 killed signal 9 after 9001ms",
    ]);
  });

  test("reports killed, once, for a child that obeys SIGTERM, and kills what it left behind", () => {
    const { runner, recovery, outcomes } = running(1);
    recovery.reap(after(300));
    runner.children[0]!.exited(0, NaN);
    recovery.reap(after(310));
    expect(runner.children[0]!.signals).toEqual([SIGTERM, SIGKILL]);
    expect(outcomes.slice(-1)).toMatchObject([
      { label: "killed", completion: "killed", exitCode: 0 },
    ]);
    expect(recovery.outstandingCount).toBe(0);
  });

  test("takes the children in the order of their spawns", () => {
    const { recovery, tell } = running(3);
    recovery.reap(after(301));
    expect(tell()).toEqual([
      "timeout 1 child 1000 after 301ms",
      "timeout 2 child 1001 after 300ms",
    ]);
    expect(recovery.nextDeadlineNs()).toBe(after(302));
  });

  test("never ends without a timeout", () => {
    const { runner, recovery } = running(1, { timeoutNs: undefined });
    expect(recovery.nextDeadlineNs()).toBe(Infinity);
    recovery.reap(after(1e9));
    expect(runner.children[0]!.signals).toEqual([]);
  });

  test("kills in the same turn without a grace", () => {
    const { runner, recovery } = running(1, { ...TIMED, killGraceNs: 0 });
    recovery.reap(after(300));
    expect(runner.children[0]!.signals).toEqual([SIGTERM, SIGKILL]);
  });

  test("takes a group that is gone for signalled, and waits for the report", () => {
    const { runner, recovery, tell } = running(1);
    runner.signalResult = -3;
    recovery.reap(after(300));
    recovery.reap(after(500));
    runner.children[0]!.exited(0, NaN);
    recovery.reap(after(501));
    expect(tell()).toEqual([
      "timeout 1 child 1000 after 300ms",
      "complete 1 child 1000 killed code 0 after 501ms",
    ]);
  });

  const STEPS = [
    ["SIGTERM", 300],
    ["SIGKILL", 500],
  ] as const;
  for (const [signal, ms] of STEPS) {
    test(`gives a child up whose group cannot be sent ${signal}, and reports its end once`, () => {
      const { runner, recovery, outcomes } = running(1);
      if (ms > 300) recovery.reap(after(300));
      runner.signalResult = -1;
      recovery.reap(after(ms));
      expect(outcomes.at(-1)).toMatchObject({
        label: "reaped_nonzero",
        completion: "reap_failed",
        error: `${signal} to its process group failed: EPERM (operation not permitted)`,
      });
      expect(recovery.outstandingCount).toBe(0);
      const told = outcomes.length;
      runner.children[0]!.exited(0, NaN);
      expect(recovery.reap(after(ms + 1))).toBe(0);
      expect(outcomes).toHaveLength(told);
      expect(recovery.nextDeadlineNs()).toBe(Infinity);
    });
  }

  test("sends at most 256 signals of a kind in one turn, and goes on in the next", () => {
    const count = RECOVERY_KILL_STEPS_PER_TURN_MAX + 1;
    const { recovery, tell } = running(count);
    const now = after(400 + count);
    recovery.reap(now);
    expect(tell()).toHaveLength(256);
    expect(recovery.nextDeadlineNs()).toBeLessThanOrEqual(now);
    recovery.reap(now);
    expect(tell()).toHaveLength(1);
  });
});

describe("Recovery shutdown", () => {
  const GRACES = { ...TIMED, killGraceNs: 2 * NS_PER_S, shutdownGraceNs: NS_PER_S };

  test("sends SIGTERM at once, SIGKILL after half of a short shutdown grace", () => {
    const { runner, recovery, tell } = running(1, GRACES);
    recovery.beginShutdown(after(10));
    expect(recovery.isEnabled).toBe(false);
    expect(runner.children[0]!.signals).toEqual([SIGTERM]);
    expect(recovery.nextDeadlineNs()).toBe(after(510));
    recovery.reap(after(510));
    expect(runner.children[0]!.signals).toEqual([SIGTERM, SIGKILL]);
    expect(recovery.shutdownDone(after(510))).toBe(false);
    expect(recovery.nextDeadlineNs()).toBe(after(1_010));
    runner.children[0]!.exited(NaN, SIGKILL);
    recovery.reap(after(520));
    expect(recovery.shutdownDone(after(520))).toBe(true);
    expect(tell()).toEqual(["complete 1 child 1000 killed signal 9 after 520ms"]);
  });

  test("sends SIGKILL after the kill grace if that is shorter", () => {
    const { runner, recovery } = running(1, { ...GRACES, killGraceNs: 100 * NS_PER_MS });
    recovery.beginShutdown(after(0));
    recovery.reap(after(100));
    expect(runner.children[0]!.signals).toEqual([SIGTERM, SIGKILL]);
  });

  test("waits for a killed child after the end of the grace if it could not look before", () => {
    const { runner, recovery, tell } = running(2, GRACES);
    recovery.beginShutdown(after(10));
    recovery.reap(after(3_000));
    expect(runner.children[0]!.signals).toEqual([SIGTERM, SIGKILL]);
    expect(recovery.shutdownDone(after(3_000))).toBe(false);
    expect(recovery.nextDeadlineNs()).toBe(after(3_100));
    runner.children[0]!.exited(NaN, SIGKILL);
    recovery.reap(after(3_001));
    expect(recovery.shutdownDone(after(3_100) - 1)).toBe(false);
    expect(recovery.shutdownDone(after(3_100))).toBe(true);
    expect(tell()).toEqual([
      "complete 1 child 1000 killed signal 9 after 3001ms",
      "complete 2 child 1001 reap_failed unknown after 3099ms",
    ]);
  });

  test("is done at once without children", () => {
    const { recovery } = running(0);
    recovery.beginShutdown(T0);
    expect(recovery.shutdownDone(T0)).toBe(true);
    expect(recovery.nextDeadlineNs()).toBe(Infinity);
  });

  test("reports a failed reap for each survivor of the grace, once", () => {
    const { runner, recovery, tell } = running(3, GRACES);
    recovery.decideOne(stallOf({ pid: 1, generation: 9 }), after(5));
    expect(recovery.outstandingCount).toBe(4);
    recovery.beginShutdown(after(10));
    runner.children[1]!.exited(0, NaN);
    expect(recovery.shutdownDone(after(1_010) - 1)).toBe(false);
    expect(recovery.shutdownDone(after(1_010))).toBe(true);
    expect(recovery.shutdownDone(after(1_020))).toBe(true);
    expect(tell()).toEqual([
      "spawn 1 child 1003",
      "complete 2 child 1001 killed code 0 after 1009ms",
      "complete 3 child 1002 reap_failed unknown after 1008ms",
      "complete 1 child 1003 reap_failed unknown after 1005ms",
      "complete 1 child 1000 reap_failed unknown after 1010ms",
    ]);
    expect(recovery.counted("invariantViolations")).toBe(0);
  });

  test("gives a child up at once whose group cannot be signalled", () => {
    const { runner, recovery, tell } = running(1, GRACES);
    runner.signalResult = -1;
    recovery.beginShutdown(after(10));
    expect(recovery.shutdownDone(after(10))).toBe(true);
    expect(tell()).toEqual(["complete 1 child 1000 reap_failed unknown after 10ms"]);
  });

  test("kills everything and stops waiting at the second signal", () => {
    const { runner, recovery, tell } = running(2, GRACES);
    recovery.beginShutdown(after(10));
    recovery.killAllNow(after(20));
    expect(runner.children.map((child) => child.signals)).toEqual([
      [SIGTERM, SIGKILL],
      [SIGTERM, SIGKILL],
    ]);
    runner.children[0]!.exited(NaN, SIGKILL);
    expect(recovery.shutdownDone(after(20))).toBe(true);
    expect(tell()).toHaveLength(2);
  });

  test("can begin with killing everything", () => {
    const { runner, recovery } = running(1, GRACES);
    recovery.killAllNow(after(20));
    expect(recovery.isEnabled).toBe(false);
    expect(runner.children[0]!.signals).toEqual([SIGKILL]);
    expect(recovery.shutdownDone(after(20))).toBe(true);
  });
});
