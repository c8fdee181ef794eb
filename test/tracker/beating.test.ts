import { expect, test } from "bun:test";
import { isBeating, isHeard } from "../../src/tracker/beating.ts";
import { Harness, THRESHOLD } from "./harness.ts";

const PID = 42;

function tracked(generation: number | undefined): Harness {
  const harness = new Harness();
  harness.beat(PID, 1, 1_000, { generation });
  return harness;
}

function proven(generation: number | undefined): Harness {
  const harness = tracked(generation);
  harness.tracker.table.slots.prove(harness.tracker.slotOf(PID));
  return harness;
}

test("isBeating() is true for a proven process of the generation asked for, or a later one", () => {
  const { tracker } = proven(7);
  expect([6, 7, 8].map((generation) => isBeating(tracker, PID, generation))).toEqual([
    true,
    true,
    false,
  ]);
});

test("isBeating() is false for a pid that no process has", () => {
  expect(isBeating(proven(7).tracker, PID + 1, 7)).toBe(false);
});

test("isBeating() is false for a sender that is not proven: its beats may be those of another", () => {
  expect(isBeating(tracked(7).tracker, PID, 7)).toBe(false);
});

test("isBeating() is false for a process of unknown start time", () => {
  expect(isBeating(proven(undefined).tracker, PID, 7)).toBe(false);
});

test("isBeating() is false once the stall was reported, and true again from the next beat on", () => {
  const harness = proven(7);
  expect(harness.stalled(1_000 + THRESHOLD)).toEqual([PID]);
  expect(isBeating(harness.tracker, PID, 7)).toBe(false);
  harness.beat(PID, 2, 2_000, { generation: 7 });
  expect(isBeating(harness.tracker, PID, 7)).toBe(true);
});

test("isHeard() is true for a tracked pid, proven or not, until its stall was reported", () => {
  const harness = tracked(7);
  expect([isHeard(harness.tracker, PID), isHeard(harness.tracker, PID + 1)]).toEqual([true, false]);
  harness.stalled(1_000 + THRESHOLD);
  expect(isHeard(harness.tracker, PID)).toBe(false);
});
