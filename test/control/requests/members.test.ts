import { describe, expect, test } from "bun:test";
import { MEMBERS } from "../../../src/control/requests/members.ts";
import type { MembersView } from "../../../src/view/status_view.ts";
import { ObserverHarness } from "../../observer/harness.ts";
import { joinMembers } from "../../support/named_members.ts";
import { viewOf } from "../../support/views.ts";
import { sourcesWith } from "../sources.ts";
import { madeBy } from "./answers.ts";

function watching() {
  const harness = new ObserverHarness();
  const sources = sourcesWith({ view: viewOf(harness.observer) });
  const text = (agent: string): string => madeBy(MEMBERS, { agent }, sources).text;
  return { harness, text };
}

describe("the request members", () => {
  test("has the agent, and each of its members once", () => {
    const { harness, text } = watching();
    const pids = Array.from({ length: 200 }, (_, at) => 100 + at);
    joinMembers(harness, pids, (pid) => (pid % 2 === 0 ? "even" : "odd"));
    const line = text("even");
    expect(line.split("\n")).toHaveLength(2);
    const { agent, members } = JSON.parse(line) as MembersView;
    expect(agent).toMatchObject({ agent: "even", members: 100 });
    expect(members.map(({ pid }) => pid).sort((a, b) => a - b)).toEqual(
      pids.filter((pid) => pid % 2 === 0),
    );
    expect(members[0]).toMatchObject({ source: null, state: "ok", silence_ms: 0, status: "ok" });
  });

  test("says when no agent has the name: a pattern is none", () => {
    const { harness, text } = watching();
    joinMembers(harness, [100], () => "worker");
    expect(text("work*")).toStartWith('{"v":1,"error":"no_such_agent"');
  });
});
