// The order of the checks, one test or more for each row of the table of spec 10 section 3.
import { describe, expect, test } from "bun:test";
import {
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_OPERATOR_ATTESTED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../../src/base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import {
  type RecoveryHarnessOptions,
  recoveryHarness,
  ScriptedHost,
  ScriptedRunner,
  SIGKILL,
  stallOf,
  T0,
} from "./harness.ts";
import { HOLDER_HIDDEN, HOLDER_NONE, HOLDER_SHOWN } from "../../src/recovery/agent_host.ts";

describe("Recovery.decide() starts the command", () => {
  test("with the placeholders of the stall in argv and environment", () => {
    const runner = new ScriptedRunner();
    const { recovery } = recoveryHarness({
      runner,
      config: {
        command: ["/bin/{pid}", "{pid}", "{silence_ms}"],
        env: { A: "b" },
        appendPid: true,
      },
    });
    expect(recovery.decideOne(stallOf(), T0)).toBe("spawned");
    expect(runner.children[0]!.argv).toEqual(["/bin/{pid}", "4242", "8000", "4242"]);
    expect(runner.children[0]!.env).toMatchObject({
      PATH: "/usr/bin:/bin",
      A: "b",
      VARTA_PID: "4242",
      VARTA_LISTENER: "aux",
      VARTA_THRESHOLD_MS: "5000",
      VARTA_LAST_BEAT_UNIX_MS: "1700000002000",
    });
  });

  test("and reports it with what an audit row needs", () => {
    const { recovery, outcomes } = recoveryHarness({
      runner: new ScriptedRunner(),
      config: { command: ["/bin/x", "{pid}"], commandSource: "/etc/varta/command" },
    });
    const stall = stallOf();
    recovery.decideOne(stall, T0);
    expect(outcomes).toEqual([
      {
        kind: "spawn",
        label: "spawned",
        observerNs: T0,
        pid: 4242,
        agent: 9,
        recoveryId: 1,
        plan: "",
        verdict: "",
        childPid: 1000,
        stall,
        program: "/bin/x",
        source: "/etc/varta/command",
        templateSizeBytes: 12,
        step: "exec",
        stepNumber: 1,
        stepCount: 1,
      },
    ]);
  });

  test("with the daemon's environment only if the configuration says so", () => {
    const runner = new ScriptedRunner();
    const daemonEnv = { HOME: "/root", NOTIFY_SOCKET: "/run/notify" };
    recoveryHarness({ runner, daemonEnv }).recovery.decideOne(stallOf(), T0);
    recoveryHarness({ runner, daemonEnv, config: { inheritEnv: true } }).recovery.decideOne(
      stallOf(),
      T0,
    );
    expect(runner.children.map((child) => child.env["HOME"])).toEqual([undefined, "/root"]);
    expect(runner.children.map((child) => child.env["NOTIFY_SOCKET"])).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("of two agents in parallel", () => {
    const { recovery, tell } = recoveryHarness({ runner: new ScriptedRunner() });
    recovery.decideOne(stallOf({ pid: 1 }), T0);
    recovery.decideOne(stallOf({ pid: 2 }), T0);
    expect(tell()).toEqual(["spawn 1 child 1000", "spawn 2 child 1001"]);
    expect(recovery.outstandingCount).toBe(2);
  });
});

describe("Recovery.decide() check 0, freshness", () => {
  const ROWS = [
    [1, "skipped_agent_resumed"],
    [2, "skipped_pid_recycled"],
  ] as const;
  for (const [freshness, reason] of ROWS) {
    test(`skips with ${reason}, whatever the origin, and starts no debounce`, () => {
      const asked: [number, number][] = [];
      let answer: number = freshness;
      const runner = new ScriptedRunner();
      const { recovery, tell } = recoveryHarness({
        runner,
        freshness: (pid, generation) => {
          asked.push([pid, generation]);
          return answer;
        },
      });
      const stall = stallOf({ origin: ORIGIN_NETWORK_UNVERIFIED, namespaceInode: NaN });
      expect(recovery.decideOne(stall, T0)).toBe(reason);
      expect(asked).toEqual([[4242, 777]]);
      answer = 0;
      recovery.decideOne(stallOf(), T0);
      expect(tell()).toEqual([`refused 4242 ${reason}`, "spawn 4242 child 1000"]);
    });
  }
});

describe("Recovery.decide() for an agent of which it is not known which process it was", () => {
  const WITHOUT_PID = ["/bin/recover", "{payload}"];
  const UNKNOWN = { generation: NaN, namespaceInode: NaN, proven: false };

  function unidentified(config: NonNullable<RecoveryHarnessOptions["config"]>, holder: number) {
    const runner = new ScriptedRunner();
    const host = new ScriptedHost();
    host.holder = holder;
    return { runner, host, ...recoveryHarness({ runner, host, config, freshness: () => 3 }) };
  }

  test("runs what needs no pid if no live process has the pid, and says so", () => {
    const { recovery, runner, tell } = unidentified({ command: WITHOUT_PID }, HOLDER_NONE);
    recovery.decideOne(stallOf(UNKNOWN), T0);
    expect(tell()).toEqual(["spawn 4242 child 1000"]);
    expect(runner.children[0]!.argv).toEqual(["/bin/recover", "3000000000"]);
    expect(runner.children[0]!.env).toMatchObject({ VARTA_PID: "", VARTA_PID_GONE: "1" });
    expect(Object.values(runner.children[0]!.env)).not.toContain("4242");
  });

  test.each([
    ["its beat was never proven", { proven: false }],
    ["only its namespace is unknown", { namespaceInode: NaN }],
    ["its start time is unknown", { generation: NaN }],
  ])("as well if %s", (_what, fields) => {
    const { recovery, tell } = unidentified({ command: WITHOUT_PID }, HOLDER_NONE);
    recovery.decideOne(stallOf(fields), T0);
    expect(tell()).toEqual(["spawn 4242 child 1000"]);
  });

  test.each([
    [{ command: ["/bin/recover", "--pid={pid}"] }],
    [{ command: WITHOUT_PID, appendPid: true }],
    [{ command: undefined, steps: [{ kind: "signal", signal: "SIGTERM" }] }],
    [{ command: undefined, steps: [{ kind: "restart_unit", unit: "auto" }] }],
  ] satisfies [NonNullable<RecoveryHarnessOptions["config"]>][])(
    "refuses what needs the pid: %j",
    (config) => {
      const { recovery, runner, tell } = unidentified(config, HOLDER_NONE);
      expect(recovery.decideOne(stallOf(UNKNOWN), T0)).toBe("refused_pid_gone");
      expect(tell()).toEqual(["refused 4242 pid_gone"]);
      expect(runner.spawnCount).toBe(0);
    },
  );

  test.each([
    ["a process that /proc shows", HOLDER_SHOWN, "unproven_sender"],
    ["a process that /proc hides", HOLDER_HIDDEN, "process_unreadable"],
  ])("refuses everything while %s has the pid", (_who, holder, reason) => {
    const { recovery, tell } = unidentified({ command: WITHOUT_PID }, holder);
    recovery.decideOne(stallOf(UNKNOWN), T0);
    expect(tell()).toEqual([`refused 4242 ${reason}`]);
  });

  test("refuses everything for one that is known to be of another namespace", () => {
    const { recovery, tell } = unidentified({ command: WITHOUT_PID }, HOLDER_NONE);
    recovery.decideOne(stallOf({ namespaceInode: 5, proven: false }), T0);
    expect(tell()).toEqual(["refused 4242 cross_namespace_agent"]);
  });

  test("goes on with the pid of a known process that has ended, as with any other", () => {
    const { recovery, runner } = unidentified({}, HOLDER_NONE);
    recovery.decideOne(stallOf(), T0);
    expect(runner.children[0]!.argv).toEqual(["/bin/recover", "4242"]);
    expect(runner.children[0]!.env["VARTA_PID_GONE"]).toBeUndefined();
  });
});

describe("Recovery.decide() checks 1 and 2, namespace and origin", () => {
  test("refuse a kernel-attested agent of another or an unknown namespace", () => {
    const { recovery, tell } = recoveryHarness({ runner: new ScriptedRunner() });
    expect(recovery.decideOne(stallOf({ namespaceInode: 5 }), T0)).toBe("refused_cross_namespace");
    recovery.decideOne(stallOf({ namespaceInode: NaN }), T0);
    expect(tell()).toEqual([
      "refused 4242 cross_namespace_agent",
      "refused 4242 cross_namespace_agent",
    ]);
  });

  test("let it pass with allow_cross_namespace", () => {
    const { recovery, tell } = recoveryHarness({
      runner: new ScriptedRunner(),
      allowCrossNamespace: true,
    });
    recovery.decideOne(stallOf({ namespaceInode: NaN }), T0);
    expect(tell()).toEqual(["spawn 4242 child 1000"]);
  });

  test("refuse a sender that is not proven, after a stall that does not hold any more", () => {
    let freshness = 0;
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, freshness: () => freshness });
    const stall = stallOf({ proven: false });
    expect(recovery.decideOne(stall, T0)).toBe("refused_unproven_sender");
    freshness = 2;
    expect(recovery.decideOne(stall, T0)).toBe("skipped_pid_recycled");
    expect(tell()).toEqual(["refused 4242 unproven_sender", "refused 4242 skipped_pid_recycled"]);
    expect(runner.spawnCount).toBe(0);
  });

  test("decide two agents of one pid by their keys: neither debounces or ends the other's", () => {
    const runner = new ScriptedRunner();
    const asked: number[] = [];
    const { recovery, tell } = recoveryHarness({
      runner,
      freshness: (key) => {
        asked.push(key);
        return 0;
      },
    });
    const fields = { origin: ORIGIN_OPERATOR_ATTESTED, generation: NaN } as const;
    const shared = { key: 0x8000_0001, source: "10.0.0.3" };
    recovery.decideOne(stallOf(fields), T0);
    recovery.decideOne(stallOf({ ...fields, ...shared }), T0);
    expect(tell()).toEqual(["spawn 4242 child 1000", "spawn 4242 child 1001"]);
    expect(asked).toEqual([4242, shared.key]);
    runner.children[1]!.exited(0, NaN);
    recovery.reap(T0);
    expect(recovery.decideOne(stallOf({ ...fields, ...shared }), T0 + 1)).toBe("debounced");
    expect(recovery.outstandingCount).toBe(1);
  });

  test("hold an agent whose beats are refused, tell it once, and begin when they have ended", () => {
    let freshness = 4;
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, freshness: () => freshness });
    expect(recovery.decideOne(stallOf(), T0)).toBe("refused_beats_refused");
    expect(recovery.nextDeadlineNs()).toBe(T0 + NS_PER_S);
    for (let s = 1; s <= 3; s++) recovery.reap(T0 + s * NS_PER_S);
    expect(tell()).toEqual(["refused 4242 beats_refused"]);
    freshness = 0;
    recovery.reap(T0 + 4 * NS_PER_S - 1);
    expect(runner.spawnCount).toBe(0);
    recovery.reap(T0 + 4 * NS_PER_S);
    expect(tell()).toEqual(["spawn 4242 child 1000"]);
  });

  test("forget an agent whose beats were refused when it is back", () => {
    const runner = new ScriptedRunner();
    const { recovery } = recoveryHarness({ runner, freshness: () => 4 });
    recovery.decideOne(stallOf(), T0);
    recovery.onResumed(4242, 777, T0 + 1);
    expect(recovery.nextDeadlineNs()).toBe(Infinity);
  });

  test("say first what speaks against a recovery for ever, and hold nothing then", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, freshness: () => 4 });
    recovery.decideOne(stallOf({ proven: false }), T0);
    expect(tell()).toEqual(["refused 4242 unproven_sender"]);
    expect(recovery.nextDeadlineNs()).toBe(Infinity);
  });

  test("refuse weak origins for ever, and start no debounce", () => {
    const { recovery, tell } = recoveryHarness({ runner: new ScriptedRunner() });
    recovery.decideOne(stallOf({ origin: ORIGIN_NETWORK_UNVERIFIED }), T0);
    recovery.decideOne(stallOf({ origin: ORIGIN_SOCKET_MODE_ONLY }), T0);
    recovery.decideOne(stallOf(), T0);
    expect(tell()).toEqual([
      "refused 4242 unauthenticated_transport",
      "refused 4242 socket_mode_only",
      "spawn 4242 child 1000",
    ]);
  });
});

describe("Recovery.decide() checks 3 and 4, debounce", () => {
  test("starts a command once within the window, and again after it", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf(), T0);
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0 + NS_PER_MS);
    expect(recovery.decideOne(stallOf(), T0 + NS_PER_S - 1)).toBe("debounced");
    recovery.decideOne(stallOf(), T0 + NS_PER_S);
    expect(tell()).toEqual([
      "spawn 4242 child 1000",
      "complete 4242 child 1000 reaped code 0 after 1ms",
      "refused 4242 debounced",
      "spawn 4242 child 1001",
    ]);
  });

  test("ignores the window of the process that had the pid before, and counts it", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf({ generation: 1 }), T0);
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0);
    tell();
    recovery.decideOne(stallOf({ generation: 2 }), T0 + 1);
    expect(tell()).toEqual(["spawn 4242 child 1001"]);
    expect(recovery.counted("debounceRecycleResets")).toBe(1);
    expect(recovery.counted("outstandingRecycleResets")).toBe(0);
  });

  test("holds for an agent whose generation is unknown", () => {
    const { recovery, tell } = recoveryHarness({ runner: new ScriptedRunner() });
    const keyed = { origin: ORIGIN_OPERATOR_ATTESTED, namespaceInode: NaN } as const;
    recovery.decideOne(stallOf({ ...keyed, generation: 1 }), T0);
    recovery.decideOne(stallOf({ ...keyed, generation: NaN }), T0 + 1);
    expect(tell()[1]).toBe("refused 4242 debounced");
  });

  test("is not there with a debounce of 0", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, config: { debounceNs: 0 } });
    recovery.decideOne(stallOf(), T0);
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0);
    recovery.decideOne(stallOf(), T0);
    expect(tell()[2]).toBe("spawn 4242 child 1001");
  });
});

describe("Recovery.decide() check 5, a child of the process that had the pid before", () => {
  test("kills its group at once, keeps it as an orphan and starts the new command", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf({ generation: 1 }), T0);
    recovery.decideOne(stallOf({ generation: 2 }), T0 + NS_PER_MS);
    expect(runner.children[0]!.signals).toEqual([SIGKILL]);
    expect(recovery.outstandingCount).toBe(2);
    expect(recovery.counted("outstandingRecycleResets")).toBe(1);
    runner.children[0]!.exited(NaN, SIGKILL);
    recovery.reap(T0 + 2 * NS_PER_MS);
    expect(tell()).toEqual([
      "spawn 4242 child 1000",
      "spawn 4242 child 1001",
      "complete 4242 child 1000 killed signal 9 after 2ms",
    ]);
    expect(recovery.outstandingCount).toBe(1);
    expect(recovery.counted("invariantViolations")).toBe(0);
  });

  test("refuses while its group cannot be killed, and keeps it", () => {
    const runner = new ScriptedRunner();
    const { recovery, outcomes, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf({ generation: 1 }), T0);
    runner.signalResult = -1;
    expect(recovery.decideOne(stallOf({ generation: 2 }), T0)).toBe(
      "refused_stale_child_kill_failed",
    );
    expect(outcomes.at(-1)).toMatchObject({
      reason: "stale_child_kill_failed",
      error: "EPERM (operation not permitted)",
    });
    expect(recovery.outstandingCount).toBe(1);
    runner.children[0]!.exited(3, NaN);
    recovery.reap(T0);
    expect(tell().at(-1)).toBe("complete 4242 child 1000 reaped code 3 after 0ms");
  });

  test("takes a group that is gone already for killed", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf({ generation: 1 }), T0);
    runner.signalResult = -3;
    recovery.decideOne(stallOf({ generation: 2 }), T0);
    expect(tell().at(-1)).toBe("spawn 4242 child 1001");
  });

  test("kills it but refuses when there are as many orphans as agents", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, capacity: 1, config: { debounceNs: 0 } });
    recovery.decideOne(stallOf({ generation: 1 }), T0);
    recovery.decideOne(stallOf({ generation: 2 }), T0);
    expect(recovery.decideOne(stallOf({ generation: 3 }), T0)).toBe("refused_outstanding_capacity");
    expect(runner.children.map((child) => child.signals)).toEqual([[SIGKILL], [SIGKILL]]);
    expect(recovery.counted("outstandingRecycleResets")).toBe(1);
    runner.children[1]!.exited(NaN, SIGKILL);
    recovery.reap(T0);
    recovery.decideOne(stallOf({ generation: 3 }), T0);
    expect(tell()).toEqual([
      "spawn 4242 child 1000",
      "spawn 4242 child 1001",
      "refused 4242 orphan_reap_capacity",
      "complete 4242 child 1001 killed signal 9 after 0ms",
      "spawn 4242 child 1002",
    ]);
  });
});

describe("Recovery.decide() check 6, a child still running", () => {
  test("does not start a second one, however long ago the first was started", () => {
    const { recovery, tell } = recoveryHarness({ runner: new ScriptedRunner() });
    recovery.decideOne(stallOf(), T0);
    expect(recovery.decideOne(stallOf(), T0 + 60 * NS_PER_S)).toBe("debounced");
    expect(tell()[1]).toBe("refused 4242 outstanding_in_flight");
  });

  test("takes one whose exit waits to be handled for gone, and reports its end first", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf(), T0);
    runner.children[0]!.exited(0, NaN);
    recovery.decideOne(stallOf(), T0 + NS_PER_S);
    expect(recovery.reap(T0 + NS_PER_S)).toBe(0);
    expect(tell()).toEqual([
      "spawn 4242 child 1000",
      "complete 4242 child 1000 reaped code 0 after 1000ms",
      "spawn 4242 child 1001",
    ]);
    expect(runner.children[0]!.signals).toEqual([]);
  });

  test("of an earlier process is not signalled once its exit was reported", () => {
    const runner = new ScriptedRunner();
    const { recovery } = recoveryHarness({ runner });
    recovery.decideOne(stallOf({ generation: 1 }), T0);
    runner.children[0]!.exited(0, NaN);
    recovery.decideOne(stallOf({ generation: 2 }), T0 + 1);
    expect(runner.children[0]!.signals).toEqual([]);
    expect(recovery.counted("outstandingRecycleResets")).toBe(0);
  });
});

describe("Recovery.decide() checks 7 and 8, capacity", () => {
  test("refuses a child more than the table holds, and starts no debounce", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, capacity: 1, config: { debounceNs: 0 } });
    recovery.decideOne(stallOf({ pid: 1 }), T0);
    expect(recovery.decideOne(stallOf({ pid: 2 }), T0)).toBe("refused_outstanding_capacity");
    expect(tell()[1]).toBe("refused 2 outstanding_capacity");
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0);
    tell();
    recovery.decideOne(stallOf({ pid: 2 }), T0);
    expect(tell()).toEqual(["spawn 2 child 1001"]);
  });

  test("refuses while every debounce entry is within its window, and gives the child's place back", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, capacity: 1 });
    recovery.decideOne(stallOf({ pid: 1 }), T0);
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0);
    tell();
    expect(recovery.decideOne(stallOf({ pid: 2 }), T0 + NS_PER_S - 1)).toBe(
      "refused_debounce_capacity",
    );
    expect(recovery.outstandingCount).toBe(0);
    expect(recovery.counted("lastFiredEvictions")).toBe(0);
    recovery.decideOne(stallOf({ pid: 2 }), T0 + NS_PER_S);
    expect(tell()).toEqual(["refused 2 debounce_capacity", "spawn 2 child 1001"]);
    expect(recovery.counted("lastFiredEvictions")).toBe(1);
  });

  test("forgets entries older than ten debounces before it looks for room", () => {
    const runner = new ScriptedRunner();
    const { recovery, tell } = recoveryHarness({ runner, capacity: 1 });
    recovery.decideOne(stallOf({ pid: 1 }), T0);
    runner.children[0]!.exited(0, NaN);
    recovery.reap(T0);
    recovery.decideOne(stallOf({ pid: 2 }), T0 + 10 * NS_PER_S + 1);
    expect(tell().at(-1)).toBe("spawn 2 child 1001");
    expect(recovery.counted("lastFiredEvictions")).toBe(0);
  });
});

describe("Recovery.decide() check 9, spawn", () => {
  test("reports the system's error, keeps nothing and starts no debounce", () => {
    const runner = new ScriptedRunner();
    const { recovery, outcomes, tell } = recoveryHarness({ runner, capacity: 1 });
    runner.spawnError = "ENOENT (no such file or directory)";
    expect(recovery.decideOne(stallOf({ pid: 1 }), T0)).toBe("spawn_failed");
    expect(outcomes[0]).toMatchObject({
      kind: "refused",
      reason: "spawn_failed",
      program: "/bin/recover",
      error: "ENOENT (no such file or directory)",
    });
    expect(recovery.outstandingCount).toBe(0);
    runner.spawnError = "";
    recovery.decideOne(stallOf({ pid: 2 }), T0);
    expect(tell()[1]).toBe("spawn 2 child 1000");
    expect(recovery.counted("invariantViolations")).toBe(0);
  });

  test("takes a command that exits before spawn() returns", () => {
    const runner = new ScriptedRunner();
    runner.exitCodeAtOnce = 7;
    const { recovery, tell } = recoveryHarness({ runner });
    recovery.decideOne(stallOf(), T0);
    expect(recovery.nextDeadlineNs()).toBe(0);
    expect(recovery.reap(T0)).toBe(1);
    expect(tell()).toEqual([
      "spawn 4242 child 1000",
      "complete 4242 child 1000 reaped code 7 after 0ms",
    ]);
  });
});
