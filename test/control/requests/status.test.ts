import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../../src/base/time.ts";
import { STATUS } from "../../../src/control/requests/status.ts";
import type { StatusView } from "../../../src/view/status_view.ts";
import { ObserverHarness, THRESHOLD_NS } from "../../observer/harness.ts";
import { joinMembers } from "../../support/named_members.ts";
import { viewOf } from "../../support/views.ts";
import { sourcesWith } from "../sources.ts";
import { madeBy } from "./answers.ts";

const WALL_MS = Date.UTC(2026, 10, 28);

function watching(expected: readonly string[] = []) {
  const harness = new ObserverHarness();
  const view = viewOf(harness.observer, {
    expected: expected.map((name) => ({ name, expected: 2, graceNs: 0 })),
  });
  const sources = sourcesWith({ view, wallMs: () => WALL_MS });
  const ask = (args: Readonly<Record<string, string | boolean>> = {}): StatusView =>
    JSON.parse(madeBy(STATUS, args, sources).text);
  return { harness, sources, ask };
}

describe("the request status", () => {
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
