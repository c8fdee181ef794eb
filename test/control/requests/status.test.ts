import { describe, expect, test } from "bun:test";
import type { MuteTarget } from "../../../src/agents/mutes.ts";
import { NS_PER_MS, NS_PER_S } from "../../../src/base/time.ts";
import { STATUS } from "../../../src/control/requests/status.ts";
import { EventLog } from "../../../src/view/event_log.ts";
import type { StatusView } from "../../../src/view/status_view.ts";
import { ObserverHarness, THRESHOLD_NS } from "../../observer/harness.ts";
import { joinMembers } from "../../support/named_members.ts";
import { expectedOf, mutesOf, type ViewParts, viewOf } from "../../support/views.ts";
import { sourcesWith } from "../sources.ts";
import { madeBy } from "./answers.ts";

const WALL_MS = Date.UTC(2026, 10, 28);
/** In which expected members have to come. */
const GRACE_NS = 2 * NS_PER_S;

function watching(names: readonly string[] = [], parts: ViewParts = {}) {
  const harness = new ObserverHarness();
  const expected = expectedOf(
    harness.observer,
    names.map((name) => ({ name, expected: 2, graceNs: GRACE_NS })),
  );
  const mutes = mutesOf(harness.observer);
  const view = viewOf(harness.observer, { expected, mutes, ...parts });
  const sources = sourcesWith({ view, wallMs: () => WALL_MS });
  const ask = (args: Readonly<Record<string, string | boolean>> = {}): StatusView =>
    JSON.parse(madeBy(STATUS, args, sources).text);
  return { harness, sources, ask, mutes, expected };
}

describe("the request status", () => {
  test.each([
    [{ areSent: true, areRound: () => true, roundTookNs: () => 84_400 }, "ok", 0.084],
    [{ areSent: true, areRound: () => true, roundTookNs: () => Number.NaN }, "ok", null],
    [{ areSent: true, areRound: () => false, roundTookNs: () => NS_PER_S }, "missing", 1_000],
    [{ areSent: false, areRound: () => true, roundTookNs: () => 0 }, "none", null],
  ])(
    "says whether self-beats come round, and how long they take (%#)",
    (selfBeats, state, took) => {
      const { ask } = watching([], { selfBeats });
      expect(ask().observer.self_beat).toEqual({ state: state as "ok", took_ms: took });
    },
  );

  test("adds the members of each agent up, and says how the worst of them is", () => {
    const { harness, ask } = watching();
    joinMembers(harness, [100, 101], () => "worker");
    harness.pass(THRESHOLD_NS / NS_PER_MS / 4);
    joinMembers(harness, [102], () => "api");
    harness.pass(THRESHOLD_NS / NS_PER_MS / 4);
    harness.pump();
    const { agents, host, time } = ask();
    expect([host, time]).toEqual(["mill-2", "2026-11-28T00:00:00.000Z"]);
    const thresholdMs = THRESHOLD_NS / NS_PER_MS;
    expect(agents).toMatchObject([
      { agent: "worker", beating: 2, members: 2, expected: null, silence_ms: thresholdMs / 2 },
      { agent: "api", beating: 1, members: 1, silence_ms: thresholdMs / 4 },
    ]);
    expect(agents[0]).toMatchObject({ threshold_ms: thresholdMs, late_ms: thresholdMs / 2 });
  });

  test("has what is stalled first, and alone if that is asked for", () => {
    const { harness, ask } = watching();
    joinMembers(harness, [100], () => "worker");
    harness.pass(THRESHOLD_NS / NS_PER_MS - 1);
    joinMembers(harness, [101, 102], (pid) => (pid === 101 ? "worker" : "api"));
    harness.pass(1);
    harness.pump();
    const { agents, counts } = ask();
    expect(agents).toMatchObject([
      { agent: "worker", state: "stalled", beating: 1, members: 2 },
      { agent: "api", state: "ok" },
    ]);
    expect(counts).toMatchObject({ stalled: 1, ok: 1, missing: 0 });
    expect(ask({ stalled: true }).agents.map(({ agent }) => agent)).toEqual(["worker"]);
  });

  test("says until when an agent is muted and by whom, its state beside it", () => {
    const { harness, mutes, ask } = watching();
    joinMembers(harness, [100, 101, 102], (pid) => (pid === 102 ? "api" : "worker"));
    const nowNs = harness.observer.nowNs();
    const by = { uid: 0, pid: 6_011, comm: "varta-watch" };
    const muted = (target: MuteTarget, minutes: number): void =>
      mutes.begin({
        target,
        reason: "deploy",
        by,
        beganNs: nowNs,
        untilNs: nowNs + minutes * 60_000 * NS_PER_MS,
      });
    muted({ kind: "agent", name: "api" }, 30);
    const member = { kind: "member", name: "worker", generation: 1 } as const;
    muted({ ...member, pid: 100, key: 100 }, 20);
    const { agents, counts } = ask();
    expect(counts).toMatchObject({ ok: 2, muted: 1 });
    const mutesOfAgents = (all: typeof agents) =>
      Object.fromEntries(all.map(({ agent, muted: mute }) => [agent, mute]));
    expect(mutesOfAgents(agents)).toEqual({
      worker: null,
      api: {
        since: "2026-11-28T00:00:00.000Z",
        until: "2026-11-28T00:30:00.000Z",
        by: "root",
        reason: "deploy",
      },
    });
    // With each of its members the agent is muted, as long as all of them are.
    muted({ ...member, pid: 101, key: 101 }, 10);
    expect(mutesOfAgents(ask().agents)["worker"]?.until).toBe("2026-11-28T00:10:00.000Z");
    harness.pass(10 * 60_000);
    harness.pump();
    expect(mutesOfAgents(ask().agents)["worker"]).toBeNull();
  });

  test("says which step of a recovery is being done, and else what the last one came to", () => {
    const events = new EventLog();
    const recovering = new Map([[101, { recoveryId: 51, stepNumber: 3, stepCount: 3 }]]);
    const { harness, ask } = watching([], { recovering, events });
    joinMembers(harness, [100, 101, 102], (pid) => (pid === 102 ? "api" : "worker"));
    const recovery = { id: 50, what: "helped", took_ms: 3 } as const;
    events.add({ time: "", kind: "recovery", agent: "api", recovery }, 0);
    const recoveries = ask().agents.map((agent) => [agent.agent, agent.recovery]);
    expect(Object.fromEntries(recoveries)).toEqual({
      worker: { id: 51, state: "running", step: 3, steps: 3 },
      api: { id: 50, state: "helped", step: 0, steps: 0 },
    });
  });

  test("says what was refused, and while no agent is known who may beat", () => {
    const socketRights = { path: "/run/v.sock", mode: "0660", owner: "root", group: "varta" };
    const refused = { count: 3, reason: "uid", listener: "local", claimed_pid: 7, pid: 7 };
    const { harness, ask } = watching([], { socketRights, refused });
    expect(ask().observer).toMatchObject({ refused, who_may: socketRights, guard: false });
    joinMembers(harness, [100], () => "worker");
    expect(ask().observer.who_may).toBeUndefined();
  });

  test("says since when members are missing, and for how long nobody is judged yet", () => {
    const { harness, ask, expected } = watching(["cron"]);
    const fields = () => {
      const { state, missing_since, grace_left_ms } = ask().agents[0]!;
      return { state, missing_since, grace_left_ms };
    };
    expect(fields()).toEqual({ state: "new", missing_since: null, grace_left_ms: 2_000 });
    harness.pump();
    expect(fields().grace_left_ms).toBe(1_000);
    harness.pass(1_000);
    harness.pump();
    expected.look(harness.observer.nowNs());
    expect(fields()).toEqual({
      state: "missing",
      missing_since: "2026-11-28T00:00:00.000Z",
      grace_left_ms: null,
    });
  });

  test("takes a name or a pattern, and says when no agent has it", () => {
    const { harness, sources, ask } = watching();
    joinMembers(harness, [100, 101], (pid) => (pid === 100 ? "worker" : "api"));
    expect(ask({ agent: "work*" }).agents.map(({ agent }) => agent)).toEqual(["worker"]);
    expect(madeBy(STATUS, { agent: "wroker" }, sources).text).toBe(
      '{"v":1,"error":"no_such_agent","text":"no agent is called \\"wroker\\"","hint":"did you mean worker?"}\n',
    );
  });

  test("shows an agent that is expected and has no members, which is new at first", () => {
    const { ask } = watching(["cron"]);
    expect(ask().agents).toMatchObject([
      { agent: "cron", state: "new", members: 0, expected: 2, silence_ms: null },
    ]);
  });

  test.each([0, 1, 63, 64, 65, 128, 129])("is whole with %i agents", (count) => {
    const { harness, sources } = watching();
    const pids = Array.from({ length: count }, (_, at) => 100 + at);
    joinMembers(harness, pids, (pid) => `agent-${pid}`);
    const { text } = madeBy(STATUS, {}, sources);
    expect(text.split("\n")).toHaveLength(2);
    const { agents } = JSON.parse(text) as StatusView;
    expect(new Set(agents.map(({ agent }) => agent)).size).toBe(count);
  });
});
