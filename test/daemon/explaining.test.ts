// The facts for `explain` (spec 16 section 12): of whom, from where, and what comes next.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS } from "../../src/base/time.ts";
import type { RecoverDryRun } from "../../src/view/act_views.ts";
import { LiveConfig } from "../../src/daemon/live_config.ts";
import { Explaining } from "../../src/daemon/explaining.ts";
import { EventFeed } from "../../src/view/event_feed.ts";
import { EventLog } from "../../src/view/event_log.ts";
import type { ExplainView, StrangerView } from "../../src/view/explain_view.ts";
import { GoneMembers } from "../../src/view/gone_members.ts";
import { MemberSearch } from "../../src/view/member_search.ts";
import { StallNotes } from "../../src/view/stall_notes.ts";
import { FixtureHost } from "../config/fixture_host.ts";
import { Guard } from "../../src/observer/guard.ts";
import { FakeSelfBeat, GUARD_DEFAULTS, range } from "../observer/guard_world.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { byeOf, helloOf } from "../support/scripted_listener.ts";
import { ActsHarness, DANA } from "./acts_harness.ts";

const FILE = `
[[agent]]
match = { comm = "api" }
threshold = "1s"

[[agent]]
match = { comm = "worker" }
threshold = "5s"
late = "3s"

[recovery]
command = ["/bin/page"]
`;
const NO_PROCESSES = {
  startTime: () => Number.NaN,
  commOf: () => "",
  realUid: () => Number.NaN,
  userName: () => "",
};
const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;

interface Explained {
  readonly harness: ActsHarness;
  readonly feed: EventFeed;
  readonly notes: StallNotes;
  readonly view: (target: string) => Promise<ExplainView>;
}

/** Workers 100 and 101 and api 200 beat; the rules are those of FILE. */
async function explained(
  command?: readonly string[],
  guard?: Guard,
  missingOf = (_agent: number) => 0,
): Promise<Explained> {
  using fixture = new FixtureHost();
  const loaded = await fixture.load(FILE);
  if (!loaded.ok) throw new Error(loaded.text);
  const harness = new ActsHarness({ ...(command && { command }), guard });
  harness.watch({ 100: "worker", 101: "worker", 200: "api" });
  const { observer, recovery, muting, identities } = harness;
  const { tracker, clock } = observer;
  const events = new EventLog();
  const notes = new StallNotes();
  const nowNs = () => clock.lastNs;
  const agentName = (agent: number) => tracker.table.agents.nameOf(agent);
  const feed = new EventFeed({ log: events, agentName, unixMsAtStart: () => 0 });
  const explaining = new Explaining({
    observer,
    recovery,
    muting,
    search: new MemberSearch({
      tracker,
      expected: { expectedOf: () => 8, missingOf },
      nowNs,
    }),
    events,
    notes,
    gone: new GoneMembers(observer),
    strangers: { view: (pid) => ({ pid, runs: false }) as StrangerView },
    processes: {
      ...NO_PROCESSES,
      identityOf: (pid, startTime, ...as) => identities.identityOf(pid, startTime, as[0], as[1]),
    },
    live: new LiveConfig(loaded.config, async () => ({
      rules: ["varta.toml:2", "varta.toml:6"],
      listeners: [],
    })),
    expectedOf: () => 8,
    nameRefusalOf: ({ announced }) => (announced === "db" ? "other_rule" : undefined),
    nowNs,
    unixMsAtStart: () => 0,
    nowGeneration: () => 500,
    userName: () => "dana",
  });
  const view = async (target: string): Promise<ExplainView> => {
    const answer = await explaining.explain(target);
    if ("error" in answer) throw new Error(answer.text);
    if ("runs" in answer) throw new Error(`pid ${answer.pid} is a stranger`);
    return answer;
  };
  return { harness, feed, notes, view };
}

/** The first worker has stalled. */
function stall({ harness }: Explained): void {
  harness.pass(THRESHOLD_MS / 2);
  harness.beat(101, 200);
  harness.turns();
  harness.pass(THRESHOLD_MS / 2);
  harness.turns();
}

describe("explain", () => {
  test("of an agent of which too few beat says that it is missing, and of its member that it beats", async () => {
    const { view, feed, harness } = await explained(undefined, undefined, () => 6);
    const agent = harness.observer.tracker.table.agents.numberOf("worker")!;
    feed.missing({ observerNs: 4e9, agent, members: 2, expected: 8, graceNs: 30e9 });
    expect(await view("worker")).toMatchObject({
      ...{ state: "missing", since: "1970-01-01T00:00:04.000Z", beating: 2, expected: 8 },
      done: [{ what: "reported", as: "missing" }],
      next: [{ what: "deadline" }],
    });
    expect(await view("100")).toMatchObject({ state: "ok", since: null, done: [] });
  });

  test("of one that beats says who it is, how that is proven, its rule and its deadline", async () => {
    const { view } = await explained();
    expect(await view("100")).toMatchObject({
      agent: "worker",
      state: "ok",
      since: null,
      muted: null,
      member: {
        pid: 100,
        verdict: null,
        silence_ms: 0,
        last_beat: { number: "2", status: "ok", from: "" },
        who: { comm: "worker", unit: "" },
        proof: { origin: "kernel_attested", proven: true, namespace: null },
      },
      rule: {
        number: 2,
        place: "varta.toml:6",
        match: 'comm = "worker"',
        count: 2,
        failed: [
          { number: 1, place: "varta.toml:2", field: "comm", found: "worker", wanted: ["api"] },
        ],
        // That of its lane, whatever the rule says.
        threshold_ms: THRESHOLD_MS,
        late_ms: 3_000,
      },
      next: [{ what: "deadline" }],
      done: [],
      history: [],
    });
  });

  test("of one that has said hello says so, and that its name was refused", async () => {
    const { harness, view } = await explained();
    harness.identities.table.set(300, { comm: "api" });
    harness.processes.set(300, 3);
    harness.listener.queue([helloOf(300, { name: "db" })]);
    harness.turns();
    harness.pass(3_600_000);
    harness.turns();
    expect(await view("300")).toMatchObject({
      state: "new",
      member: {
        unbeaten: true,
        last_beat: null,
        verdict: null,
        silence_ms: 0,
        announced: { name: "db", refused: "other_rule" },
      },
      next: [],
    });
  });

  test("of one that said goodbye says when, and that it hangs when its time is over", async () => {
    const { harness, view } = await explained();
    harness.listener.queue([byeOf(100, { nonce: 9 })]);
    harness.turns();
    expect(await view("100")).toMatchObject({
      state: "ok",
      member: { goodbye: expect.any(String) },
    });
    harness.pass(90_000);
    harness.turns();
    expect(await view("100")).toMatchObject({
      state: "stalled",
      member: { goodbye: expect.any(String) },
    });
  });

  test("of an agent takes the member that is stalled, and says how the others stand", async () => {
    const subject = await explained();
    stall(subject);
    const view = await subject.view("worker");
    expect(view).toMatchObject({ state: "stalled", beating: 1, members: 2, expected: 8 });
    expect(view.member).toMatchObject({ pid: 100, silence_ms: 100 });
    expect(view.others).toEqual([]);
    // It has no plan here.
    expect(view.next).toEqual([]);
  });

  test("says what was done since the stall, and what has happened before", async () => {
    const subject = await explained(["/bin/recover"]);
    stall(subject);
    const { harness, feed, notes, view } = subject;
    const slot = harness.observer.tracker.slotOf(100);
    const found = harness.observer.silence.stalls.ofSlot(slot, harness.observer.clock.lastNs);
    const of = { agent: found.agent, pid: 100, observerNs: 5 * THRESHOLD_NS };
    feed.resumed(of, Number.NaN);
    feed.stalled(found);
    notes.stalled(found);
    const began = { ...outcomeOf("began"), ...of, recoveryId: 51, plan: "restart", stepCount: 1 };
    feed.outcome(began);
    notes.outcome({ ...began, stall: found });
    const answer = await view("100");
    expect(answer.done).toMatchObject([{ what: "began", id: 51, plan: "restart", steps: 1 }]);
    expect(answer.history.map(({ kind }) => kind)).toEqual(["recovery", "stall", "resume"]);
    expect(answer.since).toBe(answer.history[1]!.time);
  });

  test("of a stall about which nothing was done says that it was reported", async () => {
    const subject = await explained();
    stall(subject);
    const { harness, notes, view } = subject;
    const slot = harness.observer.tracker.slotOf(100);
    notes.stalled(harness.observer.silence.stalls.ofSlot(slot, harness.observer.clock.lastNs));
    expect((await view("100")).done).toMatchObject([{ what: "reported", as: "stall" }]);
  });

  test("of a muted one says by whom, why and until when", async () => {
    const subject = await explained();
    const forNs = 20 * THRESHOLD_NS;
    subject.harness.acts.mute({ target: "worker", forNs, reason: "deploy 4.2" }, DANA);
    stall(subject);
    const { muted, next } = await subject.view("100");
    expect(muted).toMatchObject({ by: "dana", reason: "deploy 4.2" });
    expect(next).toEqual([{ what: "mute_ends", time: muted!.until }]);
  });

  test("of a name or pid that is not known is refused", async () => {
    const { view } = await explained();
    await expect(view("wroker")).rejects.toThrow('no agent is called "wroker"');
    await expect(view("8123")).rejects.toThrow("pid 8123 is a stranger");
  });
});

/** Twelve members of rules that fall silent at once: half of them are reported, half are held. */
function fallSilent(harness: ActsHarness): void {
  const { tracker } = harness.observer;
  harness.watch(Object.fromEntries(range(12, 300).map((pid) => [pid, "mill"])));
  for (let slot = 0; slot < tracker.len; slot++) tracker.table.slots.rule[slot] = 0;
  harness.pass(THRESHOLD_MS);
  harness.turns();
}

/** One of them. */
function oneOf({ observer: { tracker } }: ActsHarness, isReported: boolean): string {
  const pids = range(12, 300);
  return String(pids.find((pid) => tracker.slots.isLatched(tracker.slotOf(pid)) === isReported));
}

describe("explain while the guard is active", () => {
  async function guarded(): Promise<Explained> {
    const guard = new Guard(GUARD_DEFAULTS, new FakeSelfBeat());
    const made = await explained(["/bin/page"], guard);
    fallSilent(made.harness);
    return made;
  }

  test("says of one that it holds that it is late, and until when it is not judged", async () => {
    const { view, harness } = await guarded();
    const explainedView = await view(oneOf(harness, false));
    const { silent, members } = harness.observer.silence.guarded!.view!;
    expect(explainedView).toMatchObject({
      state: "late",
      next: [{ what: "guard_ends", holds: "verdict", silent, members, window_ms: THRESHOLD_MS }],
    });
  });

  test("says of one that was reported before that its recovery waits", async () => {
    const { view, harness } = await guarded();
    const { state, next } = await view(oneOf(harness, true));
    expect([state, next]).toMatchObject(["stalled", [{ what: "guard_ends", holds: "recovery" }]]);
  });
});

describe("recover while the guard is active", () => {
  test("is refused for one that it holds, and passes it over for one that was reported", () => {
    const guard = new Guard(GUARD_DEFAULTS, new FakeSelfBeat());
    const harness = new ActsHarness({ command: ["/bin/page"], guard });
    fallSilent(harness);
    expect(harness.runner.spawnCount).toBe(0);
    const [held, reported] = [oneOf(harness, false), oneOf(harness, true)];
    const ask = (target: string) => harness.acts.recover({ target, isForced: false }, DANA);
    expect(ask(held)).toMatchObject({ error: "refused", gate: "not_stalled" });
    expect(harness.acted.at(-1)).toMatchObject({
      isRefused: true,
      detail: expect.stringContaining(
        "refused (not_stalled): it is late, held by the guard: silent for",
      ),
    });
    const { gates } = harness.acts.tryRecover({
      target: reported,
      isForced: false,
    }) as RecoverDryRun;
    const gate = gates.find((one) => one.gate === "guard");
    expect(gate).toMatchObject({ open: false, passed_over: true });
    expect(gate!.found).toMatch(/^the guard is active: \d+ of 12 fell silent within \S+$/);
    expect(ask(reported)).toMatchObject({ id: 1, passed_over: ["guard"] });
    expect(harness.acted.at(-1)!.detail).toBe("recovery 1, passed over guard");
    expect(harness.runner.spawnCount).toBe(1);
  });
});
