// Who gives up a slot of a full table for an agent of another uid.
import { describe, expect, test } from "bun:test";
import { UID_SHARE_LOOKUPS_MAX, UID_SHARE_ROWS } from "../../src/base/limits.ts";
import { Harness, NET } from "./harness.ts";

const ALICE = 1_000;
const BOB = 1_001;
const CAROL = 1_002;

/**
 * A table that is full of agents of Alice: `beats` of each pid from 2 on, which is also its start
 * time.
 */
function fullOf(beats: readonly number[]): Harness {
  const h = new Harness({ capacity: beats.length });
  beats.forEach((count, i) => {
    for (let nonce = 1; nonce <= count; nonce++)
      h.beat(2 + i, nonce, nonce, { uid: ALICE, generation: 2 + i });
  });
  h.takeCounters();
  return h;
}

describe("a full table", () => {
  test("takes the newest slot that beat once from the uid that holds most", () => {
    const h = fullOf([1, 1, 1, 2]);
    expect(h.beat(50, 1, 10, { uid: BOB })).toBe("Inserted");
    expect(h.livePids()).toEqual([2, 3, 50, 5]);
    expect(h.takeMoved()).toEqual({ evictions: 1, uidShares: 1, evictionScanTruncated: 1 });
    expect(h.removedPids()).toEqual([4]);
    expect(h.endedReads).toBe(1);
    h.tracker.checkInvariants();
  });

  test("takes the newest slot whose process has ended, although it has beaten for long", () => {
    const h = fullOf([9, 9, 9, 9]);
    h.ended.add(3).add(2);
    expect(h.beat(50, 1, 10, { uid: BOB })).toBe("Inserted");
    expect(h.livePids()).toEqual([2, 50, 4, 5]);
  });

  test("takes nothing from agents that live and have beaten twice", () => {
    const h = fullOf([2, 2, 2, 2]);
    expect(h.beat(50, 1, 10, { uid: BOB })).toBe("CapacityExceeded");
    expect(h.takeMoved()).toEqual({ capacityExceeded: 1, evictionScanTruncated: 1 });
    expect(h.livePids()).toEqual([2, 3, 4, 5]);
  });

  test("is one uid's alone for as long as no other comes", () => {
    const h = fullOf([1, 1, 1]);
    expect(h.beat(50, 1, 10, { uid: ALICE })).toBe("CapacityExceeded");
    expect(h.livePids()).toEqual([2, 3, 4]);
  });

  test("is shared until none holds more than the newcomer", () => {
    const h = fullOf([1, 1, 1, 1]);
    expect(h.beat(50, 1, 10, { uid: BOB })).toBe("Inserted");
    expect(h.beat(51, 1, 10, { uid: BOB })).toBe("Inserted");
    expect(h.beat(52, 1, 10, { uid: BOB })).toBe("CapacityExceeded");
    expect(h.beat(53, 1, 10, { uid: CAROL })).toBe("Inserted");
    // Alice and Bob held two each: the smaller uid gave.
    expect(h.livePids().toSorted((a, b) => a - b)).toEqual([2, 50, 51, 53]);
  });

  test("gives nothing to a newcomer whose uid nothing attests, and takes from such ones", () => {
    const h = new Harness({ capacity: 3 });
    for (const pid of [2, 3, 4]) h.beat(pid, 1, 0, { origin: NET });
    expect(h.beat(50, 1, 10, { origin: NET })).toBe("CapacityExceeded");
    expect(h.beat(51, 1, 10, { uid: BOB })).toBe("Inserted");
    expect(h.livePids()).toEqual([2, 3, 51]);
  });

  test("first takes from an agent that has been silent for long", () => {
    const h = fullOf([1, 1, 1]);
    h.drain(101);
    h.beat(2, 2, 1_100, { uid: ALICE, generation: 2 });
    expect(h.beat(50, 1, 1_102, { uid: BOB })).toBe("Inserted");
    expect(h.takeMoved()).toEqual({ evictions: 1 });
  });

  test("asks after few processes for one newcomer, and goes on there with the next one", () => {
    const h = fullOf(Array.from({ length: 3 * UID_SHARE_LOOKUPS_MAX }, () => 2));
    h.ended.add(2);
    const outcomes = [50, 51, 52].map((pid) => h.beat(pid, 1, 10, { uid: BOB }));
    expect(outcomes).toEqual(["CapacityExceeded", "CapacityExceeded", "Inserted"]);
    expect(h.endedReads).toBe(3 * UID_SHARE_LOOKUPS_MAX);
    // From the newest one again, once all were asked after.
    h.ended.add(10);
    for (let i = 0; i < 3; i++) h.beat(60 + i, 1, 10, { uid: BOB });
    expect(h.livePids()).not.toContain(10);
  });

  test("a process that follows under the pid of another counts for its own uid", () => {
    const h = fullOf([1, 1, 1]);
    expect(h.beat(4, 1, 10, { uid: BOB, generation: 99 })).toBe("Inserted");
    expect(h.takeMoved()).toEqual({ pidRecycles: 1 });
    h.tracker.checkInvariants();
    expect(h.beat(50, 1, 10, { uid: CAROL })).toBe("Inserted");
    expect(h.livePids()).toEqual([2, 50, 4]);
  });
});

test("uids beyond the rows are counted together, and rows are used again", () => {
  const capacity = UID_SHARE_ROWS + 44;
  const h = new Harness({ capacity });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < capacity; i++)
      h.beat(2 + i, 1 + round, 1_000 * round, { uid: 5_000 * round + i, generation: 1 + round });
    h.tracker.checkInvariants();
    expect(h.tracker.len).toBe(capacity);
  }
});
