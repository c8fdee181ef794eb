import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { AgentRows } from "../../src/metrics/agent_rows.ts";
import { BeatRates } from "../../src/view/beat_rates.ts";
import { NOBODY_EXPECTED } from "../metrics/fixture.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { joinMembers } from "../support/named_members.ts";
import { beatOf } from "../support/scripted_listener.ts";

class Subject extends ObserverHarness {
  readonly rows: AgentRows;
  readonly rates: BeatRates;
  #nonce = 1n;

  constructor(trackerCapacity = 64) {
    super({ trackerCapacity });
    const { tracker } = this.observer;
    const { agents } = tracker.table;
    this.rows = new AgentRows({
      agents,
      rowsMax: 5,
      kept: [],
      expected: NOBODY_EXPECTED,
      nowNs: () => this.clock.ns,
    });
    tracker.table.agentBeats = this.rows;
    this.rates = new BeatRates(tracker, this.rows);
  }

  /** One beat of each pid every second, and the turns of the daemon. */
  live(seconds: number, pids: readonly number[]): void {
    for (let second = 0; second < seconds; second++) {
      this.pass(1_000);
      this.#nonce += 1n;
      this.receive(...pids.map((pid) => beatOf(pid, { nonce: this.#nonce })));
      this.turn();
    }
  }

  turn(): void {
    while (this.rates.nextDeadlineNs() <= this.clock.ns) {
      this.rates.maintain(this.clock.ns);
      this.pass(1e-6);
    }
  }

  rate(name: string): number {
    const number = this.observer.tracker.table.agents.numberOf(name)!;
    return this.rates.rateOf(this.rows.of(number));
  }

  /** What is on the account of an agent, and what is not there yet. */
  total(name: string): number {
    const { slots, table, len } = this.observer.tracker;
    const number = table.agents.numberOf(name)!;
    let { beats } = this.rows.of(number);
    for (let slot = 0; slot < len; slot++)
      if (slots.agent[slot] === number) beats += slots.beats[slot]!;
    return beats;
  }
}

describe("beats per second", () => {
  test("are those of all members of an agent over the last minute", () => {
    const subject = new Subject();
    joinMembers(subject, [100, 101, 102], (pid) => (pid < 102 ? "worker" : "api"));
    subject.live(4, [100, 101, 102]);
    expect(subject.rate("worker")).toBeNaN();
    subject.live(20, [100, 101, 102]);
    expect(subject.rate("worker")).toBeCloseTo(2, 1);
    expect(subject.rate("api")).toBeCloseTo(1, 1);
    subject.live(30, [100]);
    const fading = subject.rate("worker");
    expect(fading).toBeGreaterThan(1);
    expect(fading).toBeLessThan(2);
    subject.live(65, [100]);
    expect(subject.rate("worker")).toBeCloseTo(1, 1);
    expect(subject.rate("api")).toBe(0);
  });

  test("have the beats of members that have left, and count none twice", () => {
    const subject = new Subject();
    joinMembers(subject, [100, 101], () => "worker");
    subject.live(12, [100, 101]);
    subject.observer.tracker.table.remove(subject.observer.tracker.slotOf(101));
    subject.live(8, [100]);
    expect(subject.total("worker")).toBe(2 + 24 + 8);
  });

  test("pass many members in steps of less than a millisecond, and then rest for five seconds", () => {
    const subject = new Subject(4_096);
    const pids = Array.from({ length: 4_096 }, (_, at) => 100 + at);
    joinMembers(subject, pids, () => "worker");
    let steps = 0;
    let longestMs = 0;
    while (subject.rates.nextDeadlineNs() < 4 * NS_PER_S + subject.clock.ns && steps < 100) {
      const beganMs = performance.now();
      subject.rates.maintain(subject.clock.ns);
      longestMs = Math.max(longestMs, performance.now() - beganMs);
      subject.clock.ns += 2 * NS_PER_MS;
      steps += 1;
    }
    expect(steps).toBe(8);
    expect(subject.total("worker")).toBe(4_096);
    expect(longestMs).toBeLessThan(20);
  });
});
