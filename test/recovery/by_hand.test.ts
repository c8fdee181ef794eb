// Recovery by hand (spec 16 section 9): which gates hold for everybody, and which are passed.
import { describe, expect, test } from "bun:test";
import { ORIGIN_NETWORK_UNVERIFIED } from "../../src/base/origin.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import type { Config } from "../../src/config/config.ts";
import type { Stall } from "../../src/events/stall.ts";
import type { StallVerdict } from "../../src/events/stall_verdict.ts";
import {
  FRESH_AGENT_RESUMED,
  FRESH_BEATS_REFUSED,
  FRESH_PID_RECYCLED,
} from "../../src/tracker/tracker.ts";
import { recoveryHarness, ScriptedHost, ScriptedRunner, stallOf } from "./harness.ts";

const NOW_NS = 8 * NS_PER_S;

function harness(config: Partial<Config["recovery"]> = {}, fresh = 0, muted = false) {
  const runner = new ScriptedRunner();
  const host = new ScriptedHost();
  const freshness = () => fresh;
  const made = recoveryHarness({ runner, host, config, freshness, isMuted: () => muted });
  return { ...made, runner, host };
}

function verdictOf(verdict: StallVerdict["verdict"]): Partial<Stall> {
  const rest = { unit: "", procState: "t", wchan: "", cpuTicks: NaN, tracerPid: 0, reason: "" };
  return { verdict: { verdict, freezerVersion: 0, waitStatus: NaN, ...rest } as StallVerdict };
}

describe("recovery by hand", () => {
  test("begins one that has a number and counts as any other", () => {
    const { recovery, runner, tellRuns } = harness({ budget: 2 });
    const { refused, recoveryId } = recovery.byHand(stallOf(), false, NOW_NS);
    expect([refused, recoveryId, runner.spawnCount]).toEqual([undefined, 1, 1]);
    expect(tellRuns()).toEqual(["1 began"]);
    const budget = recovery.gatesOf(stallOf(), NOW_NS).find(({ gate }) => gate === "gave_up");
    expect(budget).toMatchObject({ isOpen: true, fact: "budget: 1 of 2 in 1h" });
  });

  test("says of a stall that the program asked for whose word it is", () => {
    const { recovery } = harness();
    const of = (stall: Stall) => recovery.gatesOf(stall, NOW_NS)[0]!.fact;
    expect(of(stallOf())).toBe("it is stalled: silent for 6.0s of 5s");
    const asked = "it is stalled: at its own word: WATCHDOG=trigger";
    expect(of(stallOf({ isTriggered: true }))).toBe(asked);
  });

  test.each<[string, Partial<Stall>, number]>([
    ["not_stalled", {}, FRESH_AGENT_RESUMED],
    ["skipped_pid_recycled", {}, FRESH_PID_RECYCLED],
    ["beats_refused", {}, FRESH_BEATS_REFUSED],
    ["unproven_sender", { proven: false }, 0],
    ["unauthenticated_transport", { origin: ORIGIN_NETWORK_UNVERIFIED }, 0],
    ["cross_namespace_agent", { namespaceInode: 7 }, 0],
  ])("is refused as %s: that protects others", (word, fields, fresh) => {
    const { recovery, runner } = harness({}, fresh);
    const { refused } = recovery.byHand(stallOf(fields), false, NOW_NS);
    expect(refused).toBe(word as never);
    expect(runner.spawnCount).toBe(0);
  });

  test.each(["traced", "frozen"] as const)(
    "leaves alone what is %s, unless its plan says so",
    (word) => {
      const closed = harness({ when: ["hung"] });
      const stall = stallOf(verdictOf(word));
      expect(closed.recovery.byHand(stall, true, NOW_NS).refused).toBe("verdict_not_acted_on");
      const open = harness({ when: [word] });
      expect(open.recovery.byHand(stall, false, NOW_NS).refused).toBeUndefined();
    },
  );

  test("passes a verdict on which the plan does not act and that nobody else causes", () => {
    const { recovery } = harness({ when: ["exited"] });
    const { refused, gates } = recovery.byHand(stallOf(verdictOf("hung")), false, NOW_NS);
    expect(refused).toBeUndefined();
    const gate = gates.find(({ gate: word }) => word === "verdict_not_acted_on");
    expect(gate).toMatchObject({ isOpen: false, isPace: true });
  });

  test("passes mute, debounce, back-off, budget and storm, and names each", () => {
    const config = {
      steps: [{ kind: "signal", signal: "SIGTERM" }],
      command: undefined,
      budget: 1,
      stormLimit: 1,
      debounceNs: 60 * NS_PER_S,
    } as const;
    const { recovery, host } = harness(config, 0, true);
    expect(recovery.byHand(stallOf(), false, NOW_NS).refused).toBeUndefined();
    const { refused, gates } = recovery.byHand(stallOf(), false, NOW_NS + 1);
    expect(refused).toBeUndefined();
    const passed = gates.filter(({ isOpen }) => !isOpen).map(({ gate }) => gate);
    expect(passed).toEqual(["muted", "debounced", "gave_up", "storm_limit"]);
    expect(host.signals).toHaveLength(2);
  });

  test("is refused while a recovery or a command for it runs", () => {
    const { recovery } = harness();
    recovery.byHand(stallOf(), false, NOW_NS);
    expect(recovery.byHand(stallOf(), true, NOW_NS).refused).toBe("in_flight");
  });

  test("is refused where nothing is configured", () => {
    const { recovery } = harness({ command: undefined });
    expect(recovery.byHand(stallOf(), true, NOW_NS).refused).toBe("no_plan");
  });

  test("that is forced goes through all steps of one that beats", () => {
    const steps = [
      { kind: "signal", signal: "SIGQUIT" },
      { kind: "wait", waitNs: NS_PER_S },
      { kind: "signal", signal: "SIGKILL" },
    ] as const;
    const { recovery, host } = harness({ command: undefined, steps }, FRESH_AGENT_RESUMED);
    expect(recovery.byHand(stallOf(), true, NOW_NS).refused).toBeUndefined();
    recovery.reap(NOW_NS + 2 * NS_PER_S);
    expect(host.signals).toHaveLength(2);
  });

  test("the gates are asked without anything being done", () => {
    const { recovery, runner, outcomes } = harness();
    expect(recovery.gatesOf(stallOf(), NOW_NS).every(({ isOpen }) => isOpen)).toBeTrue();
    expect([runner.spawnCount, outcomes.length, recovery.sequenceCount]).toEqual([0, 0, 0]);
  });
});
