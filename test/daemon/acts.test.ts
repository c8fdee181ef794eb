// What somebody may tell the daemon to do (spec 16 sections 8 to 10): the answers, who is refused,
// and what is noted of it.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { ActsHarness, DANA } from "./acts_harness.ts";

const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;
const COMMAND = ["/bin/recover", "{pid}"];
const HALF_HOUR_NS = 1_800 * NS_PER_S;
const WORKERS = { 100: "worker", 101: "worker", 200: "api" };

/** Two workers and an api, which beat. */
function watching(): ActsHarness {
  const harness = new ActsHarness({ command: COMMAND });
  harness.watch(WORKERS);
  return harness;
}

/** The first worker is stalled. */
function stalled(): ActsHarness {
  const harness = watching();
  harness.pass(THRESHOLD_MS / 2);
  harness.beat(101, 200);
  harness.turns();
  harness.pass(THRESHOLD_MS / 2);
  harness.turns();
  return harness;
}

/** The name that an agent has whose members have this command and no user of its own. */
function nameOf({ observer }: ActsHarness, pid: number): string {
  const { tracker } = observer;
  return tracker.table.agents.nameOf(tracker.agentOf(pid));
}

function mute(harness: ActsHarness, target: string | undefined, forNs = HALF_HOUR_NS) {
  return harness.acts.mute({ target, forNs, reason: "deploy 4.3" }, DANA);
}

describe("mute", () => {
  test("is answered with its end, and noted with who asked", () => {
    const harness = watching();
    const name = nameOf(harness, 100);
    expect(mute(harness, name)).toMatchObject({
      v: 1,
      mutes: [{ agent: name, state: "ok", by: "dana", reason: "deploy 4.3" }],
    });
    expect(harness.acted).toMatchObject([
      { act: "mute", target: name, byUid: 1_001, byPid: 5_001, isRefused: false },
    ]);
    expect(harness.muteEvents).toMatchObject([{ phase: "begin", target: name, by: "varta-watch" }]);
    expect(harness.lines[0]).toContain(
      `msg="muted" agent=${name} for_ms=1800000 reason="deploy 4.3" by_uid=1001 by_pid=5001`,
    );
    expect(harness.acts.mutes().mutes).toHaveLength(1);
  });

  test("says of an agent without members that it is gone, or new while they may still come", () => {
    const harness = watching();
    harness.observer.tracker.table.agents.reserve([{ name: "cron", bindsOwner: true }]);
    expect(mute(harness, "cron")).toMatchObject({ mutes: [{ agent: "cron", state: "gone" }] });
    harness.expectedOf = () => 1;
    expect(mute(harness, "cron")).toMatchObject({ mutes: [{ agent: "cron", state: "new" }] });
  });

  test("of a name that is not known is refused with the nearest, and of a pattern that matches none", () => {
    const harness = watching();
    const name = nameOf(harness, 200);
    const misspelt = `${name.slice(0, -1)}x`;
    expect(mute(harness, misspelt)).toEqual({
      error: "no_such_agent",
      text: `no agent is called "${misspelt}"`,
      hint: `did you mean ${name}?`,
    });
    expect(mute(harness, "zebra*")).toMatchObject({ error: "no_such_agent" });
    expect(mute(harness, "31337")).toMatchObject({ error: "no_such_agent" });
    expect(harness.acts.mutes().mutes).toEqual([]);
  });

  test.each([0, -1, Number.NaN, 7 * 86_400 * NS_PER_S + 1])("for %d ns is refused", (forNs) => {
    const harness = watching();
    expect(mute(harness, undefined, forNs)).toMatchObject({ error: "bad_field" });
  });

  test("has a reason of one line that no terminal obeys", () => {
    const harness = watching();
    const reason = `a\n\x1b[31m${"x".repeat(500)}`;
    const answer = harness.acts.mute({ target: undefined, forNs: NS_PER_S, reason }, DANA);
    const [shown] = "mutes" in answer ? answer.mutes : [];
    expect(shown!.reason).toStartWith("a \\u001b[31mxxx");
    expect(shown!.reason).toHaveLength(120);
  });

  test.each<[string, (harness: ActsHarness) => string | undefined]>([
    ["the name", (harness) => nameOf(harness, 100)],
    ["a pattern", (harness) => `${nameOf(harness, 100).slice(0, -2)}*`],
    ["the pid", () => "100"],
    ["all", () => undefined],
  ])("by %s holds recovery until its end, and then reports and recovers once", (_by, targetOf) => {
    const harness = watching();
    mute(harness, targetOf(harness), 3 * THRESHOLD_NS);
    harness.pass(THRESHOLD_MS / 2);
    harness.beat(101, 200);
    harness.turns();
    harness.pass(THRESHOLD_MS / 2);
    harness.beat(101, 200);
    expect(harness.turns()).toEqual(["export stall 100", "stalled 100 muted", "refused 100"]);
    for (let halves = 0; halves < 3; halves++) {
      harness.pass(THRESHOLD_MS / 2);
      harness.beat(101, 200);
      expect(harness.turns()).toEqual([]);
    }
    harness.pass(THRESHOLD_MS / 2);
    harness.beat(101, 200);
    expect(harness.turns()).toEqual(["stalled 100", "began 100", "spawn 100"]);
    expect(harness.muteEvents.at(-1)).toMatchObject({ phase: "end", how: "expired" });
    expect(harness.acts.mutes().mutes).toEqual([]);
  });

  test("tells no second time of what was reported before it", () => {
    const harness = stalled();
    mute(harness, undefined, THRESHOLD_NS / 4);
    harness.pass(THRESHOLD_MS / 4);
    expect(harness.turns().filter((line) => line.startsWith("stalled"))).toEqual([]);
  });
});

describe("unmute", () => {
  test("says how much was left, and what was held is reported and recovered at once", () => {
    const harness = watching();
    mute(harness, "100", 10 * THRESHOLD_NS);
    harness.pass(THRESHOLD_MS / 2);
    harness.beat(101, 200);
    harness.turns();
    harness.pass(THRESHOLD_MS / 2);
    harness.turns();
    const answer = harness.acts.unmute("100", DANA);
    expect(answer).toMatchObject({ unmuted: [{ state: "stalled", left_ms: 900 }] });
    expect(harness.turns()).toEqual(["stalled 100", "began 100", "spawn 100"]);
    expect(harness.acted.map(({ act }) => act)).toEqual(["mute", "unmute"]);
  });

  test("of what is not muted is refused, and that is noted", () => {
    const harness = watching();
    expect(harness.acts.unmute("100", DANA)).toMatchObject({ error: "refused" });
    expect(harness.acted).toMatchObject([{ act: "unmute", isRefused: true }]);
  });
});

describe("an agent that is missing while it is muted", () => {
  const MISSING = { observerNs: 1, agent: 2, members: 0, expected: 1, graceNs: 0 };

  test("is reported when the mute is over, once", () => {
    const harness = watching();
    mute(harness, undefined);
    harness.muting.missing(MISSING);
    expect(harness.diary.splice(0)).toEqual(["export missing 2", "missing 2 muted"]);
    harness.acts.unmute(undefined, DANA);
    expect(harness.diary.splice(0)).toEqual(["missing 2"]);
    harness.muting.complete({ ...MISSING, missingNs: 5 });
    expect(harness.diary.splice(0)).toEqual(["export complete 2", "complete 2"]);
  });

  test("is not, if it is complete by then", () => {
    const harness = watching();
    mute(harness, undefined);
    harness.muting.missing(MISSING);
    harness.muting.complete({ ...MISSING, missingNs: 5 });
    harness.diary.length = 0;
    harness.acts.unmute(undefined, DANA);
    expect(harness.diary).toEqual([]);
  });
});

describe("recover", () => {
  test("is refused for one that beats unless it is forced, and the gate is named", () => {
    const harness = watching();
    const refused = harness.acts.recover({ target: "100", isForced: false }, DANA);
    expect(refused).toMatchObject({ error: "refused", gate: "not_stalled" });
    expect(harness.acted).toMatchObject([{ act: "recover", pid: 100, isRefused: true }]);
    const begun = harness.acts.recover({ target: "100", isForced: true }, DANA);
    expect(begun).toMatchObject({ id: 1, pid: 100, by: "dana", passed_over: ["not_stalled"] });
    expect(harness.runner.spawnCount).toBe(1);
    expect(harness.acted.at(-1)!.detail).toBe("recovery 1, passed over not_stalled");
  });

  test("of an agent takes the member that is stalled", () => {
    const harness = stalled();
    harness.runner.children[0]!.exited(1, Number.NaN);
    harness.turns();
    const answer = harness.acts.recover({ target: nameOf(harness, 101), isForced: false }, DANA);
    expect(answer).toMatchObject({ id: 2, pid: 100, passed_over: ["debounced"] });
  });

  test("passes a mute, and what was held is told at its end all the same", () => {
    const harness = watching();
    mute(harness, undefined, 4 * THRESHOLD_NS);
    harness.pass(THRESHOLD_MS);
    harness.turns();
    expect(harness.acts.recover({ target: "100", isForced: false }, DANA)).toMatchObject({
      passed_over: ["muted"],
    });
    harness.acts.unmute(undefined, DANA);
    expect(harness.turns().filter((line) => line === "stalled 100")).toHaveLength(1);
  });

  test("the dry run lists each gate with what it found, and does nothing", () => {
    const harness = stalled();
    const spawned = harness.runner.spawnCount;
    const answer = harness.acts.tryRecover({ target: "100", isForced: false });
    expect(answer).toMatchObject({ pid: 100, stalled: 1, refused: "in_flight" });
    const gates = "gates" in answer ? answer.gates : [];
    expect(gates.map(({ gate, open }) => `${open ? "yes" : "NO"} ${gate}`)).toEqual([
      "yes not_stalled",
      "yes unproven_sender",
      "yes cross_namespace_agent",
      "yes muted",
      "yes verdict_not_acted_on",
      "yes no_plan",
      "NO debounced",
      "yes storm_limit",
      "NO in_flight",
    ]);
    expect(gates[0]!.found).toBe("it is stalled: silent for 100ms of 100ms");
    expect("steps" in answer && answer.steps).toEqual([{ step: "exec", detail: "/bin/recover" }]);
    expect([harness.runner.spawnCount, harness.acted]).toEqual([spawned, []]);
  });
});

describe("forget", () => {
  test("refuses what beats, and says how many members do", () => {
    const harness = stalled();
    const name = nameOf(harness, 100);
    expect(harness.acts.forget(name, DANA)).toMatchObject({
      text: `${name} beats (1 of 2 members): only what is silent or gone`,
    });
    expect(harness.acts.forget("200", DANA)).toMatchObject({ error: "refused" });
    expect(harness.observer.tracker.len).toBe(3);
  });

  test("refuses one of which a recovery runs, and takes it out after that", () => {
    const harness = stalled();
    expect(harness.acts.forget("100", DANA)).toMatchObject({ text: "a recovery of 100 runs" });
    harness.runner.children[0]!.exited(0, Number.NaN);
    harness.turns();
    expect(harness.acts.forget("100", DANA)).toEqual({
      v: 1,
      name: "100",
      state: "stalled",
      for_ms: 100,
    });
    expect(harness.observer.tracker.isTracked(100)).toBeFalse();
    expect(harness.acted.at(-1)).toMatchObject({ act: "forget", pid: 100, isRefused: false });
  });

  test("drops a stall that a mute holds", () => {
    const harness = watching();
    mute(harness, undefined);
    harness.pass(THRESHOLD_MS);
    harness.turns();
    for (const pid of ["100", "101", "200"]) harness.acts.forget(pid, DANA);
    harness.acts.unmute(undefined, DANA);
    expect(harness.turns().filter((line) => line.startsWith("stalled"))).toEqual([]);
  });
});

describe("the level of the log", () => {
  test("holds for its time, and then that of the configuration does", () => {
    const harness = watching();
    const answer = harness.acts.logLevel("debug", 600 * NS_PER_S, DANA);
    // biome-ignore lint/suspicious/noThenProperty: a word of the answer, and no function.
    expect(answer).toMatchObject({ level: "debug", then: "info" });
    expect(harness.log.writes("debug")).toBeTrue();
    harness.acts.logLevel("warn", 2 * THRESHOLD_NS, DANA);
    harness.pass(THRESHOLD_MS);
    harness.turn();
    expect(harness.log.level).toBe("warn");
    harness.pass(THRESHOLD_MS);
    harness.turn();
    expect(harness.log.level).toBe("info");
    expect(harness.acts.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("for more than a day is refused", () => {
    const harness = watching();
    const answer = harness.acts.logLevel("debug", 86_400 * NS_PER_S + 1, DANA);
    expect(answer).toMatchObject({ error: "bad_field" });
    expect(harness.log.level).toBe("info");
  });
});
