// Names keep their rows whatever becomes of pids, and there is a bounded number of them.
import { describe, expect, test } from "bun:test";
import { AgentTable } from "../../src/agents/agent_table.ts";
import { type MemberFacts, nameFor } from "../../src/agents/naming.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { AgentRows, ROWS } from "../../src/metrics/agent_rows.ts";
import { NOBODY_EXPECTED, stallOf } from "./fixture.ts";

const HOUR_NS = 3_600 * NS_PER_S;

class Subject {
  nowNs = 0;
  readonly agents = new AgentTable();
  readonly rows: AgentRows;
  #pid = 0;

  constructor(rowsMax: number, kept: readonly string[] = [], expected: readonly string[] = []) {
    this.agents.reserve(kept.map((name) => ({ name, bindsOwner: true })));
    const numbers = expected.map((name) => this.agents.reservedNumber(name));
    this.rows = new AgentRows({
      agents: this.agents,
      rowsMax,
      kept,
      expected: { ...NOBODY_EXPECTED, numbers, expectedOf: () => 1 },
      nowNs: () => this.nowNs,
    });
  }

  /** A member comes that runs `comm`, under a rule that gives it a name or in a unit; its agent. */
  comes(comm: string, { rule = "", unit = "" } = {}): number {
    const pid = ++this.#pid;
    const texts = { comm, exe: "", script: "", unit, unitUser: "", container: "" };
    const identity = { ...texts, mark: 1, uid: 0, gid: 0, user: "root" };
    const facts: MemberFacts = { pid, uid: 0, user: "root", identity, listener: "l", address: "" };
    const named = rule === "" ? undefined : { name: rule, bindsOwner: true };
    const number = this.agents.numberFor(nameFor(facts, named));
    this.agents.join(number);
    this.rows.named(number, facts);
    return number;
  }

  goes(number: number, beats = 0): void {
    this.agents.leave(number);
    this.rows.left(number, beats);
  }

  get names(): string[] {
    return this.rows.shown().map(({ name }) => name);
  }

  get refused(): number {
    return this.rows.counters.get(ROWS.shared);
  }
}

describe("the rows of a name", () => {
  test("are there from its first member on, in the order of the names", () => {
    const subject = new Subject(5);
    expect(subject.names).toEqual([]);
    subject.comes("b");
    subject.comes("a");
    subject.comes("b");
    expect(subject.names).toEqual(["a", "b"]);
  });

  test("have the beats of members that are gone, and go on under the next pid", () => {
    const subject = new Subject(5);
    subject.goes(subject.comes("a"), 3);
    subject.goes(subject.comes("a"), 4);
    expect(subject.rows.shown()[0]!.beats).toBe(7);
  });

  test("go an hour after the last member went, and begin anew at 0", () => {
    const subject = new Subject(5);
    subject.goes(subject.comes("a"), 3);
    subject.nowNs = HOUR_NS - 1;
    expect(subject.names).toEqual(["a"]);
    subject.nowNs = HOUR_NS;
    expect(subject.names).toEqual([]);
    const back = subject.comes("a");
    expect(subject.rows.of(back).beats).toBe(0);
  });

  test("stay as long as it has a member", () => {
    const subject = new Subject(5);
    const first = subject.comes("a");
    subject.nowNs = HOUR_NS;
    subject.comes("a");
    subject.goes(first);
    subject.nowNs = 3 * HOUR_NS;
    expect(subject.names).toEqual(["a"]);
  });

  test("that the configuration has begin with a member, and go on after an hour without one", () => {
    const subject = new Subject(5, ["kept"]);
    expect(subject.names).toEqual([]);
    subject.goes(subject.comes("x", { rule: "kept" }), 9);
    subject.nowNs = HOUR_NS;
    expect(subject.names).toEqual([]);
    expect(subject.rows.of(subject.comes("x", { rule: "kept" })).beats).toBe(9);
    expect(subject.names).toEqual(["kept"]);
  });

  test("of which members are expected are there before one comes, and for ever", () => {
    const subject = new Subject(5, ["cron"], ["cron"]);
    expect(subject.names).toEqual(["cron"]);
    subject.goes(subject.comes("x", { rule: "cron" }));
    subject.nowNs = 9 * HOUR_NS;
    expect(subject.names).toEqual(["cron"]);
  });
});

describe("a place among the bounded names", () => {
  test("is kept for the name of a rule, whatever programs call themselves before", () => {
    const subject = new Subject(5, ["important"]);
    for (let i = 0; i < 8; i++) subject.comes(`random${i}`);
    subject.comes("x", { rule: "important" });
    expect(subject.names).toEqual([
      "important",
      "other",
      "random0",
      "random1",
      "random2",
      "random3",
    ]);
    expect(subject.refused).toBe(4);
  });

  test("is given up by a name that anybody can make up for one that nobody can", () => {
    const subject = new Subject(3);
    const [, first] = ["a", "b", "c"].map((comm) => subject.comes(comm));
    subject.goes(first!);
    subject.comes("x", { unit: "one.service" });
    expect(subject.names).toEqual(["a", "c", "one"]);
    subject.comes("x", { unit: "two.service" });
    expect(subject.names).toEqual(["a", "one", "two"]);
    subject.comes("x", { unit: "three.service" });
    subject.comes("x", { unit: "four.service" });
    expect(subject.names).toEqual(["one", "other", "three", "two"]);
  });

  test("is had by one that was refused as soon as there is room", () => {
    const subject = new Subject(1);
    const a = subject.comes("a");
    const b = subject.comes("b");
    expect(subject.rows.of(b).name).toBe("other");
    subject.goes(a);
    subject.nowNs = HOUR_NS;
    expect(subject.rows.of(b).name).toBe("b");
  });

  test("is the one of the others for who was never identified, and counts there", () => {
    const subject = new Subject(5);
    subject.agents.join(0);
    subject.goes(0, 2);
    expect(subject.rows.shown().map(({ name, beats }) => [name, beats])).toEqual([["other", 2]]);
  });

  test("of a name that is counted after its agent is gone is that of its name", () => {
    const subject = new Subject(5);
    const number = subject.comes("a");
    subject.goes(number);
    subject.rows.stalled({ ...stallOf(7), agent: number });
    expect(subject.rows.shown()[0]!.stalls.at(-1)).toBe(1);
  });
});
