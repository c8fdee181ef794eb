// Recoveries of several steps, and what is reported after the last one: order, waits, cancellation,
// verification, retries, pace, the limit over all agents, and dry runs.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { constants } from "node:os";
import { RECOVERY_SPAWNS_PER_TURN_MAX } from "../../src/base/limits.ts";
import { ORIGIN_OPERATOR_ATTESTED } from "../../src/base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import type { RecoveryStep } from "../../src/config/keys/recovery_step.ts";
import { HOLDER_NONE, HOLDER_SHOWN } from "../../src/recovery/agent_host.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import {
  EndlessStalls,
  type RecoveryHarnessOptions,
  recoveryConfig,
  recoveryHarness,
  ScriptedHost,
  ScriptedRunner,
  SIGKILL,
  stallOf,
} from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const T0 = 10 * NS_PER_S;
const PID = 4242;
const GENERATION = 777;

const TERM: RecoveryStep = { kind: "signal", signal: "SIGTERM" };
const KILL: RecoveryStep = { kind: "signal", signal: "SIGKILL" };
const WAIT_2S: RecoveryStep = { kind: "wait", waitNs: 2 * NS_PER_S };
const RECOVER: RecoveryStep = { kind: "exec", command: ["/bin/recover", "{pid}"] };
const REPAIR: RecoveryStep = { kind: "exec", command: ["/bin/repair", "{pid}"] };
const RESTART: RecoveryStep = { kind: "restart_unit", unit: "auto" };

function stepped(
  steps: readonly RecoveryStep[],
  config: RecoveryHarnessOptions["config"] = {},
  options: Partial<RecoveryHarnessOptions> = {},
) {
  const runner = new ScriptedRunner();
  const host = new ScriptedHost();
  const made = recoveryHarness({
    runner,
    host,
    ...options,
    config: {
      command: undefined,
      steps,
      debounceNs: NS_PER_S,
      restartUnits: ["*.service"],
      ...config,
    },
  });
  /** What the turn at `ms` after the first decision reports. */
  function turn(ms: number): string[] {
    made.recovery.reap(T0 + ms * NS_PER_MS);
    return made.tell();
  }
  function decide(ms = 0, fields: Parameters<typeof stallOf>[0] = {}): string[] {
    made.recovery.decideOne(stallOf({ pid: PID, generation: GENERATION, ...fields }), at(ms));
    return made.tell();
  }
  /** Child `index` exits with `code`; what the turn at `ms` reports. */
  function exit(index: number, code: number, ms: number): string[] {
    runner.children[index]!.exited(code, NaN);
    return turn(ms);
  }
  function resume(ms: number, generation = GENERATION, pid = PID): string[] {
    made.recovery.onResumed(pid, generation, at(ms));
    return made.tell();
  }
  return { ...made, runner, host, turn, decide, exit, resume };
}

function at(ms: number): number {
  return T0 + ms * NS_PER_MS;
}

describe("Steps are done in order", () => {
  test("each when the one before it is over, until one of them succeeds", () => {
    const bed = stepped([TERM, WAIT_2S, RECOVER, REPAIR]);
    expect(bed.decide()).toEqual(["step 4242 1/4 signal SIGTERM", "step 4242 2/4 wait 2000ms"]);
    expect(bed.host.signals).toEqual(["4242 15"]);
    expect(bed.recovery.nextDeadlineNs()).toBe(at(2_000));
    expect(bed.turn(1_999)).toEqual([]);
    expect(bed.turn(2_000)).toEqual(["spawn 4242 child 1000"]);
    expect(bed.exit(0, 3, 2_500)).toEqual([
      "complete 4242 child 1000 reaped code 3 after 500ms",
      "spawn 4242 child 1001",
    ]);
    expect(bed.exit(1, 0, 3_000)).toEqual([
      "complete 4242 child 1001 reaped code 0 after 500ms",
      "end 4242 succeeded at 4/4 after 3000ms",
    ]);
    expect(bed.runner.children.map(({ argv }) => argv)).toEqual([
      ["/bin/recover", "4242"],
      ["/bin/repair", "4242"],
    ]);
    expect(bed.recovery.sequenceCount).toBe(0);
    expect(bed.recovery.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("and an exec that succeeds ends what is left", () => {
    const bed = stepped([RECOVER, REPAIR]);
    expect(bed.decide()).toEqual(["spawn 4242 child 1000"]);
    expect(bed.exit(0, 0, 10)).toEqual([
      "complete 4242 child 1000 reaped code 0 after 10ms",
      "end 4242 succeeded at 1/2 after 10ms",
    ]);
    expect(bed.runner.spawnCount).toBe(1);
  });

  test("and one that cannot be done gives way to the next", () => {
    const bed = stepped([TERM, RECOVER, REPAIR]);
    bed.host.signalError = "left out, the process is gone";
    bed.runner.spawnError = "ENOENT (no such file or directory)";
    expect(bed.decide()).toEqual(["refused 4242 signal_failed", "refused 4242 spawn_failed"]);
    bed.runner.spawnError = "";
    expect(bed.turn(0)).toEqual(["spawn 4242 child 1000"]);
    expect(bed.outcomes[0]).toMatchObject({
      error: "SIGTERM: left out, the process is gone",
      step: "signal",
    });
    expect(bed.outcomes[1]).toMatchObject({ step: "exec", stepNumber: 2, stepCount: 3 });
  });

  test("and when none is left, that is reported", () => {
    const bed = stepped([TERM, RECOVER]);
    bed.decide();
    expect(bed.exit(0, 1, 5).at(-1)).toBe("end 4242 exhausted at 2/2 after 5ms");
  });

  test("and if nothing at all could be done, the debounce does not begin", () => {
    const bed = stepped([TERM, KILL]);
    bed.host.signalError = "EPERM (operation not permitted)";
    expect(bed.decide()).toEqual([
      "refused 4242 signal_failed",
      "refused 4242 signal_failed",
      "end 4242 exhausted at 2/2 after 0ms",
    ]);
    bed.host.signalError = "";
    expect(bed.decide(1)).toContain("step 4242 1/2 signal SIGTERM");
    expect(bed.decide(2)).toEqual(["refused 4242 debounced"]);
  });

  test("a command that is killed for its time counts as failed", () => {
    const bed = stepped([RECOVER, REPAIR], { timeoutNs: NS_PER_S });
    bed.decide();
    expect(bed.turn(1_000)).toEqual(["timeout 4242 child 1000 after 1000ms"]);
    bed.runner.children[0]!.exited(0, NaN);
    expect(bed.turn(1_100)).toEqual([
      "complete 4242 child 1000 killed code 0 after 1100ms",
      "spawn 4242 child 1001",
    ]);
  });

  test("also by an observer that sees no processes: it cannot signal, and says so", () => {
    const runner = new ScriptedRunner();
    const { recovery, outcomes, tell } = recoveryHarness({
      runner,
      config: { command: undefined, steps: [TERM, RESTART, RECOVER] },
    });
    recovery.decideOne(stallOf(), T0);
    expect(tell()).toEqual([
      "refused 4242 signal_failed",
      "refused 4242 unit_unknown",
      "spawn 4242 child 1000",
    ]);
    expect(outcomes[0]).toMatchObject({
      error: "SIGTERM: this observer cannot signal processes",
    });
  });
});

describe("Before each step", () => {
  test("a beat that came back drops what is left", () => {
    const bed = stepped([TERM, WAIT_2S, RECOVER]);
    bed.decide();
    expect(bed.resume(500)).toEqual(["end 4242 agent_resumed at 2/3 after 500ms"]);
    expect(bed.turn(2_000)).toEqual([]);
    expect(bed.runner.spawnCount).toBe(0);
    expect(bed.recovery.sequenceCount).toBe(0);
  });

  test("waits with its next step while beats of the agent are refused", () => {
    let freshness = 0;
    const bed = stepped([TERM, WAIT_2S, RECOVER], {}, { freshness: () => freshness });
    bed.decide();
    freshness = 4;
    expect(bed.turn(2_000)).toEqual([]);
    expect(bed.turn(3_500)).toEqual([]);
    expect(bed.runner.spawnCount).toBe(0);
    freshness = 0;
    expect(bed.turn(4_500)).toEqual(["spawn 4242 child 1000"]);
  });

  test("the beat of another process of the same pid is no beat of the agent", () => {
    let freshness = 0;
    const bed = stepped([TERM, WAIT_2S, RECOVER], {}, { freshness: () => freshness });
    bed.decide();
    expect(bed.resume(500, GENERATION + 1)).toEqual([]);
    freshness = 2;
    expect(bed.turn(2_000)).toEqual(["end 4242 pid_recycled at 2/3 after 2000ms"]);
    expect(bed.runner.spawnCount).toBe(0);
  });

  test("it is asked again whether the stall holds", () => {
    const asked: number[] = [];
    let freshness = 0;
    const bed = stepped(
      [TERM, WAIT_2S, RECOVER, REPAIR],
      {},
      {
        freshness: (pid) => {
          asked.push(pid);
          return freshness;
        },
      },
    );
    bed.decide();
    bed.turn(2_000);
    // The decision, the wait, and the command.
    expect(asked).toEqual([PID, PID, PID]);
    freshness = 1;
    expect(bed.exit(0, 1, 3_000)).toEqual([
      "complete 4242 child 1000 reaped code 1 after 1000ms",
      "end 4242 agent_resumed at 3/4 after 3000ms",
    ]);
  });

  test("a beat during a command lets it run to its end, and drops the rest", () => {
    const bed = stepped([RECOVER, REPAIR]);
    bed.decide();
    expect(bed.resume(5)).toEqual(["end 4242 agent_resumed at 1/2 after 5ms"]);
    expect(bed.runner.children[0]!.signals).toEqual([]);
    expect(bed.exit(0, 1, 10)).toEqual(["complete 4242 child 1000 reaped code 1 after 10ms"]);
    expect(bed.runner.spawnCount).toBe(1);
  });

  test("a new stall makes the recovery of the one before it void", () => {
    const bed = stepped([TERM, WAIT_2S, RECOVER], { debounceNs: 0 });
    bed.decide();
    expect(bed.decide(1_500)).toEqual([
      "step 4242 1/3 signal SIGTERM",
      "step 4242 2/3 wait 2000ms",
    ]);
    expect(bed.turn(2_000)).toEqual([]);
    expect(bed.turn(3_500)).toEqual(["spawn 4242 child 1000"]);
  });
});

describe("A signal", () => {
  test("is for processes that the kernel vouches for, and for no others", () => {
    const bed = stepped([TERM, RECOVER]);
    expect(bed.decide(0, { origin: ORIGIN_OPERATOR_ATTESTED, namespaceInode: NaN })).toEqual([
      "refused 4242 signal_failed",
      "spawn 4242 child 1000",
    ]);
    expect(bed.host.signals).toEqual([]);
  });
});

describe("restart_unit", () => {
  test("restarts the unit of the agent, as it was when the recovery began", () => {
    const bed = stepped([TERM, WAIT_2S, RESTART], { env: { A: "b" } });
    bed.host.units.set(PID, "app.service");
    bed.decide();
    bed.host.units.delete(PID);
    bed.host.dead.add(PID);
    expect(bed.turn(2_000)).toEqual(["spawn 4242 child 1000"]);
    expect(bed.runner.children[0]).toMatchObject({
      argv: ["systemctl", "--no-ask-password", "restart", "app.service"],
      env: { A: "b", VARTA_PID: "4242" },
    });
    expect(bed.outcomes.at(-1)).toMatchObject({ program: "systemctl", step: "restart_unit" });
  });

  test("restarts a unit by name without asking who the agent is", () => {
    const bed = stepped([{ kind: "restart_unit", unit: "db.service" }]);
    bed.decide(0, { origin: ORIGIN_OPERATOR_ATTESTED, namespaceInode: NaN });
    expect(bed.runner.children[0]!.argv.at(-1)).toBe("db.service");
  });

  test("refuses an agent of which no unit can be named, and does not begin a debounce", () => {
    const bed = stepped([RESTART]);
    expect(bed.decide()).toEqual(["refused 4242 unit_unknown"]);
    expect(bed.outcomes[0]).toMatchObject({ error: "it is no service", step: "restart_unit" });
    bed.host.units.set(PID, "app.service");
    expect(bed.decide(1)).toEqual(["spawn 4242 child 1000"]);
  });

  test("restarts a unit once, whichever of its processes stalled too", () => {
    const bed = stepped([RESTART]);
    for (const pid of [1, 2, 3]) bed.host.units.set(pid, "app.service");
    expect([1, 2, 3].flatMap((pid) => bed.decide(0, { pid }))).toEqual([
      "spawn 1 child 1000",
      "refused 2 unit_in_flight",
      "refused 3 unit_in_flight",
    ]);
    bed.exit(0, 0, 50);
    expect(bed.decide(60, { pid: 2 })).toEqual(["spawn 2 child 1001"]);
  });
});

describe("verify_within", () => {
  const VERIFIED = { verifyWithinNs: 10 * NS_PER_S };

  test("reports a beat that came back in time, with how long it took", () => {
    const bed = stepped([RECOVER], VERIFIED);
    bed.decide();
    expect(bed.exit(0, 0, 100)).toEqual(["complete 4242 child 1000 reaped code 0 after 100ms"]);
    expect(bed.resume(5_000)).toEqual(["verdict 4242 recovered after 5000ms"]);
    expect(bed.turn(20_000)).toEqual([]);
  });

  test("tells that none came, counted from the end of the recovery", () => {
    const bed = stepped([RECOVER], VERIFIED);
    bed.decide();
    bed.exit(0, 0, 100);
    expect(bed.recovery.nextDeadlineNs()).toBe(at(10_100));
    expect(bed.turn(10_099)).toEqual([]);
    expect(bed.turn(10_100)).toEqual(["verdict 4242 not_recovered after 10100ms"]);
    expect(bed.recovery.sequenceCount).toBe(0);
  });

  test("takes a beat before the end of the recovery for a success, too", () => {
    const bed = stepped([TERM, WAIT_2S, RECOVER], VERIFIED);
    bed.decide();
    expect(bed.resume(300)).toEqual([
      "end 4242 agent_resumed at 2/3 after 300ms",
      "verdict 4242 recovered after 300ms",
    ]);
  });

  test("does not know about a process that is gone without a unit", () => {
    const bed = stepped([RECOVER], VERIFIED);
    bed.decide();
    bed.exit(0, 0, 100);
    bed.host.dead.add(PID);
    expect(bed.turn(10_100)).toEqual(["verdict 4242 unknown after 10100ms"]);
  });

  test("finds the successor of a process that is gone, in its unit", () => {
    const bed = stepped([RECOVER], VERIFIED);
    bed.host.units.set(PID, "app.service");
    bed.decide();
    bed.exit(0, 0, 100);
    bed.host.beating.add("app.service");
    // Another process of the unit beats, and the agent still hangs: that is no recovery.
    expect(bed.turn(1_100)).toEqual([]);
    bed.host.dead.add(PID);
    expect(bed.turn(2_100)).toEqual(["verdict 4242 recovered by app.service after 2100ms"]);
  });

  test("reports a unit that did not come back", () => {
    const bed = stepped([RECOVER], VERIFIED);
    bed.host.units.set(PID, "app.service");
    bed.decide();
    bed.exit(0, 0, 100);
    bed.host.dead.add(PID);
    for (let ms = 1_000; ms < 10_100; ms += 1_000) expect(bed.turn(ms)).toEqual([]);
    expect(bed.turn(10_100)).toEqual(["verdict 4242 not_recovered after 10100ms"]);
  });

  test("a successor that beats ends the steps, too", () => {
    const bed = stepped([KILL, WAIT_2S, RECOVER], VERIFIED);
    bed.host.units.set(PID, "app.service");
    bed.decide();
    bed.host.dead.add(PID);
    bed.host.beating.add("app.service");
    expect(bed.turn(2_000)).toEqual([
      "end 4242 agent_resumed at 2/3 after 2000ms",
      "verdict 4242 recovered by app.service after 2000ms",
    ]);
    expect(bed.runner.spawnCount).toBe(0);
  });

  test("says nothing about a recovery that could not do anything", () => {
    const bed = stepped([RECOVER], VERIFIED);
    bed.runner.spawnError = "ENOENT (no such file or directory)";
    expect(bed.decide()).toEqual(["refused 4242 spawn_failed"]);
    expect(bed.turn(20_000)).toEqual([]);
  });
});

describe("restart_unit = auto, of a unit that is not listed", () => {
  const UNLISTED = { restartUnits: ["worker@*.service"] };
  const SHOW = [
    "systemctl",
    "--no-pager",
    "show",
    "--property=User",
    "--property=UID",
    "--property=MainPID",
    "--property=ExecMainPID",
    "--property=ExecMainExitTimestampMonotonic",
    "--",
    "app.service",
  ];
  /** The agent of `stallOf()` is the main process, and beats as the user of the unit. */
  const OWN = "User=app\nUID=1000\nMainPID=4242\nExecMainPID=4242\n";

  function asking(steps: readonly RecoveryStep[], config: RecoveryHarnessOptions["config"] = {}) {
    const bed = stepped(steps, { ...UNLISTED, ...config });
    bed.host.units.set(PID, "app.service");
    /** Child `index`, which asked, ends with `text`; what the turn at `ms` reports. */
    function answer(index: number, text: string, ms: number): string[] {
      bed.runner.children[index]!.says(text);
      return bed.exit(index, 0, ms);
    }
    return { ...bed, answer };
  }

  test("is done for the main process that beats as the user of the unit, once systemd has said so", () => {
    const bed = asking([RESTART]);
    expect(bed.decide()).toEqual([]);
    expect(bed.runner.children[0]!.argv).toEqual(SHOW);
    expect(bed.runner.children[0]!.env).toMatchObject({ LC_ALL: "C" });
    expect(bed.turn(10)).toEqual([]);
    expect(bed.answer(0, OWN, 20)).toEqual(["spawn 4242 child 1001"]);
    expect(bed.runner.children[1]!.argv.slice(2)).toEqual(["restart", "app.service"]);
  });

  test.each([
    [
      "another user",
      "User=\nUID=[not set]\nMainPID=4242\n",
      "it beats as uid 1000, and app.service runs as 0",
    ],
    [
      "another process",
      "User=app\nUID=1000\nMainPID=7\n",
      "it is not the main process of app.service",
    ],
    [
      "a user of no number",
      "User=app\nUID=[not set]\nMainPID=4242\n",
      "the user of app.service is not known",
    ],
    ["no answer", "Failed to connect to bus\n", "systemd does not say whose app.service is"],
  ])("is refused with its own reason after %s", (_what, text, error) => {
    const bed = asking([RESTART]);
    bed.decide();
    expect(bed.answer(0, text, 20)).toEqual(["refused 4242 unit_not_owned"]);
    expect(bed.outcomes.at(-1)).toMatchObject({ error, step: "restart_unit" });
    expect([bed.runner.spawnCount, bed.recovery.sequenceCount]).toEqual([1, 0]);
    // What was refused opens no debounce.
    bed.decide(30);
    expect(bed.answer(1, OWN, 40)).toEqual(["spawn 4242 child 1002"]);
  });

  test("is asked before the first step that acts, for that may end the process", () => {
    const bed = asking([WAIT_2S, KILL, RESTART]);
    bed.decide();
    expect(bed.runner.spawnCount).toBe(0);
    expect(bed.turn(2_000)).toEqual(["step 4242 2/3 signal SIGKILL"]);
    expect(bed.runner.children[0]!.argv).toEqual(SHOW);
    const ended = "User=app\nUID=1000\nMainPID=0\nExecMainPID=4242\n";
    expect(bed.answer(0, `${ended}ExecMainExitTimestampMonotonic=5000001\n`, 2_010)).toEqual([
      "spawn 4242 child 1001",
    ]);
  });

  test("is refused if the main process had ended before the agent was seen: it is another of that pid", () => {
    const bed = asking([RESTART]);
    bed.decide();
    const ended = "User=app\nUID=1000\nMainPID=0\nExecMainPID=4242\n";
    expect(bed.answer(0, `${ended}ExecMainExitTimestampMonotonic=4999999\n`, 20)).toEqual([
      "refused 4242 unit_not_owned",
    ]);
  });

  test("gives way to the next step if it is refused", () => {
    const bed = asking([TERM, RESTART, REPAIR]);
    expect(bed.decide()).toEqual(["step 4242 1/3 signal SIGTERM"]);
    expect(bed.answer(0, "User=\nMainPID=1\n", 20)).toEqual([
      "refused 4242 unit_not_owned",
      "spawn 4242 child 1001",
    ]);
  });

  test("waits five seconds for an answer, and ends who does not give one", () => {
    const bed = asking([RESTART]);
    bed.decide();
    expect(bed.recovery.nextDeadlineNs()).toBe(at(5_000));
    expect(bed.turn(4_999)).toEqual([]);
    expect(bed.turn(5_000)).toEqual(["refused 4242 unit_not_owned"]);
    expect(bed.outcomes.at(-1)).toMatchObject({
      error: "systemd did not answer about app.service",
    });
    expect(bed.runner.children[0]!.signals).toEqual([SIGKILL]);
  });

  test("asked for by hand is tried again, too, past the debounce that it had passed", () => {
    const bed = asking([RESTART]);
    bed.decide();
    expect(bed.answer(0, OWN, 20)).toEqual(["spawn 4242 child 1001"]);
    bed.exit(1, 0, 30);
    bed.runner.spawnErrno = constants.errno.EMFILE;
    expect(bed.recovery.byHand(stallOf(), false, at(40)).refused).toBeUndefined();
    bed.runner.spawnErrno = 0;
    bed.turn(140);
    expect(bed.answer(2, OWN, 160)).toEqual(["spawn 4242 child 1003"]);
  });

  test("is tried again if the service manager cannot be asked for now", () => {
    const bed = asking([RESTART]);
    bed.runner.spawnErrno = constants.errno.EMFILE;
    expect(bed.decide()).toEqual(["deferred 4242 restart_unit by 100ms: systemd"]);
    bed.runner.spawnErrno = 0;
    expect(bed.turn(100)).toEqual([]);
    expect(bed.answer(0, OWN, 120)).toEqual(["spawn 4242 child 1001"]);
  });

  test("is asked once for all agents of a unit, and four units at a time", () => {
    const bed = asking([RESTART]);
    for (let pid = 1; pid <= 12; pid++) {
      bed.host.units.set(pid, `app${Math.ceil(pid / 2)}.service`);
      bed.decide(0, { pid });
    }
    expect(bed.runner.children.map(({ argv }) => argv.at(-1))).toEqual([
      "app1.service",
      "app2.service",
      "app3.service",
      "app4.service",
    ]);
    expect(bed.answer(1, "User=app\nUID=1000\nMainPID=4\n", 20)).toEqual([
      "refused 3 unit_not_owned",
      "spawn 4 child 1005",
    ]);
    expect(bed.runner.children[4]!.argv.at(-1)).toBe("app5.service");
  });

  test("is looked up in a dry run, too, and then not done", () => {
    const bed = asking([RESTART], { dryRun: true });
    bed.decide();
    expect(bed.answer(0, OWN, 20)).toEqual(["dry run: step 4242 1/1 restart_unit systemctl ..."]);
    expect(bed.runner.spawnCount).toBe(1);
  });

  test("is not asked about a unit that is listed, nor for one by name", () => {
    const bed = asking([RESTART]);
    bed.host.units.set(PID, "worker@7.service");
    expect(bed.decide()).toEqual(["spawn 4242 child 1000"]);
    const named = asking([{ kind: "restart_unit", unit: "app.service" }]);
    expect(named.decide()).toEqual(["spawn 4242 child 1000"]);
  });

  test.each([
    ["the agent is back", (bed: ReturnType<typeof asking>) => bed.resume(10)],
    ["the daemon stops", (bed: ReturnType<typeof asking>) => bed.recovery.beginShutdown(at(10))],
  ])("is dropped when %s", (_when, end) => {
    const bed = asking([RESTART]);
    bed.decide();
    end(bed);
    expect(bed.answer(0, OWN, 20)).toEqual([]);
    expect([bed.runner.spawnCount, bed.recovery.sequenceCount]).toEqual([1, 0]);
  });
});

describe("Where no process has the pid of an agent that was never identified", () => {
  const UNKNOWN = { generation: NaN, namespaceInode: NaN, proven: false };
  const REFRESH: RecoveryStep = { kind: "exec", command: ["/bin/refresh"] };
  const RESTART_APP: RecoveryStep = { kind: "restart_unit", unit: "app.service" };

  function gone(steps: readonly RecoveryStep[], config: RecoveryHarnessOptions["config"] = {}) {
    const bed = stepped(steps, config, { freshness: () => 3 });
    bed.host.holder = HOLDER_NONE;
    return bed;
  }

  test("steps that need the pid are left out, and the others done", () => {
    const bed = gone([TERM, WAIT_2S, RECOVER, REFRESH, RESTART, RESTART_APP]);
    expect(bed.decide(0, UNKNOWN)).toEqual([
      "refused 4242 step_left_out",
      "step 4242 2/6 wait 2000ms",
    ]);
    expect(bed.turn(2_000)).toEqual(["refused 4242 step_left_out", "spawn 4242 child 1000"]);
    expect(bed.exit(0, 1, 2_100).slice(1)).toEqual([
      "refused 4242 step_left_out",
      "spawn 4242 child 1001",
    ]);
    expect(bed.runner.children.map(({ argv }) => argv)).toEqual([
      ["/bin/refresh"],
      ["systemctl", "--no-ask-password", "restart", "app.service"],
    ]);
    expect(bed.host.signals).toEqual([]);
    for (const { env } of bed.runner.children)
      expect(env).toMatchObject({ VARTA_PID: "", VARTA_PID_GONE: "1" });
  });

  test("it is checked right before each step: a new owner of the pid ends the recovery", () => {
    const bed = gone([WAIT_2S, REFRESH]);
    bed.decide(0, UNKNOWN);
    bed.host.holder = HOLDER_SHOWN;
    expect(bed.turn(2_000)).toEqual(["end 4242 pid_recycled at 1/2 after 2000ms"]);
    expect(bed.runner.spawnCount).toBe(0);
  });

  test("and so it is before a step is tried again", () => {
    const bed = gone([REFRESH]);
    bed.runner.spawnErrno = constants.errno.EMFILE;
    bed.decide(0, UNKNOWN);
    bed.runner.spawnErrno = 0;
    bed.host.holder = HOLDER_SHOWN;
    expect(bed.turn(100)).toEqual(["refused 4242 unproven_sender"]);
    expect(bed.runner.spawnCount).toBe(1);
  });

  test("whether it helped is unknown: nothing names its successor", () => {
    const bed = gone([REFRESH], { verifyWithinNs: 5 * NS_PER_S });
    bed.decide(0, UNKNOWN);
    bed.exit(0, 0, 10);
    expect(bed.turn(5_010)).toEqual(["verdict 4242 unknown after 5010ms"]);
  });
});

describe("What the system is too short of to start", () => {
  const { EAGAIN, EMFILE, ENFILE, ENOMEM, ETXTBSY } = constants.errno;

  test.each([
    ["EMFILE", EMFILE],
    ["ENFILE", ENFILE],
    ["EAGAIN", EAGAIN],
    ["ENOMEM", ENOMEM],
    ["ETXTBSY", ETXTBSY],
  ])("is tried again after %s, at the step that failed", (name, errno) => {
    const bed = stepped([TERM, RECOVER, REPAIR]);
    bed.runner.spawnErrno = errno;
    expect(bed.decide()).toEqual([
      "step 4242 1/3 signal SIGTERM",
      `deferred 4242 exec by 100ms: ${name}`,
    ]);
    expect(bed.turn(99)).toEqual([]);
    bed.runner.spawnErrno = 0;
    expect(bed.turn(100)).toEqual(["spawn 4242 child 1000"]);
    expect(bed.exit(0, 1, 200).at(-1)).toBe("spawn 4242 child 1001");
    expect(bed.host.signals).toEqual(["4242 15"]);
    expect(bed.runner.children.map(({ argv }) => argv[0])).toEqual(["/bin/recover", "/bin/repair"]);
  });

  test("waits twice as long each time, half a minute at most, and no longer than ten minutes in all", () => {
    const bed = stepped([RECOVER, REPAIR]);
    bed.runner.spawnErrno = EMFILE;
    bed.decide();
    const dueMs: number[] = [];
    let told: string[] = [];
    while (bed.recovery.sequenceCount > 0 && dueMs.length < 100) {
      const ms = (bed.recovery.nextDeadlineNs() - T0) / NS_PER_MS;
      dueMs.push(ms);
      told = bed.turn(ms);
      if (told[0] === "refused 4242 spawn_failed") break;
    }
    expect(dueMs.slice(0, 5)).toEqual([100, 300, 700, 1_500, 3_100]);
    expect(dueMs.at(-1)! - dueMs.at(-2)!).toBe(30_000);
    expect(dueMs.at(-2)!).toBeLessThan(600_000);
    expect(dueMs.at(-1)!).toBeGreaterThanOrEqual(600_000);
    // The next step has all of its time.
    expect(bed.turn(700_000).at(-1)).toStartWith("deferred 4242 exec by");
  });

  test("and a unit, or the descriptor of a process that is to be signalled, is no different", () => {
    const bed = stepped([TERM, { kind: "restart_unit", unit: "app.service" }]);
    bed.host.signalErrno = EMFILE;
    bed.runner.spawnErrno = ENOMEM;
    expect(bed.decide()).toEqual(["deferred 4242 signal by 100ms: SIGTERM:"]);
    bed.host.signalErrno = 0;
    expect(bed.turn(100)).toEqual([
      "step 4242 1/2 signal SIGTERM",
      "deferred 4242 restart_unit by 100ms: ENOMEM",
    ]);
    bed.runner.spawnErrno = 0;
    expect(bed.turn(200)).toEqual(["spawn 4242 child 1000"]);
  });

  test("spends no budget, opens no debounce and starts no storm until it begins", () => {
    const bed = stepped([RECOVER], { budget: 1, stormLimit: 1, debounceNs: 60 * NS_PER_S });
    bed.runner.spawnErrno = EMFILE;
    bed.decide();
    expect(bed.turn(100)).toEqual(["deferred 4242 exec by 200ms: EMFILE"]);
    bed.runner.spawnErrno = 0;
    expect(bed.decide(200, { pid: 7 })).toEqual(["spawn 7 child 1000"]);
    // The limit over all agents holds for it as for any other, when its time has come.
    expect(bed.turn(300)).toEqual([]);
    bed.exit(0, 0, 400);
    expect(bed.turn(60_200)).toEqual(["spawn 4242 child 1001"]);
    bed.exit(1, 0, 60_300);
    expect(bed.decide(60_400)).toEqual(["refused 4242 debounced"]);
    expect(bed.decide(121_000)).toEqual(["refused 4242 gave_up"]);
  });

  test.each([
    ["before anything was done", [RECOVER], []],
    ["in the middle", [TERM, RECOVER], ["end 4242 agent_resumed at 1/2 after 50ms"]],
  ])("is left alone when the agent is back, %s", (_when, steps, told) => {
    const bed = stepped(steps);
    bed.runner.spawnErrno = EMFILE;
    bed.decide();
    expect(bed.resume(50)).toEqual(told);
    bed.runner.spawnErrno = 0;
    expect(bed.turn(10_000)).toEqual([]);
    expect([bed.recovery.sequenceCount, bed.runner.spawnCount]).toEqual([0, 1]);
  });

  test("is counted once as put off, and each try", () => {
    const bed = stepped([RECOVER]);
    bed.runner.spawnErrno = EMFILE;
    bed.decide();
    bed.turn(100);
    expect(bed.outcomes.map((one) => "label" in one && one.label)).toEqual(["deferred", undefined]);
  });

  test("is reported and dropped at a shutdown", () => {
    const bed = stepped([TERM, RECOVER]);
    bed.runner.spawnErrno = EMFILE;
    bed.decide();
    bed.recovery.beginShutdown(at(10));
    expect(bed.tell()).toEqual(["end 4242 stopped at 1/2 after 10ms"]);
    expect(bed.recovery.shutdownDone(at(10))).toBe(true);
  });
});

describe("backoff_max and budget", () => {
  test("hold recoveries of an agent back, longer each time", () => {
    const bed = stepped([TERM], { backoffMaxNs: 60 * NS_PER_S });
    expect(bed.decide(0)).toEqual(["step 4242 1/1 signal SIGTERM"]);
    expect(bed.decide(1_000)).toEqual(["step 4242 1/1 signal SIGTERM"]);
    expect(bed.decide(2_000)).toEqual(["refused 4242 backing_off"]);
    expect(bed.decide(3_000)).toEqual(["step 4242 1/1 signal SIGTERM"]);
    expect(bed.decide(6_999)).toEqual(["refused 4242 backing_off"]);
  });

  test("give up on it, once as news", () => {
    const bed = stepped([TERM], { budget: 2, budgetWindowNs: 60 * NS_PER_S });
    bed.decide(0);
    bed.decide(2_000);
    expect(bed.decide(4_000)).toEqual(["refused 4242 gave_up"]);
    expect(bed.decide(6_000)).toEqual(["refused 4242 gave_up"]);
    expect(bed.outcomes.slice(-2).map((one) => "isRepeated" in one && one.isRepeated)).toEqual([
      false,
      true,
    ]);
    // The older of the two, which began at 10 s, leaves the window then.
    const used = { recoveries: 2, windowNs: 60 * NS_PER_S, nextNs: 70 * NS_PER_S };
    expect(bed.outcomes.at(-1)).toMatchObject({ reason: "gave_up", used });
    expect(bed.recovery.givenUpCount).toBe(1);
    bed.turn(61_000);
    expect(bed.recovery.givenUpCount).toBe(0);
    expect(bed.decide(61_001)).toEqual(["step 4242 1/1 signal SIGTERM"]);
  });

  test("count by unit, if that is asked for: a restart does not begin again", () => {
    const bed = stepped([RESTART], { budget: 1, paceBy: "unit" });
    bed.host.units.set(1, "app.service");
    bed.host.units.set(2, "app.service");
    bed.host.units.set(3, "other.service");
    expect(bed.decide(0, { pid: 1 })).toEqual(["spawn 1 child 1000"]);
    bed.exit(0, 0, 50);
    expect(bed.decide(100, { pid: 2 })).toEqual(["refused 2 gave_up"]);
    expect(bed.decide(100, { pid: 3 })).toEqual(["spawn 3 child 1001"]);
  });

  test("are not spent by what could not be done", () => {
    const bed = stepped([RECOVER], { budget: 1 });
    bed.runner.spawnError = "EACCES (permission denied)";
    for (let ms = 0; ms < 5; ms++) expect(bed.decide(ms)).toEqual(["refused 4242 spawn_failed"]);
    bed.runner.spawnError = "";
    expect(bed.decide(5)).toEqual(["spawn 4242 child 1000"]);
  });
});

describe("storm_limit", () => {
  test("refuses what is too much for all together, and reports begin and end", () => {
    const bed = stepped([TERM], { stormLimit: 2, stormWindowNs: 60 * NS_PER_S });
    const told = [1, 2, 3, 4].flatMap((pid) => bed.decide(0, { pid }));
    expect(told).toEqual([
      "step 1 1/1 signal SIGTERM",
      "step 2 1/1 signal SIGTERM",
      "storm begins at 2 in 60000ms",
      "refused 3 storm_limit",
      "refused 4 storm_limit",
    ]);
    expect(bed.turn(59_999)).toEqual([]);
    expect(bed.turn(60_000)).toEqual(["storm over after 60000ms, refused 2"]);
    expect(bed.decide(60_000, { pid: 3 })).toEqual(["step 3 1/1 signal SIGTERM"]);
  });

  test("counts recoveries, not their steps", () => {
    const bed = stepped([TERM, KILL, RECOVER], { stormLimit: 2 });
    bed.decide(0, { pid: 1 });
    expect(bed.decide(0, { pid: 2 })).toHaveLength(3);
    expect(bed.decide(0, { pid: 3 })).toEqual([
      "storm begins at 2 in 60000ms",
      "refused 3 storm_limit",
    ]);
  });
});

describe("retry", () => {
  const RETRIED = { verifyWithinNs: 5 * NS_PER_S, retry: true, budget: 3 };
  const PLAN = {
    ...recoveryConfig({ ...RETRIED, command: undefined, steps: [TERM], debounceNs: 0 }),
    name: "restart",
  };

  test("recovers an agent again that stays silent, until its budget is used up", () => {
    const bed = stepped([TERM], { ...RETRIED, budgetWindowNs: 100 * NS_PER_S });
    expect(bed.decide()).toEqual(["step 4242 1/1 signal SIGTERM"]);
    expect(bed.turn(5_000)).toEqual(["verdict 4242 not_recovered after 5000ms"]);
    expect(bed.turn(10_000)).toEqual(["step 4242 1/1 signal SIGTERM"]);
    expect(bed.turn(15_000)).toEqual(["verdict 4242 not_recovered after 5000ms"]);
    expect(bed.turn(20_000)).toEqual(["step 4242 1/1 signal SIGTERM"]);
    expect(bed.turn(25_000)).toEqual(["verdict 4242 not_recovered after 5000ms"]);
    expect(bed.turn(30_000)).toEqual([]);
    expect(bed.turn(99_999)).toEqual([]);
    expect(bed.turn(100_000)).toEqual(["step 4242 1/1 signal SIGTERM"]);
    expect(bed.resume(101_000)).toEqual(["verdict 4242 recovered after 1000ms"]);
    expect(bed.turn(500_000)).toEqual([]);
  });

  test("is paced by the back-off", () => {
    const bed = stepped([TERM], { ...RETRIED, budget: 9, backoffMaxNs: 60 * NS_PER_S });
    bed.decide();
    const startsMs: number[] = [];
    for (let ms = 0; ms < 100_000; ms += 500) {
      if (bed.turn(ms).some((line) => line.startsWith("step"))) startsMs.push(ms);
    }
    // A verdict takes 5 s, and the next try no less; from the fifth try on the pauses are 16, 32
    // and 60 s.
    expect(startsMs).toEqual([10_000, 20_000, 30_000, 40_000, 56_000, 88_000]);
  });

  test("takes up what was held back first: by the storm limit, and in its own time", () => {
    const bed = stepped([TERM], { ...RETRIED, stormLimit: 1, stormWindowNs: 10 * NS_PER_S });
    for (const pid of [1, 2, 3]) bed.decide(0, { pid });
    bed.resume(1, GENERATION, 1);
    expect(bed.turn(9_999)).toEqual([]);
    expect(bed.turn(10_000).filter((line) => line.startsWith("step"))).toHaveLength(1);
    expect(bed.turn(19_999).filter((line) => line.startsWith("step"))).toEqual([]);
    expect(bed.turn(20_000).filter((line) => line.startsWith("step"))).toHaveLength(1);
  });

  test("ends without a word when a reload takes the plan away", () => {
    const of = { recovery: "restart" as string, name: "worker" };
    const bed = stepped([TERM], RETRIED, { policyOf: () => of, plans: [PLAN] });
    bed.decide();
    expect(bed.turn(5_000)).toEqual(["verdict 4242 not_recovered after 5000ms"]);
    bed.recovery.change({ config: recoveryConfig(), plans: [] });
    expect(bed.turn(10_000)).toEqual([]);
    expect(bed.recovery.sequenceCount).toBe(0);
  });

  test("ends with a beat, and with the process", () => {
    let freshness = 0;
    const bed = stepped([TERM], RETRIED, { freshness: () => freshness });
    bed.decide();
    bed.turn(5_000);
    freshness = 2;
    expect(bed.turn(10_000)).toEqual(["refused 4242 skipped_pid_recycled"]);
    expect(bed.turn(100_000)).toEqual([]);

    const other = stepped([TERM], RETRIED);
    other.decide();
    other.turn(5_000);
    expect(other.resume(6_000)).toEqual([]);
    expect(other.turn(100_000)).toEqual([]);
  });

  test("is told of what could not be done, again and again, but not in a rush", () => {
    const bed = stepped([RECOVER], RETRIED);
    bed.runner.spawnError = "ENOENT (no such file or directory)";
    bed.decide();
    expect(bed.turn(4_999)).toEqual([]);
    expect(bed.turn(5_000)).toEqual(["refused 4242 spawn_failed"]);
    bed.runner.spawnError = "";
    expect(bed.turn(10_000)).toEqual(["spawn 4242 child 1000"]);
  });
});

describe("dry_run", () => {
  test("goes through every step in its time, and does none", () => {
    const bed = stepped([TERM, WAIT_2S, RESTART, RECOVER], { dryRun: true });
    bed.host.units.set(PID, "app.service");
    expect(bed.decide()).toEqual([
      "dry run: step 4242 1/4 signal SIGTERM",
      "dry run: step 4242 2/4 wait 2000ms",
    ]);
    expect(bed.turn(2_000)).toEqual([
      "dry run: step 4242 3/4 restart_unit systemctl ...",
      "dry run: step 4242 4/4 exec /bin/recover ...",
      "dry run: end 4242 exhausted at 4/4 after 2000ms",
    ]);
    expect(bed.host.signals).toEqual([]);
    expect(bed.runner.spawnCount).toBe(0);
  });

  test("decides as always: debounce, budget, limit and verdict, all reported as dry", () => {
    const bed = stepped([RECOVER], {
      dryRun: true,
      budget: 2,
      stormLimit: 3,
      verifyWithinNs: NS_PER_S,
    });
    expect(bed.decide(0)).toEqual(["dry run: step 4242 1/1 exec /bin/recover ..."]);
    expect(bed.decide(1)).toEqual(["dry run: refused 4242 debounced"]);
    expect(bed.turn(1_000)).toEqual(["dry run: verdict 4242 not_recovered after 1000ms"]);
    bed.decide(1_001);
    expect(bed.decide(3_000)).toEqual(["dry run: refused 4242 gave_up"]);
    bed.decide(3_000, { pid: 1 });
    expect(bed.decide(3_000, { pid: 2 })).toEqual([
      "storm begins at 3 in 60000ms",
      "dry run: refused 2 storm_limit",
    ]);
  });
});

describe("The spawns of a turn", () => {
  test("are shared between new recoveries and the next steps of those in progress", () => {
    const bed = stepped([WAIT_2S, RECOVER], { debounceNs: 0 }, { capacity: 200 });
    for (let pid = 1; pid <= 40; pid++) bed.decide(0, { pid });
    const perTurn = [1, 2, 3, 4].map((turn) => bed.turn(2_000 + turn).length);
    expect(perTurn).toEqual([RECOVERY_SPAWNS_PER_TURN_MAX, RECOVERY_SPAWNS_PER_TURN_MAX, 8, 0]);
  });

  test("leave room for waiting steps while new stalls keep coming", () => {
    const bed = stepped([RECOVER, REPAIR], { debounceNs: 0 }, { capacity: 500 });
    const { recovery, runner } = bed;
    const stalls = new EndlessStalls(1);
    const begin = () => recovery.decide(stalls, T0);
    begin();
    recovery.reap(T0);
    expect(runner.spawnCount).toBe(16);
    for (const child of runner.children) child.exited(1, NaN);
    begin();
    // The new ones took all of this turn; the second steps wait, and have a share of the next.
    recovery.reap(T0);
    expect(runner.spawnCount).toBe(32);
    begin();
    expect(runner.spawnCount).toBe(40);
    recovery.reap(T0);
    expect(runner.spawnCount).toBe(48);
    expect(runner.children.slice(40).map(({ argv }) => argv[0])).toEqual(
      Array.from({ length: 8 }, () => "/bin/repair"),
    );
  });
});

describe("Shutdown", () => {
  test("ends what is in progress: no step is done any more", () => {
    const bed = stepped([TERM, WAIT_2S, RECOVER], { verifyWithinNs: NS_PER_S });
    bed.decide();
    bed.decide(0, { pid: 5 });
    bed.resume(1, GENERATION, 5);
    bed.tell();
    bed.recovery.beginShutdown(at(1_000));
    expect(bed.tell()).toEqual(["end 4242 stopped at 2/3 after 1000ms"]);
    expect(bed.turn(2_000)).toEqual([]);
    expect(bed.recovery.shutdownDone(at(2_000))).toBe(true);
    expect(bed.runner.spawnCount).toBe(0);
  });
});

describe("The table of recoveries in progress", () => {
  test("refuses one more when it is full, and is empty when all are over", () => {
    const bed = stepped([WAIT_2S, TERM], {}, { capacity: 2 });
    for (const pid of [1, 2]) bed.decide(0, { pid });
    expect(bed.decide(0, { pid: 3 })).toEqual(["refused 3 outstanding_capacity"]);
    bed.turn(2_000);
    expect(bed.recovery.sequenceCount).toBe(0);
    expect(bed.decide(2_001, { pid: 3 })).toEqual(["step 3 1/2 wait 2000ms"]);
  });
});
