import { describe, expect, test } from "bun:test";
import { type AgentState, worseState } from "../../src/agents/agent_state.ts";
import type { MuteTarget } from "../../src/agents/mutes.ts";
import { matchesGlob } from "../../src/base/glob.ts";
import { memberState } from "../../src/tracker/member_state.ts";
import { MemberSearch } from "../../src/view/member_search.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { joinMembers } from "../support/named_members.ts";
import { beatOf } from "../support/scripted_listener.ts";

const PIDS = Array.from({ length: 60 }, (_, index) => 100 + index);
const NAMES = ["db", "web", "worker"] as const;

const TARGETS: readonly MuteTarget[] = [
  ...NAMES.map((name) => ({ kind: "agent", name }) as const),
  { kind: "agent", name: "nobody" },
  { kind: "glob", glob: "w*" },
  { kind: "glob", glob: "x*" },
  { kind: "all" },
  ...[...PIDS, 7].map(
    (pid) => ({ kind: "member", name: "", pid, key: pid, generation: 1 }) as const,
  ),
];

/** Members that are ok, degraded or critical, as a random number says. */
function fleet(seed: number): ObserverHarness {
  const harness = new ObserverHarness();
  joinMembers(harness, PIDS, (pid) => NAMES[pid % NAMES.length]!);
  let random = seed;
  for (const pid of PIDS) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const status = random % 11 === 0 ? 2 : random % 5 === 0 ? 1 : 0;
    harness.receive(beatOf(pid, { nonce: 2n, status }));
  }
  return harness;
}

/** What `statesOf` says, one target and one member after the other. */
function twin({ observer, clock }: ObserverHarness, target: MuteTarget): AgentState {
  const { tracker } = observer;
  const { agents } = tracker.table;
  let worst: AgentState = "gone";
  for (let slot = 0; slot < tracker.len; slot++) {
    const name = agents.nameOf(tracker.slots.agent[slot]!);
    const isMeant =
      target.kind === "all" ||
      (target.kind === "agent" && target.name === name) ||
      (target.kind === "glob" && matchesGlob(target.glob, name)) ||
      (target.kind === "member" && target.key === tracker.slots.key[slot]);
    if (isMeant) worst = worseState(worst, memberState(tracker.table, slot, clock.ns));
  }
  return worst;
}

describe("MemberSearch.statesOf()", () => {
  test("is the worst state of those that are meant, of each target for itself", () => {
    const found = new Set<AgentState>();
    for (let seed = 1; seed <= 50; seed++) {
      const harness = fleet(seed);
      const search = new MemberSearch({
        tracker: harness.observer.tracker,
        expected: { expectedOf: () => 0, missingOf: () => 0 },
        nowNs: () => harness.clock.ns,
      });
      const states = search.statesOf(TARGETS);
      expect(states).toEqual(TARGETS.map((target) => twin(harness, target)));
      for (const state of states) found.add(state);
    }
    expect([...found].toSorted()).toEqual(["critical", "degraded", "gone", "ok"]);
  });

  test("is that of nobody where nobody is meant", () => {
    const { observer, clock } = fleet(1);
    const search = new MemberSearch({
      tracker: observer.tracker,
      expected: { expectedOf: () => 0, missingOf: () => 0 },
      nowNs: () => clock.ns,
    });
    expect(search.statesOf([])).toEqual([]);
  });
});
