// Members that the guard holds (spec 03 section 7.4): silent, and neither judged nor counted.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { memberState } from "../../src/tracker/member_state.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { Harness, THRESHOLD } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(50, 500);
const ALL = Number.POSITIVE_INFINITY;

/** Members 1 to 3, which beat at 1 to 3, under a guard that holds everybody. */
class Held extends Harness {
  /** Pids whose silence was over. */
  readonly heard: number[] = [];

  constructor(options: { capacity?: number } = {}) {
    super(options);
    const { lanes } = this.tracker.table;
    this.holding(true);
    lanes.onHeard = (key) => this.heard.push(key);
    this.tracker.guard = { holds: () => lanes.isHolding };
    for (const pid of [1, 2, 3]) this.beat(pid, 1, pid);
  }

  get lanes() {
    return this.tracker.table.lanes;
  }

  holding(isHolding: boolean): void {
    this.lanes.isHolding = isHolding;
  }

  fallen(now: number): number[] {
    const fallen = this.due(now).stalled;
    this.tracker.checkInvariants();
    return fallen;
  }

  state(pid: number, now: number): string {
    return memberState(this.tracker.table, this.tracker.slotOf(pid), now);
  }
}

describe("a member that is held", () => {
  test("is late and not stalled, and waits for no deadline", () => {
    const h = new Held();
    expect(h.fallen(THRESHOLD + 2)).toEqual([]);
    expect([1, 2, 3].map((pid) => h.state(pid, THRESHOLD + 2))).toEqual(["late", "late", "ok"]);
    expect(h.tracker.nextDeadline()).toBe(THRESHOLD + 3);
    expect(h.fallen(THRESHOLD + 3)).toEqual([]);
    expect(h.tracker.nextDeadline()).toBe(ALL);
    expect(h.lanes.heldCount).toBe(3);
  });

  test("is due at once when nobody is held any more, the longest silence first", () => {
    const h = new Held();
    h.fallen(THRESHOLD + 3);
    h.holding(false);
    expect(h.tracker.nextDeadline()).toBe(THRESHOLD + 1);
    expect(h.fallen(THRESHOLD + 50)).toEqual([1, 2, 3]);
    expect(h.lanes.heldCount).toBe(0);
  });

  test("is as any other when it beats, and its silence is over", () => {
    const h = new Held();
    h.fallen(THRESHOLD + 3);
    h.beat(2, 2, THRESHOLD + 20);
    expect(h.heard).toEqual([2]);
    expect(h.state(2, THRESHOLD + 20)).toBe("ok");
    expect(h.tracker.nextDeadline()).toBe(2 * THRESHOLD + 20);
    h.holding(false);
    expect(h.fallen(THRESHOLD + 50)).toEqual([1, 3]);
    expect(h.fallen(2 * THRESHOLD + 20)).toEqual([2]);
  });

  test("is judged at once when its end is known", () => {
    const h = new Held();
    h.fallen(THRESHOLD + 3);
    h.tracker.ends.note(h.tracker.slotOf(2));
    expect(h.heard).toEqual([2]);
    expect(h.fallen(THRESHOLD + 4)).toEqual([2]);
    expect(h.lanes.heldCount).toBe(2);
  });

  test("leaves with its row", () => {
    const h = new Held();
    h.fallen(THRESHOLD + 3);
    h.tracker.ends.forget(h.tracker.slotOf(1));
    expect([h.heard, h.lanes.heldCount]).toEqual([[1], 2]);
    h.tracker.checkInvariants();
  });

  test("goes by its new terms, and is held by those, too", () => {
    const h = new Held();
    h.fallen(THRESHOLD + 3);
    h.change(1, 2 * THRESHOLD);
    h.change(2, THRESHOLD / 2);
    expect(h.fallen(THRESHOLD + 4)).toEqual([]);
    h.holding(false);
    expect(h.fallen(THRESHOLD + 5).sort()).toEqual([2, 3]);
  });

  test("is not due by a pause that began later", () => {
    const h = new Held();
    h.fallen(THRESHOLD + 3);
    h.tracker.pauses.add(THRESHOLD + 400, 300);
    h.holding(false);
    expect(h.fallen(THRESHOLD + 300)).toEqual([]);
    expect(h.fallen(THRESHOLD + 303)).toEqual([1, 2, 3]);
  });
});

const STEP = fc.record({
  do: fc.constantFrom("beat", "beat", "pass", "pass", "hold", "judge", "end", "forget", "change"),
  pid: fc.integer({ min: 1, max: 12 }),
  ns: fc.integer({ min: 1, max: THRESHOLD }),
});

test("holding changes when members are judged, and never who is silent", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 80 }), (steps) => {
      const h = new Held({ capacity: 12 });
      const plain = new Harness({ capacity: 12 });
      for (const pid of [1, 2, 3]) plain.beat(pid, 1, pid);
      const both = [h, plain];
      const [held, judged] = [new Set<number>(), new Set<number>()];
      let now = 3;
      for (const [i, step] of steps.entries()) {
        const { pid, ns } = step;
        if (step.do === "pass") now += ns;
        if (step.do === "hold") h.holding(true);
        if (step.do === "judge") h.holding(false);
        // One that is held goes by its new terms, by which it may not be silent any more.
        const isHeld = judged.has(pid) && !held.has(pid);
        if (step.do === "beat") {
          for (const one of both) one.beat(pid, 2 + i, now);
          for (const seen of [held, judged]) seen.delete(pid);
        }
        for (const one of both) {
          const slot = one.tracker.slotOf(pid);
          if (step.do === "forget" && slot >= 0) one.tracker.ends.forget(slot);
          if (step.do === "change" && !isHeld) one.change(pid, ns);
          if (step.do === "end" && slot >= 0) one.tracker.ends.note(slot);
        }
        if (step.do === "forget") for (const seen of [held, judged]) seen.delete(pid);
        for (const fallen of h.fallen(now)) held.add(fallen);
        for (const fallen of plain.due(now).stalled) judged.add(fallen);
        if (!h.lanes.isHolding) expect(held).toEqual(judged);
        else for (const fallen of held) expect(judged).toContain(fallen);
      }
      h.holding(false);
      for (const fallen of h.fallen(now)) held.add(fallen);
      expect(held).toEqual(judged);
    }),
    { numRuns: RUNS },
  );
});
