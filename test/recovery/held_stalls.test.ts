// Stalls of muted agents (spec 16 section 8.2): what is held, what is let go, and what is dropped.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import type { Stall } from "../../src/events/stall.ts";
import type { HeldStalls } from "../../src/recovery/held_stalls.ts";
import { FRESH_AGENT_RESUMED, FRESH_WARRANTED } from "../../src/tracker/tracker.ts";
import { type RecoveryHarness, recoveryHarness, ScriptedHost } from "./harness.ts";
import { ScriptedRunner, stallOf } from "./harness.ts";

interface Muted extends RecoveryHarness {
  readonly held: HeldStalls;
  readonly host: ScriptedHost;
  readonly runner: ScriptedRunner;
  readonly mutedPids: Set<number>;
  readonly back: Set<number>;
}

/** Pid 4242 is muted. */
function muted(config = {}, capacity = 64): Muted {
  const mutedPids = new Set([4_242]);
  const back = new Set<number>();
  const host = new ScriptedHost();
  const runner = new ScriptedRunner();
  const harness = recoveryHarness({
    runner,
    host,
    config,
    capacity,
    isMuted: ({ pid }) => mutedPids.has(pid),
    freshness: (key) => (back.has(key) ? FRESH_AGENT_RESUMED : FRESH_WARRANTED),
  });
  return { ...harness, held: harness.recovery.held, host, runner, mutedPids, back };
}

/** What is let go at `nowNs`. */
function released({ held, mutedPids, recovery }: Muted, nowNs: number): [number, boolean][] {
  mutedPids.clear();
  held.unmuted();
  recovery.reap(nowNs);
  const taken: [number, boolean][] = [];
  while (held.hasReleased) {
    const next = held.take();
    if (next !== undefined) taken.push([next.stall.pid, next.isTold]);
  }
  return taken;
}

describe("a stall of a muted agent", () => {
  test("that was reported before is held, and is not reported when the mute is over", () => {
    const harness = muted();
    expect(harness.recovery.decideOne(stallOf(), 8 * NS_PER_S)).toBe("held");
    expect(harness.runner.spawnCount).toBe(0);
    expect(harness.recovery.isRecovering(4_242)).toBeTrue();
    expect(released(harness, 9 * NS_PER_S)).toEqual([[4_242, true]]);
    expect(harness.recovery.isRecovering(4_242)).toBeFalse();
    expect(harness.recovery.decideOne(stallOf(), 9 * NS_PER_S)).toBe("spawned");
  });

  test("that failed before and is to be tried again waits for the end of the mute", () => {
    const harness = muted({
      steps: [{ kind: "signal", signal: "SIGTERM" }],
      retry: true,
      verifyWithinNs: NS_PER_S,
      command: undefined,
    });
    harness.mutedPids.clear();
    harness.recovery.decideOne(stallOf(), 8 * NS_PER_S);
    expect(harness.host.signals).toHaveLength(1);
    harness.mutedPids.add(4_242);
    for (const seconds of [10, 12, 14]) harness.recovery.reap(seconds * NS_PER_S);
    expect(harness.host.signals).toHaveLength(1);
    expect(harness.held.has(4_242)).toBeTrue();
    expect(released(harness, 20 * NS_PER_S)).toEqual([[4_242, true]]);
  });

  test("runs on with the steps of a recovery that began before the mute", () => {
    const steps = [
      { kind: "signal", signal: "SIGQUIT" },
      { kind: "wait", waitNs: 5 * NS_PER_S },
      { kind: "signal", signal: "SIGKILL" },
    ] as const;
    const harness = muted({ steps, command: undefined });
    harness.mutedPids.clear();
    harness.recovery.decideOne(stallOf(), 8 * NS_PER_S);
    harness.mutedPids.add(4_242);
    harness.recovery.reap(14 * NS_PER_S);
    expect(harness.host.signals).toEqual(["4242 3", "4242 9"]);
  });

  test("is dropped when its member beats again", () => {
    const harness = muted();
    harness.held.hold(stallOf(), false, 8 * NS_PER_S);
    harness.recovery.onResumed(4_242, 777, 9 * NS_PER_S);
    expect(released(harness, 10 * NS_PER_S)).toEqual([]);
  });

  test("is dropped if it is none any more when it is let go", () => {
    const harness = muted();
    harness.held.hold(stallOf(), false, 8 * NS_PER_S);
    harness.back.add(4_242);
    expect(released(harness, 10 * NS_PER_S)).toEqual([]);
  });

  test("is dropped when another member takes the place of the one that has ended", () => {
    const harness = muted();
    harness.held.hold(stallOf(), false, 8 * NS_PER_S);
    const newcomer = { agent: 9, uid: 1_000, unit: "", pid: 5_000, startedNs: 9 * NS_PER_S };
    expect(harness.recovery.onNewcomer(newcomer, 9 * NS_PER_S)).toBeFalse();
    harness.host.dead.add(4_242);
    expect(harness.recovery.onNewcomer({ ...newcomer, uid: 1 }, 9 * NS_PER_S)).toBeFalse();
    expect(harness.recovery.onNewcomer(newcomer, 9 * NS_PER_S)).toBeTrue();
    expect(released(harness, 10 * NS_PER_S)).toEqual([]);
  });

  test("is refused for want of room, and that is said", () => {
    const harness = muted({}, 1);
    harness.mutedPids.add(4_243);
    const stalls: Stall[] = [stallOf(), stallOf({ pid: 4_243 })];
    const labels = stalls.map((stall) => harness.recovery.decideOne(stall, 8 * NS_PER_S));
    expect(labels).toEqual(["held", "refused_outstanding_capacity"]);
  });

  test("is held no more once a shutdown has begun", () => {
    const harness = muted();
    harness.held.hold(stallOf(), false, 8 * NS_PER_S);
    harness.recovery.beginShutdown(9 * NS_PER_S);
    expect(harness.held.isMuted(stallOf(), 9 * NS_PER_S)).toBeFalse();
    expect(released(harness, 10 * NS_PER_S)).toEqual([]);
  });

  test("that was held when a shutdown began is left to the next daemon", () => {
    const { held, recovery } = muted();
    held.hold(stallOf(), false, 8 * NS_PER_S);
    recovery.beginShutdown(9 * NS_PER_S);
    expect(held.wordOf(4_242)).toBe("untold");
    expect(recovery.isRecovering(4_242)).toBeTrue();
  });

  test("that a shutdown kept from being tried again is left to the next daemon", () => {
    const { recovery } = muted({ retry: true, debounceNs: 5 * NS_PER_S });
    expect(recovery.decideOne(stallOf({ pid: 50 }), 8 * NS_PER_S)).toBe("spawned");
    recovery.beginShutdown(9 * NS_PER_S);
    expect(recovery.sequenceCount).toBe(0);
    expect(recovery.isRecovering(50)).toBeTrue();
    expect(recovery.isRecovering(51)).toBeFalse();
  });

  test("of the daemon before are asked for when they had time to beat, unless they are muted", () => {
    const subject = muted();
    const { held, recovery } = subject;
    held.restore(stallOf({ pid: 4_242 }), false, NS_PER_S);
    held.restore(stallOf({ pid: 50 }), true, NS_PER_S);
    held.restore(stallOf({ pid: 51 }), true, 3 * NS_PER_S);
    expect([recovery.isRecovering(50), recovery.isRecovering(4_242)]).toEqual([true, true]);
    expect(held.nextDeadlineNs()).toBe(NS_PER_S);
    recovery.reap(NS_PER_S - 1);
    expect(held.hasReleased).toBe(false);
    recovery.reap(NS_PER_S);
    expect(held.take()).toMatchObject({ stall: { pid: 50 }, isTold: true });
    expect([held.hasReleased, held.nextDeadlineNs()]).toEqual([false, 3 * NS_PER_S]);
    expect(released(subject, 2 * NS_PER_S)).toEqual([[4_242, false]]);
    expect(released(subject, 3 * NS_PER_S)).toEqual([[51, true]]);
    expect(held.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("is dropped when the next process of its pid stalls, muted or not", () => {
    const { held, mutedPids } = muted();
    const earlier = stallOf({ pid: 4_242, generation: 5 });
    expect(held.hold(earlier, false, NS_PER_S)).toBe(true);
    mutedPids.clear();
    expect(held.hold({ ...earlier, generation: 6 }, false, 2 * NS_PER_S)).toBe(false);
    expect([held.has(4_242), held.wordOf(4_242)]).toEqual([false, ""]);
  });
});
