import { describe, expect, test } from "bun:test";
import { nowGeneration } from "../../../src/processes/generation.ts";
import { MEMBERS } from "../../../src/control/requests/members.ts";
import type { MembersView } from "../../../src/view/status_view.ts";
import { ObserverHarness } from "../../observer/harness.ts";
import { beatOf } from "../../support/scripted_listener.ts";
import { joinMembers } from "../../support/named_members.ts";
import { mutesOf, viewOf } from "../../support/views.ts";
import { sourcesWith } from "../sources.ts";
import { madeBy } from "./answers.ts";

function watching() {
  const harness = new ObserverHarness();
  const sources = sourcesWith({ view: viewOf(harness.observer) });
  const text = (agent: string): string => madeBy(MEMBERS, { agent }, sources).text;
  return { harness, text };
}

const IDENTITY = {
  comm: "python3",
  exe: "",
  script: "",
  mark: 1,
  uid: 0,
  gid: 0,
  user: "root",
  container: "",
};
const FACTS = { pid: 100, uid: 0, user: "root", listener: "local", address: "" };

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

  test("says of each member the threshold that it asked for, if it did", () => {
    const { harness, text } = watching();
    joinMembers(harness, [100, 101], () => "worker");
    const { table } = harness.observer.tracker;
    table.slots.askedNs[table.slotOf(100)] = 20e9;
    const { members } = JSON.parse(text("worker")) as MembersView;
    const asked = new Map(members.map(({ pid, asked_ms }) => [pid, asked_ms]));
    expect(asked).toEqual(
      new Map([
        [100, 20_000],
        [101, undefined],
      ]),
    );
  });

  test("says of each member how often it has beaten, how old it is, and its unit", () => {
    const { harness, text } = watching();
    joinMembers(harness, [100], () => "worker");
    const { tracker } = harness.observer;
    const slot = tracker.slotOf(100);
    const identity = { ...IDENTITY, unit: "worker@3.service", unitUser: "dana" };
    tracker.table.facts[slot] = { ...FACTS, identity };
    // Two that the account of the agent has already, and one more.
    harness.receive(beatOf(100, { nonce: 2n }));
    tracker.table.takeBeats(slot);
    harness.receive(beatOf(100, { nonce: 3n }));
    const { members, plan } = JSON.parse(text("worker")) as MembersView;
    expect(members).toMatchObject([{ beats: 3, unit: "dana:worker@3.service" }]);
    // The process of generation 1 started with the machine.
    const upMs = (nowGeneration() - 1) * 10;
    expect(Math.abs(members[0]!.age_ms! - upMs)).toBeLessThan(1_000);
    expect(plan).toBe("none");
  });

  test("has the mute of a process beside that of its agent", () => {
    const harness = new ObserverHarness();
    const { observer } = harness;
    const mutes = mutesOf(observer);
    const sources = sourcesWith({ view: viewOf(observer, { mutes }) });
    joinMembers(harness, [100, 101], () => "worker");
    const { slots } = observer.tracker;
    const slot = observer.tracker.slotOf(101);
    const generation = slots.generation[slot]!;
    mutes.begin({
      target: { kind: "member", name: "worker", pid: 101, key: slots.key[slot]!, generation },
      reason: "gdb",
      by: { uid: 0, pid: 1, comm: "varta-watch" },
      beganNs: observer.clock.lastNs,
      untilNs: observer.clock.lastNs + 1e9,
    });
    const view = JSON.parse(madeBy(MEMBERS, { agent: "worker" }, sources).text) as MembersView;
    expect(view.agent).toMatchObject({ muted: null, muted_members: 1 });
    const mutedOf = new Map(view.members.map(({ pid, muted }) => [pid, muted]));
    expect(mutedOf.get(100)).toBeNull();
    expect(mutedOf.get(101)).toMatchObject({ by: "root", reason: "gdb" });
  });

  test("says when no agent has the name: a pattern is none", () => {
    const { harness, text } = watching();
    joinMembers(harness, [100], () => "worker");
    expect(text("work*")).toStartWith('{"v":1,"error":"no_such_agent"');
  });
});
