// Agents of which members are expected: when one is missing, and when it is complete again.
import { describe, expect, test } from "bun:test";
import { AgentTable } from "../../src/agents/agent_table.ts";
import { type ExpectedAgent, EXPECTED, ExpectedAgents } from "../../src/agents/expected_agents.ts";
import { NS_PER_S } from "../../src/base/time.ts";

const WORKER: ExpectedAgent = { name: "worker", expected: 2, graceNs: 0 };
const CRON: ExpectedAgent = { name: "cron", expected: 1, graceNs: 60 * NS_PER_S };

class Subject {
  readonly agents = new AgentTable();
  readonly told: string[] = [];
  pausedNs = 0;
  nowS = 0;
  readonly expected: ExpectedAgents;

  constructor(...expected: readonly ExpectedAgent[]) {
    this.agents.reserve(expected.map(({ name }) => ({ name, bindsOwner: true })));
    this.expected = new ExpectedAgents({
      agents: this.agents,
      expected,
      reports: {
        missing: ({ agent, members, expected: of, graceNs, observerNs }) =>
          this.told.push(
            `${observerNs / NS_PER_S}: ${this.agents.nameOf(agent)} ${members}/${of} after ${graceNs / NS_PER_S}`,
          ),
        complete: ({ agent, members, expected: of, missingNs, observerNs }) =>
          this.told.push(
            `${observerNs / NS_PER_S}: ${this.agents.nameOf(agent)} ${members}/${of} back after ${missingNs / NS_PER_S}`,
          ),
      },
      pausedNs: () => this.pausedNs,
    });
  }

  numberOf(name: string): number {
    return this.agents.reservedNumber(name);
  }

  /** What is told at that time, in seconds. */
  at(nowS: number): string[] {
    this.nowS = nowS;
    this.expected.look(nowS * NS_PER_S);
    return this.told.splice(0);
  }

  get dueS(): number {
    return this.expected.nextDeadlineNs() / NS_PER_S;
  }
}

describe("an agent of which members are expected", () => {
  test("that never comes is missing after its grace, which is 30 s at least, and is told once", () => {
    const subject = new Subject(WORKER, CRON);
    expect([...subject.at(0), ...subject.at(29.9)]).toEqual([]);
    expect(subject.dueS).toBe(30);
    expect(subject.at(30)).toEqual(["30: worker 0/2 after 30"]);
    expect(subject.dueS).toBe(60);
    expect(subject.at(60)).toEqual(["60: cron 0/1 after 60"]);
    expect(subject.dueS).toBe(Number.POSITIVE_INFINITY);
    expect(subject.at(1_000)).toEqual([]);
    expect(subject.expected.counters.get(EXPECTED.missing)).toBe(2);
  });

  test("that has its members in time is never missing", () => {
    const subject = new Subject(WORKER);
    const worker = subject.numberOf("worker");
    subject.at(0);
    subject.agents.join(worker);
    subject.agents.join(worker);
    expect(subject.at(10)).toEqual([]);
    expect(subject.dueS).toBe(Number.POSITIVE_INFINITY);
    expect(subject.at(100)).toEqual([]);
  });

  test("that loses a member is missing when that lasts for its grace, from then on", () => {
    const subject = new Subject(WORKER);
    const worker = subject.numberOf("worker");
    for (let i = 0; i < 3; i++) subject.agents.join(worker);
    expect(subject.at(50)).toEqual([]);
    subject.agents.leave(worker);
    expect(subject.at(51)).toEqual([]);
    subject.agents.leave(worker);
    expect(subject.at(52)).toEqual([]);
    expect(subject.expected.missingOf(worker)).toBe(0);
    expect(subject.at(81.9)).toEqual([]);
    expect(subject.at(82)).toEqual(["82: worker 1/2 after 30"]);
    expect(subject.expected.missingOf(worker)).toBe(1);
  });

  test("whose member is replaced within the grace is not missing, and has a whole grace again", () => {
    const subject = new Subject(WORKER);
    const worker = subject.numberOf("worker");
    subject.agents.join(worker);
    subject.agents.join(worker);
    subject.at(50);
    subject.agents.leave(worker);
    subject.at(60);
    subject.agents.join(worker);
    subject.at(89);
    subject.agents.leave(worker);
    expect([...subject.at(90), ...subject.at(119.9)]).toEqual([]);
    expect(subject.at(120)).toEqual(["120: worker 1/2 after 30"]);
  });

  test("misses a member whose process has ended, also while that is in the table", () => {
    const subject = new Subject(CRON);
    const cron = subject.numberOf("cron");
    subject.agents.join(cron);
    subject.at(0);
    subject.agents.changed(cron, true, false);
    subject.at(1);
    expect(subject.at(61)).toEqual(["61: cron 0/1 after 60"]);
    subject.agents.leave(cron, false);
    expect(subject.at(62)).toEqual([]);
    expect(subject.expected.missingOf(cron)).toBe(1);
  });

  test("that was missing is complete when it has its members again, and may be missing again", () => {
    const subject = new Subject(WORKER);
    const worker = subject.numberOf("worker");
    subject.at(0);
    subject.at(30);
    subject.agents.join(worker);
    expect(subject.at(31)).toEqual([]);
    expect(subject.expected.missingOf(worker)).toBe(1);
    expect(subject.expected.missingCount).toBe(1);
    subject.agents.join(worker);
    expect(subject.at(40)).toEqual(["40: worker 2/2 back after 10"]);
    expect([subject.expected.missingOf(worker), subject.expected.missingCount]).toEqual([0, 0]);
    expect(subject.expected.counters.get(EXPECTED.complete)).toBe(1);
    subject.agents.leave(worker);
    subject.at(50);
    expect(subject.at(80)).toEqual(["80: worker 1/2 after 30"]);
  });

  test("has its grace without the time in which the observer could hear nobody", () => {
    const subject = new Subject(WORKER);
    subject.at(0);
    subject.pausedNs = 100 * NS_PER_S;
    expect(subject.at(101)).toEqual([]);
    expect(subject.dueS).toBe(130);
    expect(subject.at(130)).toEqual(["130: worker 0/2 after 30"]);
  });

  test("is known by its number from the start; of the others nothing is expected", () => {
    const subject = new Subject(WORKER, CRON);
    expect([...subject.expected.numbers]).toEqual(
      ["worker", "cron"].map((name) => subject.numberOf(name)),
    );
    expect(subject.expected.expectedOf(subject.numberOf("worker"))).toBe(2);
    expect([subject.expected.expectedOf(0), subject.expected.missingOf(0)]).toEqual([0, 0]);
  });
});

describe("ExpectedAgents.change()", () => {
  function change(subject: Subject, nowS: number, ...expected: readonly ExpectedAgent[]): void {
    subject.agents.reserveAnew(expected.map(({ name }) => ({ name, bindsOwner: true })));
    subject.expected.change(expected, nowS * NS_PER_S);
  }

  test("an agent that is new has its whole grace from then on, not from the start", () => {
    const subject = new Subject(WORKER);
    for (let i = 0; i < 2; i++) subject.agents.join(subject.numberOf("worker"));
    expect(subject.at(100)).toEqual([]);
    change(subject, 100, WORKER, CRON);
    expect([...subject.at(100), ...subject.at(159.9)]).toEqual([]);
    expect(subject.at(160)).toEqual(["160: cron 0/1 after 60"]);
  });

  test("a larger number has its whole grace, a smaller one completes at once", () => {
    const subject = new Subject(WORKER);
    for (let i = 0; i < 2; i++) subject.agents.join(subject.numberOf("worker"));
    expect(subject.at(50)).toEqual([]);
    change(subject, 50, { ...WORKER, expected: 3 });
    expect([...subject.at(50), ...subject.at(79.9)]).toEqual([]);
    expect(subject.at(80)).toEqual(["80: worker 2/3 after 30"]);
    change(subject, 90, WORKER);
    expect(subject.at(90)).toEqual(["90: worker 2/2 back after 10"]);
  });

  test("the same number keeps the state and the time of the agent", () => {
    const subject = new Subject(WORKER, CRON);
    expect(subject.at(31)).toEqual(["31: worker 0/2 after 30"]);
    change(subject, 40, WORKER, CRON);
    expect([...subject.at(40), ...subject.at(59.9)]).toEqual([]);
    expect(subject.at(60)).toEqual(["60: cron 0/1 after 60"]);
    expect(subject.expected.missingCount).toBe(2);
  });

  test("a grace of before the start goes on, with a threshold in which its members may be heard", () => {
    const terms = { thresholdNs: 5 * NS_PER_S };
    const subject = new Subject({ ...WORKER, ...terms }, { ...CRON, ...terms });
    subject.pausedNs = 2 * NS_PER_S;
    subject.expected.restoreGraces(
      [
        { agent: "worker", sinceNs: -90 * NS_PER_S, expected: 2 },
        { agent: "cron", sinceNs: -20 * NS_PER_S, expected: 1 },
        { agent: "not expected any more", sinceNs: 0, expected: 1 },
      ],
      0,
    );
    expect(subject.expected.graceLeftNs(subject.numberOf("worker"), 0)).toBe(7 * NS_PER_S);
    expect([...subject.at(0), ...subject.at(6.9)]).toEqual([]);
    expect(subject.at(7)).toEqual(["7: worker 0/2 after 30"]);
    expect(subject.at(41.9)).toEqual([]);
    expect([...subject.expected.graces()]).toEqual([
      { agent: "cron", sinceNs: -18 * NS_PER_S, expected: 1 },
    ]);
    expect(subject.at(42)).toEqual(["42: cron 0/1 after 60"]);
    expect([...subject.expected.graces()]).toEqual([]);
  });

  test("a grace of before ends with the members, and is none of more members than then", () => {
    const subject = new Subject(WORKER, { ...CRON, expected: 2 });
    subject.expected.restoreGraces(
      [
        { agent: "worker", sinceNs: -29 * NS_PER_S, expected: 2 },
        { agent: "cron", sinceNs: -59 * NS_PER_S, expected: 1 },
      ],
      0,
    );
    const { changes } = subject.expected;
    for (let i = 0; i < 2; i++) subject.agents.join(subject.numberOf("worker"));
    expect([...subject.at(1), ...subject.at(59.9)]).toEqual([]);
    expect(subject.expected.changes).toBe(changes + 1);
    expect(subject.at(60)).toEqual(["60: cron 0/2 after 60"]);
  });

  test("without a threshold a grace of before ends no sooner than a new one", () => {
    const subject = new Subject(WORKER);
    const grace = { agent: "worker", sinceNs: -90 * NS_PER_S, expected: 2 };
    subject.expected.restoreGraces([grace], 0);
    expect([...subject.at(0), ...subject.at(29.9)]).toEqual([]);
    expect(subject.at(30)).toHaveLength(1);
  });

  test("an agent of which none is expected any more is not missing, without a word", () => {
    const subject = new Subject(WORKER);
    expect(subject.at(31)).toHaveLength(1);
    change(subject, 40);
    expect(subject.at(41)).toEqual([]);
    expect(subject.expected.missingCount).toBe(0);
  });

  test("that was missing before the start still is, nothing is told again, and it may be complete", () => {
    const subject = new Subject(WORKER, CRON);
    subject.expected.restore([
      { agent: "cron", sinceNs: -90 * NS_PER_S },
      { agent: "not expected any more", sinceNs: 0 },
    ]);
    expect([...subject.at(0), ...subject.at(29)]).toEqual([]);
    expect(subject.expected.missingCount).toBe(1);
    expect(subject.expected.missingSinceNs(subject.numberOf("cron"))).toBe(-90 * NS_PER_S);
    subject.agents.join(subject.numberOf("cron"));
    expect(subject.at(31)).toEqual(["31: worker 0/2 after 30", "31: cron 1/1 back after 121"]);
  });
});
