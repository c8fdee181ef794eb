// What the daemon after a kill -9 knows of recoveries: the journal beside the state says what the
// last state does not have yet, and which recoveries were under way.
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { PROGRESS_LINES } from "../../src/recovery/fired_entry.ts";
import { FiredJournal, isFiredJournal } from "../../src/recovery/fired_journal.ts";
import { isUnderWay, NO_STATE, type NotedState } from "../../src/recovery/fired_notes.ts";
import type { PaceRecord } from "../../src/snapshot/records.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { recoveryHarness, ScriptedHost, ScriptedRunner, stallOf } from "./harness.ts";

const BOOT = "6d1c2f0a-1111-4222-8333-444455556666";
const START_UNIX_MS = 1_700_000_000_000;
const TWO_STEPS = [
  { kind: "exec", command: ["/bin/fix"] },
  { kind: "exec", command: ["/bin/fix", "harder"] },
] as const;

function opened(path: string): FiredJournal {
  const ownerUid = process.geteuid!();
  return FiredJournal.open(path, { ownerUid, monotonicNs: () => 0, form: PROGRESS_LINES });
}

/** A daemon that notes in the file at `path`; its observer time 0 is at `startUnixMs`. */
function daemon(path: string, state: NotedState, startUnixMs = START_UNIX_MS) {
  const runner = new ScriptedRunner();
  const harness = recoveryHarness({
    runner,
    host: new ScriptedHost(),
    config: {
      ...{ command: undefined, steps: TWO_STEPS, debounceNs: 60 * NS_PER_S },
      ...{ budget: 3, budgetWindowNs: 3_600 * NS_PER_S, paceBy: "agent", stormLimit: 2 },
    },
    policyOf: () => ({ name: "worker", recovery: undefined }),
    unixMsAtStart: () => startUnixMs,
  });
  const underWay = harness.recovery.notes.use(opened(path), state, 0).filter(isUnderWay);
  return { ...harness, runner, underWay };
}

/** That of a daemon which started 10 s later, and whose state is of 2 s of the one before. */
const AFTER: NotedState = {
  bootId: BOOT,
  isSameBoot: true,
  moment: { unixMs: START_UNIX_MS + 2_000, observerNs: -8 * NS_PER_S },
};
const AFTER_UNIX_MS = START_UNIX_MS + 10_000;
const FIRST: NotedState = { bootId: BOOT, isSameBoot: true, moment: undefined };

describe("FiredNotes", () => {
  test("say before a recovery acts which process, which pace and which step", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    const { recovery, runner } = daemon(path, FIRST);
    recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 3 * NS_PER_S);
    const text = readFileSync(path, "latin1");
    expect(text).toHaveLength(PROGRESS_LINES.lineBytes);
    expect(text.trimEnd()).toBe(
      `recovery 50 5 ${START_UNIX_MS + 3_000} 50 ${BOOT} 1 1/2 runs plan= pace=agent%20worker`,
    );
    runner.children[0]!.exited(1, Number.NaN);
    recovery.reap(4 * NS_PER_S);
    expect(readFileSync(path, "latin1")).toContain(" 1 2/2 runs plan=");
    runner.children[1]!.exited(0, Number.NaN);
    recovery.reap(5 * NS_PER_S);
    expect(readFileSync(path, "latin1")).toContain(" 1 2/2 over plan=");
  });

  test("count what began after the state was taken, once, and hold its debounce and its storm", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    const before = daemon(path, FIRST).recovery;
    before.decideOne(stallOf({ pid: 50, generation: 5 }), 1 * NS_PER_S);
    before.decideOne(stallOf({ pid: 51, generation: 6 }), 3 * NS_PER_S);
    const { recovery, runner } = daemon(path, AFTER, AFTER_UNIX_MS);
    // The state of 2 s had the first one. Nothing else may begin: two of a storm have.
    expect(recovery.decideOne(stallOf({ pid: 51, generation: 6 }), 52 * NS_PER_S)).toBe(
      "debounced",
    );
    expect(recovery.decideOne(stallOf({ pid: 51, generation: 6 }), 53 * NS_PER_S)).toBe("spawned");
    expect(runner.spawnCount).toBe(1);
  });

  test("count nothing twice that the state took up while it was written", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    daemon(path, FIRST).recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 3 * NS_PER_S);
    const momentNs = AFTER.moment!.observerNs;
    const known = paceOf([momentNs]);
    expect(usedAfter(path, known)).toBe(1);
    expect(usedAfter(path, paceOf([momentNs - NS_PER_S]))).toBe(2);
    expect(usedAfter(path, undefined)).toBe(1);
  });

  test("hold nothing of a process of another boot, and still count what goes by name", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    daemon(path, FIRST).recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 3 * NS_PER_S);
    const other = { ...AFTER, bootId: BOOT.replace("6d", "7e") };
    const { recovery, underWay } = daemon(path, other, AFTER_UNIX_MS);
    expect(underWay).toEqual([]);
    expect(usedOf(recovery)).toBe(1);
    expect(recovery.decideOne(stallOf({ pid: 50, generation: 5 }), NS_PER_S)).toBe("spawned");
  });

  test("name the recoveries that were under way: they are reported, and numbers go on", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    const before = daemon(path, FIRST);
    before.recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 3 * NS_PER_S);
    before.runner.children[0]!.exited(1, Number.NaN);
    before.recovery.reap(4 * NS_PER_S);
    const { recovery, underWay, runs, tellRuns } = daemon(path, AFTER, AFTER_UNIX_MS);
    expect(underWay).toMatchObject([{ pid: 50, key: 50, generation: 5, firedNs: -7 * NS_PER_S }]);
    recovery.notes.interrupted(underWay[0]!, 9, NS_PER_S);
    expect(runs).toMatchObject([
      {
        kind: "result",
        result: "interrupted",
        ...{ pid: 50, agent: 9, recoveryId: 1, stepNumber: 2, stepCount: 2, steps: "" },
        reason: "the daemon was killed: whether step 2 of 2 was done is not known",
        durationNs: 8 * NS_PER_S,
      },
    ]);
    tellRuns();
    recovery.decideOne(stallOf({ pid: 60, generation: 7 }), NS_PER_S);
    expect(tellRuns()).toEqual(["2 began"]);
  });

  test("name each that was under way to one daemon alone, and hold its debounce for the others", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    daemon(path, FIRST).recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 3 * NS_PER_S);
    const second = daemon(path, AFTER, AFTER_UNIX_MS);
    expect(second.underWay).toHaveLength(1);
    second.recovery.decideOne(stallOf({ pid: 60, generation: 6 }), NS_PER_S);
    second.recovery.notes.settle();
    const third = daemon(path, FIRST, AFTER_UNIX_MS);
    expect(third.underWay).toMatchObject([{ pid: 60 }]);
    expect(third.recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 2 * NS_PER_S)).toBe(
      "debounced",
    );
  });

  test("of a recovery that is over or did not begin name none", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    const before = daemon(path, FIRST);
    before.runner.spawnErrno = 11;
    before.recovery.decideOne(stallOf({ pid: 49, generation: 4 }), 2 * NS_PER_S);
    before.runner.spawnErrno = 0;
    before.recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 3 * NS_PER_S);
    before.recovery.onResumed(50, 5, 4 * NS_PER_S);
    const { underWay, recovery } = daemon(path, AFTER, AFTER_UNIX_MS);
    expect(underWay).toEqual([]);
    expect(usedOf(recovery)).toBe(1);
  });

  test("take nothing for true that is cut off, changed or made of zeros", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("state.fired");
    daemon(path, FIRST).recovery.decideOne(stallOf({ pid: 50, generation: 5 }), 3 * NS_PER_S);
    const whole = readFileSync(path);
    for (let length = "recovery ".length; length < whole.length; length += 7) {
      writeFileSync(path, whole.subarray(0, length));
      expect(daemon(path, NO_STATE).underWay).toEqual([]);
    }
    writeFileSync(path, Buffer.alloc(2 * whole.length));
    expect(daemon(path, NO_STATE).underWay).toEqual([]);
    const broken = whole.toString("latin1").replace("agent%20", "agent%E2");
    writeFileSync(path, broken.padEnd(whole.length), "latin1");
    expect(daemon(path, FIRST).underWay).toEqual([]);
    expect(isFiredJournal(whole)).toBe(true);
  });
});

function paceOf(starts: readonly number[]): PaceRecord {
  const last = starts.at(-1)!;
  const times = { firedNs: last, resumedNs: Number.NaN, starts };
  return { name: "agent worker", key: 0, generation: 5, level: 1, isGivenUp: false, ...times };
}

/** What counts for the budget after a start beside a state with `pace`. */
function usedAfter(path: string, pace: PaceRecord | undefined): number {
  const { recovery } = recoveryHarness({
    runner: new ScriptedRunner(),
    config: { budget: 3, budgetWindowNs: 3_600 * NS_PER_S, paceBy: "agent" },
    policyOf: () => ({ name: "worker", recovery: undefined }),
    unixMsAtStart: () => AFTER_UNIX_MS,
  });
  if (pace !== undefined) recovery.history.restore([], [pace], 0);
  recovery.notes.use(opened(path), AFTER, 0);
  return usedOf(recovery);
}

function usedOf(recovery: ReturnType<typeof recoveryHarness>["recovery"]): number {
  return recovery.history.usedOf("agent worker", NS_PER_MS, 3_600 * NS_PER_S);
}
