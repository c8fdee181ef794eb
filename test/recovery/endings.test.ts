// What recoveries come to (spec 10 section 3.3): each that begins has a number and one result, and
// that says what became of its steps.
import { describe, expect, test } from "bun:test";
import { ORIGIN_OPERATOR_ATTESTED } from "../../src/base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import type { PlanConfig } from "../../src/config/config.ts";
import type { RecoveryStep } from "../../src/config/keys/recovery_step.ts";
import type { Newcomer } from "../../src/recovery/successors.ts";
import {
  recoveryConfig,
  recoveryHarness,
  ScriptedHost,
  ScriptedRunner,
  stallOf,
  T0,
} from "./harness.ts";

const PID = 4242;
const GENERATION = 777;
const QUIT: RecoveryStep = { kind: "signal", signal: "SIGQUIT" };
const WAIT: RecoveryStep = { kind: "wait", waitNs: 5 * NS_PER_S };
const FIX: RecoveryStep = { kind: "exec", command: ["/bin/fix", "secret"] };
const RESTART: RecoveryStep = { kind: "restart_unit", unit: "app.service" };
const OWN_UNIT: RecoveryStep = { kind: "restart_unit", unit: "auto" };

function stepped(steps: readonly RecoveryStep[], config: Partial<PlanConfig> = {}) {
  const runner = new ScriptedRunner();
  const host = new ScriptedHost();
  const made = recoveryHarness({
    ...{ runner, host },
    config: { command: undefined, steps, debounceNs: NS_PER_S, ...config },
  });
  const at = (ms: number) => T0 + ms * NS_PER_MS;
  return {
    ...{ ...made, runner, host, at },
    decide(ms = 0, fields: Parameters<typeof stallOf>[0] = {}): string[] {
      const stall = stallOf({ pid: PID, generation: GENERATION, ...fields });
      made.recovery.decideOne(stall, at(ms));
      return made.tellRuns();
    },
    turn(ms: number): string[] {
      made.recovery.reap(at(ms));
      return made.tellRuns();
    },
    exit(index: number, code: number, ms: number, signal = Number.NaN): string[] {
      runner.children[index]!.exited(code, signal);
      made.recovery.reap(at(ms));
      return made.tellRuns();
    },
    /** A member starts and beats. */
    came(ms: number, fields: Partial<Newcomer> = {}): string[] {
      const newcomer = { agent: 9, uid: 1_000, unit: "", pid: 8_840, startedNs: at(ms), ...fields };
      this.taken = made.recovery.onNewcomer(newcomer, at(ms));
      return made.tellRuns();
    },
    /** Whether the last newcomer took a place. */
    taken: false,
    resume(ms: number): string[] {
      made.recovery.onResumed(PID, GENERATION, at(ms));
      return made.tellRuns();
    },
  };
}

describe("a recovery did not help", () => {
  test("as soon as its last step failed, whether a beat is awaited or not", () => {
    for (const verifyWithinNs of [undefined, 10 * NS_PER_S]) {
      const bed = stepped([QUIT, WAIT, RESTART], { verifyWithinNs });
      expect(bed.decide()).toEqual(["1 began"]);
      expect(bed.turn(5_000)).toEqual([]);
      expect(bed.exit(0, 1, 5_040)).toEqual([
        "1 not_helped: SIGQUIT sent; wait 5s no beat; restart app.service exit 1",
      ]);
      expect(bed.runs).toEqual([]);
      expect([bed.turn(20_000), bed.resume(21_000)]).toEqual([[], []]);
    }
  });

  test("and says with which exit code, or by which signal its command ended", () => {
    const bed = stepped([FIX]);
    bed.decide();
    bed.runner.children[0]!.exited(3, Number.NaN);
    bed.recovery.reap(bed.at(7));
    expect(bed.runs.at(-1)).toMatchObject({
      ...{ kind: "result", result: "not_helped", recoveryId: 1, plan: "", pid: PID, agent: 9 },
      ...{ steps: "/bin/fix exit 3", stepNumber: 1, stepCount: 1, exitCode: 3 },
      durationNs: 7 * NS_PER_MS,
    });
    bed.tellRuns();
    bed.decide(2_000);
    expect(bed.exit(1, Number.NaN, 2_010, 9)).toEqual(["2 not_helped: /bin/fix killed by SIGKILL"]);
  });

  test("when its wait is over, and when nothing of it could be done", () => {
    const waiting = stepped([QUIT, WAIT]);
    waiting.decide();
    expect(waiting.turn(5_000)).toEqual(["1 not_helped: SIGQUIT sent; wait 5s no beat"]);
    const undone = stepped([QUIT, FIX]);
    undone.host.signalError = "EPERM (operation not permitted)";
    undone.runner.spawnError = "ENOENT; no such file";
    expect(undone.decide()).toEqual([
      "1 began",
      "1 not_helped: SIGQUIT: EPERM (operation not permitted); /bin/fix: ENOENT, no such file",
    ]);
    const notOwned = stepped([OWN_UNIT]);
    expect(notOwned.decide()).toEqual(["1 began", "1 not_helped: restart auto: it is no service"]);
  });

  test("where a step needs the word of the kernel, and the beats came by UDP", () => {
    const text = "pid 4242 is not attested by the kernel: it came by UDP (listener aux)";
    for (const [step, subject] of [
      [QUIT, "SIGQUIT"],
      [OWN_UNIT, "restart auto"],
    ] as const) {
      const bed = stepped([step]);
      const origin = ORIGIN_OPERATOR_ATTESTED;
      expect(bed.decide(0, { origin, listener: 1 })).toEqual([
        "1 began",
        `1 not_helped: ${subject}: ${text}`,
      ]);
    }
  });

  test("when no beat came in time after steps that were done", () => {
    const bed = stepped([FIX], { verifyWithinNs: 10 * NS_PER_S });
    bed.decide();
    expect(bed.exit(0, 0, 100)).toEqual([]);
    expect(bed.turn(10_100)).toEqual(["1 not_helped: /bin/fix done, no beat within 10s"]);
  });
});

describe("a recovery helped", () => {
  test("when a beat comes while it waits, runs a command, or is awaited", () => {
    const waiting = stepped([QUIT, WAIT, FIX]);
    waiting.decide();
    expect(waiting.resume(300)).toEqual(["1 helped: SIGQUIT sent; wait 5s beat came"]);
    const running = stepped([FIX]);
    running.decide();
    expect(running.resume(5)).toEqual(["1 helped: /bin/fix runs"]);
    expect(running.exit(0, 1, 20)).toEqual([]);
    const awaited = stepped([QUIT], { verifyWithinNs: 10 * NS_PER_S });
    awaited.decide();
    expect(awaited.resume(300)).toEqual(["1 helped: SIGQUIT sent"]);
  });

  test("and is said to before the next one of its agent begins", () => {
    const bed = stepped([FIX], { verifyWithinNs: 10 * NS_PER_S, debounceNs: 0 });
    bed.decide();
    bed.exit(0, 0, 10);
    expect(bed.decide(2_000)).toEqual(["1 helped: /bin/fix done", "2 began"]);
  });
});

describe("a recovery of a process that has ended", () => {
  test("helped when another member of its agent comes, in its steps or after them", () => {
    const steps = stepped([QUIT, WAIT, FIX]);
    steps.decide();
    steps.host.dead.add(PID);
    expect(steps.came(700)).toEqual(["1 helped: SIGQUIT sent; wait 5s beat came"]);
    expect([steps.taken, steps.recovery.sequenceCount]).toEqual([true, 0]);
    expect(steps.turn(6_000)).toEqual([]);
    expect(steps.runner.spawnCount).toBe(0);
    const awaited = stepped([FIX], { verifyWithinNs: 10 * NS_PER_S });
    awaited.decide();
    awaited.host.dead.add(PID);
    awaited.exit(0, 0, 100);
    awaited.recovery.onNewcomer(
      { agent: 9, uid: 1_000, unit: "", pid: 8_840, startedNs: T0 },
      awaited.at(900),
    );
    expect(awaited.runs).toMatchObject([
      { result: "helped", byPid: 8_840, steps: "/bin/fix done", durationNs: 900 * NS_PER_MS },
    ]);
    expect(awaited.tell().at(-1)).toBe("verdict 4242 recovered after 900ms");
  });

  test("helped as soon as the old process is gone, if the new one came first", () => {
    const bed = stepped([FIX], { verifyWithinNs: 10 * NS_PER_S });
    bed.decide();
    expect(bed.came(50)).toEqual([]);
    bed.exit(0, 0, 100);
    expect([bed.taken, bed.turn(1_100)]).toEqual([true, []]);
    bed.host.dead.add(PID);
    expect(bed.turn(2_100)).toEqual(["1 helped: /bin/fix done"]);
  });

  test.each([
    ["of another agent", { agent: 8 }],
    ["of another user", { uid: 1_001 }],
    ["that ran before the last beat", { startedNs: 2 * NS_PER_S }],
    ["that is itself", { pid: PID }],
  ] as const)("is not helped by a process %s", (_which, fields) => {
    const bed = stepped([QUIT, WAIT]);
    bed.decide();
    bed.host.dead.add(PID);
    expect([bed.came(700, fields), bed.taken]).toEqual([[], false]);
  });

  test("is not helped by a process of another unit, where its own is known", () => {
    const bed = stepped([QUIT, WAIT], { verifyWithinNs: NS_PER_S });
    bed.host.units.set(PID, "a.service");
    bed.decide();
    bed.host.dead.add(PID);
    expect([bed.came(700, { unit: "b.service" }), bed.taken]).toEqual([[], false]);
    expect(bed.came(800, { unit: "a.service" })).toHaveLength(1);
  });

  test("is not helped by one that has taken another place", () => {
    const bed = stepped([QUIT, WAIT]);
    bed.decide();
    bed.decide(0, { pid: 4_243 });
    for (const pid of [PID, 4_243]) bed.host.dead.add(pid);
    expect(bed.came(700)).toHaveLength(1);
    expect(bed.came(800, { pid: 8_841 })).toHaveLength(1);
    expect([bed.came(900, { pid: 8_842 }), bed.taken]).toEqual([[], false]);
  });
});

describe("of a recovery that is not known to have helped", () => {
  test("it is said that its steps are done, if nobody asked for more", () => {
    const bed = stepped([QUIT]);
    expect(bed.decide()).toEqual(["1 began", "1 done: SIGQUIT sent"]);
  });

  test("it is said that the process ended, and none took its place", () => {
    const bed = stepped([FIX], { verifyWithinNs: 10 * NS_PER_S });
    bed.decide();
    bed.exit(0, 0, 100);
    bed.host.dead.add(PID);
    expect(bed.turn(10_100)).toEqual([
      "1 unverified: /bin/fix done, the process ended and no member came within 10s",
    ]);
  });

  test("it is said that the daemon stops", () => {
    const bed = stepped([QUIT, WAIT, FIX]);
    bed.decide();
    bed.recovery.beginShutdown(bed.at(1_000));
    expect(bed.tellRuns()).toEqual(["1 ended: SIGQUIT sent; wait 5s no beat, the daemon stops"]);
  });

  test("it is said that its pid belongs to another process", () => {
    const bed = stepped([FIX], { verifyWithinNs: 10 * NS_PER_S, debounceNs: 0 });
    bed.decide();
    bed.exit(0, 0, 10);
    expect(bed.decide(2_000, { generation: 778 })).toEqual([
      "1 ended: /bin/fix done, its pid belongs to another process",
      "2 began",
    ]);
  });
});

describe("a number", () => {
  test("is not given to what is refused, nor to one that waits for room to begin", () => {
    const bed = stepped([FIX], { debounceNs: 60 * NS_PER_S });
    bed.runner.spawnErrno = 24;
    expect(bed.decide()).toEqual([]);
    expect(bed.outcomes.at(-1)).toMatchObject({ kind: "deferred", recoveryId: 0 });
    bed.runner.spawnErrno = 0;
    expect(bed.turn(100)).toEqual(["1 began"]);
    bed.exit(0, 0, 200);
    expect(bed.decide(300)).toEqual([]);
    expect(bed.outcomes.at(-1)).toMatchObject({ reason: "debounced", recoveryId: 0 });
  });

  test("is not given to one whose unit another recovery restarts", () => {
    const bed = stepped([RESTART]);
    expect(bed.decide()).toEqual(["1 began"]);
    expect(bed.decide(1, { pid: 4243 })).toEqual([]);
  });

  test("belongs to all that is reported of it, with the name of its plan", () => {
    const runner = new ScriptedRunner();
    const plan = { ...recoveryConfig({ command: undefined, steps: [QUIT, FIX] }), name: "mend" };
    const bed = recoveryHarness({
      ...{ runner, host: new ScriptedHost(), plans: [plan] },
      policyOf: () => ({ name: "worker", recovery: "mend" }),
    });
    bed.recovery.decideOne(stallOf(), T0);
    runner.children[0]!.exited(1, Number.NaN);
    bed.recovery.reap(T0 + NS_PER_MS);
    for (const outcome of [...bed.outcomes, ...bed.runs])
      expect(outcome).toMatchObject({ recoveryId: 1, plan: "mend", agent: 9 });
    expect(bed.outcomes.map(({ kind }) => kind)).toEqual(["step", "spawn", "complete", "end"]);
  });

  test("has its result also if it failed so far, waits for room, and may not go on", () => {
    const bed = stepped([QUIT, FIX]);
    bed.host.signalError = "EPERM (operation not permitted)";
    bed.runner.spawnErrno = 24;
    expect(bed.decide()).toEqual(["1 began"]);
    expect(bed.resume(50)).toEqual([
      "1 ended: SIGQUIT: EPERM (operation not permitted), the agent beats again",
    ]);
  });
});

describe("the cause of a refusal", () => {
  test("has the figures of budget, storm and pause", () => {
    const causes = (config: Partial<PlanConfig>): string[] => {
      const bed = stepped([FIX], { debounceNs: 0, ...config });
      for (const pid of [1, 1, 2, 3]) {
        bed.decide(0, { pid });
        for (const { exited } of bed.runner.children) exited(0, Number.NaN);
        bed.turn(0);
      }
      return bed.outcomes.flatMap((one) => (one.kind === "refused" ? [one.error] : []));
    };
    expect(causes({ budget: 1 })).toEqual(["1 of 1 recoveries in 1h"]);
    expect(causes({ stormLimit: 2 })).toEqual(Array(2).fill("2 of 2 recoveries in 1m"));
    const pause = { debounceNs: NS_PER_S, backoffMaxNs: 60 * NS_PER_S, paceBy: "agent" } as const;
    const bed = recoveryHarness({
      ...{ runner: new ScriptedRunner(), host: new ScriptedHost() },
      config: { command: ["/bin/fix"], ...pause },
      policyOf: () => ({ name: "worker", recovery: undefined }),
    });
    bed.recovery.decideOne(stallOf({ pid: 1 }), T0);
    bed.recovery.decideOne(stallOf({ pid: 2 }), T0 + 460 * NS_PER_MS);
    expect(bed.outcomes.at(-1)).toMatchObject({
      reason: "backing_off",
      error: "the pause since the last one has 540ms left, and there is no retry after it",
    });
  });
});

describe("a dry run", () => {
  test("has a number and is done, whatever comes", () => {
    const bed = stepped([QUIT, WAIT, FIX], { dryRun: true, verifyWithinNs: NS_PER_S });
    expect(bed.decide()).toEqual(["1 began"]);
    bed.turn(5_000);
    expect(bed.turn(6_000)).toEqual([
      "1 done: SIGQUIT would be sent; wait 5s no beat; /bin/fix would run",
    ]);
  });
});
