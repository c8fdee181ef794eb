// The members of each agent added up, while members come, go and beat in between.
import { describe, expect, test } from "bun:test";
import { AGENT_STATES } from "../../src/agents/agent_state.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { AgentRows } from "../../src/metrics/agent_rows.ts";
import { Identification } from "../../src/observer/identification.ts";
import { AgentTotals } from "../../src/view/agent_totals.ts";
import { NOBODY_EXPECTED } from "../metrics/fixture.ts";
import { ObserverHarness, THRESHOLD_NS } from "../observer/harness.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { beatOf } from "../support/scripted_listener.ts";

class Subject extends ObserverHarness {
  readonly identities = new ScriptedIdentities();
  readonly identification: Identification;
  readonly rows: AgentRows;
  readonly totals: AgentTotals;
  #nonce = 1n;

  constructor() {
    super({ trackerCapacity: 1_024 });
    const { tracker } = this.observer;
    this.rows = new AgentRows({
      agents: tracker.table.agents,
      rowsMax: 5,
      kept: [],
      expected: NOBODY_EXPECTED,
      nowNs: () => this.clock.ns,
    });
    tracker.table.agentBeats = this.rows;
    this.totals = new AgentTotals(tracker, this.rows);
    this.identification = new Identification({
      tracker,
      reader: this.identities,
      listenerNames: ["scripted"],
      named: (agent, facts) => this.rows.named(agent, facts),
      monotonicNs: () => 0,
    });
  }

  /** A beat of each pid, which runs `comm` if it is new, and a look at who they are. */
  beat(comm: string, pids: readonly number[], status = 0): void {
    for (const pid of pids) {
      if (this.identities.table.has(pid)) continue;
      this.processes.set(pid, 1);
      this.identities.table.set(pid, { comm });
    }
    this.#nonce += 1n;
    for (let at = 0; at < pids.length; at += 64)
      this.receive(
        ...pids.slice(at, at + 64).map((pid) => beatOf(pid, { nonce: this.#nonce, status })),
      );
    this.identification.beginTurn();
    this.identification.advance(this.clock.ns);
  }

  add(): void {
    this.totals.begin(this.clock.ns);
    while (!this.totals.step());
  }

  of(name: string) {
    const row = this.rows.shown().find((one) => one.name === name)!;
    const { byState, ...numbers } = row.totals;
    const states = AGENT_STATES.flatMap((state, i) =>
      byState[i] === 0 ? [] : [[state, byState[i]]],
    );
    return { beats: row.beats, states: Object.fromEntries(states), ...numbers };
  }
}

const pidsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => first + i);

describe("the totals of agents", () => {
  test("are members by state, the oldest beat, and the worst silence by threshold", () => {
    const subject = new Subject();
    const beganNs = subject.clock.ns;
    subject.beat("a", [10]);
    subject.pass(20);
    subject.beat("a", [11], 1);
    subject.beat("b", [12], 2);
    subject.pass(30);
    subject.add();
    expect(subject.of("a")).toEqual({
      beats: 2,
      states: { ok: 1, degraded: 1 },
      members: 2,
      beating: 2,
      oldestNs: beganNs,
      thresholdNs: THRESHOLD_NS,
      silenceRatio: 0.5,
    });
    expect(subject.of("b").states).toEqual({ critical: 1 });
    subject.pass(60);
    subject.pump();
    subject.add();
    expect(subject.of("a")).toMatchObject({ states: { stalled: 1, degraded: 1 }, beating: 1 });
    expect(subject.of("a").silenceRatio).toBeCloseTo(1.1);
  });

  test("say of an agent without members that it is gone, and nothing of its silence", () => {
    const subject = new Subject();
    subject.beat("a", [10]);
    subject.observer.tracker.ends.leave(subject.observer.tracker.slotOf(10));
    subject.add();
    expect(subject.of("a")).toEqual({
      beats: 1,
      states: { gone: 1 },
      members: 0,
      beating: 0,
      oldestNs: Number.NaN,
      thresholdNs: Number.NaN,
      silenceRatio: Number.NaN,
    });
  });

  test("count every beat once, whoever leaves and beats while a page is made", () => {
    const subject = new Subject();
    const { tracker } = subject.observer;
    const pids = pidsFrom(100, 600);
    subject.beat("a", pids);
    subject.totals.begin(subject.clock.ns);
    expect(subject.totals.step()).toBe(false);
    // From the front: the last ones, which were passed, move to where the walk comes by once more.
    for (const pid of pids.slice(0, 50)) tracker.ends.leave(tracker.slotOf(pid));
    subject.pass(1);
    subject.beat("a", pids.slice(50));
    while (!subject.totals.step());
    const { beats, members } = subject.of("a");
    expect(members).toBe(550);
    subject.add();
    expect(subject.of("a").beats).toBe(600 + 550);
    expect(beats).toBeLessThanOrEqual(600 + 550);
  });

  test("leave beats with the agent for which they came, and bring the first ones along", () => {
    const subject = new Subject();
    subject.beat("a", [10]);
    subject.add();
    expect(subject.of("a").beats).toBe(1);
    subject.beat("a", [10]);
    subject.identities.table.set(10, { comm: "b" });
    subject.clock.ns += 5 * NS_PER_S;
    subject.beat("b", [10]);
    subject.add();
    expect(subject.of("a")).toMatchObject({ beats: 3, states: { gone: 1 } });
    subject.beat("b", [10]);
    subject.add();
    expect([subject.of("a").beats, subject.of("b").beats]).toEqual([3, 1]);
  });

  test("have no member that nobody has looked at yet, and its beats once somebody has", () => {
    const subject = new Subject();
    subject.processes.set(7, 1);
    subject.identities.table.set(7, { comm: "a" });
    subject.receive(beatOf(7));
    subject.add();
    expect(subject.rows.shown()).toEqual([]);
    subject.identification.beginTurn();
    subject.identification.advance(subject.clock.ns);
    subject.add();
    expect(subject.of("a")).toMatchObject({ beats: 1, members: 1 });
  });

  test("do not count the time in which nobody could be heard as silence", () => {
    const subject = new Subject();
    subject.beat("a", [10]);
    const lastNs = subject.clock.ns;
    subject.observer.tracker.pauses.add(lastNs + 40 * NS_PER_MS, 40 * NS_PER_MS);
    subject.clock.ns += 60 * NS_PER_MS;
    subject.add();
    expect(subject.of("a").silenceRatio).toBeLessThan(0.6);
  });
});
