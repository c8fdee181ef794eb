// Recoveries that have begun when the guard becomes active (spec 12 section 10): what follows waits
// for its end, because nobody knows then who is silent.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import type { GuardGate } from "../../src/recovery/recovery_options.ts";
import { recoveryHarness, ScriptedHost, ScriptedRunner, stallOf } from "./harness.ts";

const T0 = 10 * NS_PER_S;
const STEPS = [
  { kind: "signal", signal: "SIGTERM" },
  { kind: "wait", waitNs: 2 * NS_PER_S },
  { kind: "signal", signal: "SIGKILL" },
] as const;

function begun(isByHand = false) {
  let view: GuardGate["view"];
  const guard: GuardGate = {
    get view() {
      return view;
    },
    isHeld: () => false,
  };
  const host = new ScriptedHost();
  const config = { command: undefined, steps: STEPS, verifyWithinNs: NS_PER_S };
  const { recovery } = recoveryHarness({ runner: new ScriptedRunner(), host, config, guard });
  const stall = stallOf({ pid: 4_242, generation: 777 });
  if (isByHand) recovery.byHand(stall, false, T0);
  else recovery.decideOne(stall, T0);
  const reap = (seconds: number): void => void recovery.reap(T0 + seconds * NS_PER_S);
  const rises = (untilNs: number): void => {
    const sinceNs = T0 + NS_PER_S;
    view = {
      sinceNs,
      untilNs,
      windowNs: 4 * NS_PER_S,
      silent: 7,
      members: 12,
      evidence: undefined,
    };
  };
  const ends = (): void => {
    view = undefined;
  };
  return { host, recovery, reap, rises, ends };
}

describe("a recovery that has begun when the guard becomes active", () => {
  test("does its next step when that is over", () => {
    const { host, recovery, reap, rises, ends } = begun();
    expect(host.signals).toHaveLength(1);
    rises(T0 + 5 * NS_PER_S);
    reap(2);
    expect(host.signals).toHaveLength(1);
    expect(recovery.nextDeadlineNs()).toBe(T0 + 5 * NS_PER_S);
    // It was to be over by now, and is not: that is looked at again soon.
    reap(5);
    expect(host.signals).toHaveLength(1);
    expect(recovery.nextDeadlineNs()).toBe(T0 + 6 * NS_PER_S);
    ends();
    reap(6);
    expect(host.signals).toHaveLength(2);
  });

  test("goes on if somebody asked for it", () => {
    const { host, reap, rises } = begun(true);
    rises(T0 + 5 * NS_PER_S);
    reap(2);
    expect(host.signals).toHaveLength(2);
  });

  test("goes on if its process is gone: that is no silence", () => {
    const { host, recovery, reap, rises } = begun();
    rises(T0 + 5 * NS_PER_S);
    host.dead.add(4_242);
    reap(2);
    expect(recovery.nextDeadlineNs()).not.toBe(T0 + 5 * NS_PER_S);
  });
});
