import { describe, expect, test } from "bun:test";
import { continuationOf } from "../../src/snapshot/continuation.ts";
import { decodeState } from "../../src/snapshot/decoder.ts";
import type { MemberRecord } from "../../src/snapshot/records.ts";
import { restoreMembers } from "../../src/snapshot/restored_members.ts";
import { memberRecords } from "../../src/tracker/member_records.ts";
import { restoreSlots } from "../../src/tracker/restored_slots.ts";
import { silenceNs } from "../../src/view/silence.ts";
import { bytesOf, EMPTY, memberRows, MOMENT } from "../snapshot/states.ts";
import { Harness, THRESHOLD } from "./harness.ts";

const GENERATION = 5_000;
const BEAT = { generation: GENERATION, uid: 1000, namespaceInode: 42 };
/** The daemon of before wrote its state then. */
const WRITTEN = 1_000;

const NAMES = {
  ruleName: () => "worker",
  listenerName: () => "local",
  heldOf: () => "" as const,
  stallOf: () => ({ verdict: "hung" as const, stalledNs: 900, isRecovering: false }),
};

/** What comes out of the state file of `before`, by pid. */
function recordsOf(before: Harness): MemberRecord[] {
  const member = Array.from(memberRecords(before.tracker.table, NAMES), (one) => ({ ...one }));
  const decoded = decodeState(bytesOf({ ...EMPTY, member }));
  if (!decoded.ok) throw new Error(decoded.found);
  return [...decoded.state.member].sort((a, b) => a.pid - b.pid);
}

/** The next daemon, whose clock begins with 0 `gap` after the state was written. */
function next(
  records: readonly MemberRecord[],
  { gap = 50, capacity = 100, ended = [] as readonly number[] } = {},
): Harness {
  const after = new Harness({ capacity });
  const moment = { ...MOMENT, observerNs: WRITTEN };
  const here = {
    ...moment,
    observerNs: 0,
    monotonicNs: moment.monotonicNs + gap,
    boottimeNs: moment.boottimeNs + gap,
  };
  const { members } = restoreMembers(memberRows(records), continuationOf(moment, here, false), {
    capacity,
    hasEnded: (pid) => ended.includes(pid),
  });
  restoreSlots(after.tracker.table, members, () => 3);
  after.tracker.pauses.startAt(0);
  after.tracker.checkInvariants();
  return after;
}

describe("memberRecords() and restoreSlots()", () => {
  test("bring a member back with its identity, its nonce and its silence", () => {
    const before = new Harness();
    before.beat(7, 1, 100, BEAT);
    before.beat(7, 2, 950, { ...BEAT, ts: 2n ** 40n, payload: 9 });
    const after = next(recordsOf(before));
    const { slots } = after.tracker;
    const slot = after.tracker.slotOf(7);
    expect(slots.lastNs[slot]).toBe(-100);
    expect(slots.firstNs[slot]).toBe(-950);
    expect([slots.generation[slot], slots.uid[slot]]).toEqual([GENERATION, 1000]);
    expect([slots.payload[slot], slots.listener[slot], slots.beatsTaken[slot]]).toEqual([9, 3, 2]);
    expect(after.tracker.lastObservedNonceOf(7)).toBe(2n);
    // What it sent before is old for the next daemon, too.
    expect(after.beat(7, 2, 10, BEAT)).toBe("OutOfOrder");
    expect(after.beat(7, 3, 11, BEAT)).toBe("Refreshed");
    after.tracker.checkInvariants();
  });

  test("give a member that is silent one full threshold from the start, and no more", () => {
    const before = new Harness();
    before.beat(7, 1, 901, BEAT);
    before.beat(8, 1, 999, BEAT);
    const after = next(recordsOf(before), { gap: 5_000 });
    expect(after.due(THRESHOLD - 1).stalled).toEqual([]);
    after.beat(8, 2, THRESHOLD - 1, BEAT);
    expect(after.due(THRESHOLD).stalled).toEqual([7]);
  });

  test("leave a stalled member stalled: it is reported no more, and its beat is a resume", () => {
    const before = new Harness();
    before.beat(7, 1, 100, BEAT);
    expect(before.stalled(WRITTEN)).toEqual([7]);
    const after = next(recordsOf(before));
    expect(after.latched(7)).toBe(true);
    // Its silence goes on: an alert on it does not resolve.
    expect(silenceNs(after.tracker.table, after.tracker.slotOf(7), 0)).toBe(WRITTEN - 100 + 50);
    expect(after.tracker.stallEmittedCount).toBe(1);
    expect(after.due(10 * THRESHOLD).stalled).toEqual([]);
    after.beat(7, 2, 2_000, BEAT);
    expect(after.latched(7)).toBe(false);
    after.tracker.checkInvariants();
  });

  test("keep of a member that has ended that it has, once that was reported", () => {
    const before = new Harness();
    before.beat(7, 1, 990, BEAT);
    const unseen = next(recordsOf(before), { ended: [7] });
    expect(unseen.tracker.slots.hasEnded(unseen.tracker.slotOf(7))).toBe(false);
    before.tracker.ends.note(before.tracker.slotOf(7));
    const after = next(recordsOf(before), { ended: [7] });
    expect(after.tracker.slots.hasEnded(after.tracker.slotOf(7))).toBe(true);
    expect(after.tracker.table.agents.presentOf(0)).toBe(0);
  });

  test("keep what a member announced and asked for, and that it has said goodbye", () => {
    const before = new Harness();
    for (const pid of [7, 8]) before.beat(pid, 1, 900, BEAT);
    before.tracker.table.greet(before.tracker.slotOf(7), "front-7", 5e9);
    before.sayGoodbye(7, 950, 3_000);
    const after = next(recordsOf(before));
    const slot = after.tracker.slotOf(7);
    const { slots, table } = after.tracker;
    expect([table.announced[slot], slots.askedNs[slot]]).toEqual(["front-7", 5e9]);
    expect([slots.saidGoodbye(slot), slots.goodbyeNs[slot]]).toEqual([true, -100]);
    expect(after.due(2_899).stalled).toEqual([8]);
    expect(after.due(2_900).stalled).toEqual([7]);
    after.beat(7, 2, 2_950, BEAT);
    expect(slots.saidGoodbye(slot)).toBe(false);
    after.tracker.checkInvariants();
  });

  test("keep that a member has said hello and not beaten: it owes no beats", () => {
    const before = new Harness();
    before.greet("hello", 7, 1n, 900, BEAT);
    const after = next(recordsOf(before));
    expect(after.due(1e12).stalled).toEqual([]);
    expect(after.tracker.slots.hasBeaten(after.tracker.slotOf(7))).toBe(false);
    after.beat(7, 1, 1e12, BEAT);
    expect(after.due(1e12 + THRESHOLD).stalled).toEqual([7]);
    after.tracker.checkInvariants();
  });

  test("keep of a stall that it came since a goodbye", () => {
    const before = new Harness();
    before.beat(7, 1, 100, BEAT);
    before.sayGoodbye(7, 150, 300);
    expect(before.stalled(WRITTEN)).toEqual([7]);
    const after = next(recordsOf(before));
    expect([after.latched(7), after.tracker.slots.saidGoodbye(0)]).toEqual([true, true]);
    after.beat(7, 2, 10, BEAT);
    expect([after.latched(7), after.tracker.slots.saidGoodbye(0)]).toEqual([false, false]);
    after.tracker.checkInvariants();
  });

  test("know another process under the pid of a member", () => {
    const before = new Harness();
    before.beat(7, 40, 990, BEAT);
    const after = next(recordsOf(before));
    expect(after.beat(7, 1, 10, { ...BEAT, generation: GENERATION + 1 })).toBe("Inserted");
  });

  test("miss no member that is moved by a removal while they are walked", () => {
    const before = new Harness();
    for (let pid = 1; pid <= 6; pid++) before.beat(pid, 1, 990, BEAT);
    const seen: number[] = [];
    for (const { pid } of memberRecords(before.tracker.table, NAMES)) {
      seen.push(pid);
      // Then the last one moves into its row, which the walk has yet to pass.
      if (pid === 5) before.tracker.ends.leave(before.tracker.slotOf(2));
    }
    expect([...new Set(seen)].toSorted()).toEqual([1, 3, 4, 5, 6]);
  });

  test("take the first of two records of one key, whose silence is longer", () => {
    const before = new Harness();
    before.beat(7, 1, 990, BEAT);
    const [one] = recordsOf(before);
    const after = next([{ ...one!, lastNs: 995, payload: 2 }, one!]);
    expect(after.livePids()).toEqual([7]);
    expect(after.tracker.slots.payload[0]).toBe(one!.payload);
    after.tracker.checkInvariants();
  });

  test("refuse a key that no pid gives, and more than there is room for", () => {
    const before = new Harness();
    for (let pid = 1; pid <= 3; pid++) before.beat(pid, 1, 990, BEAT);
    const [one, two, three] = recordsOf(before);
    const after = next([{ ...one!, key: 99 }, two!, three!], { capacity: 2 });
    expect(after.livePids()).toEqual([2]);
    const full = next([one!, two!, three!], { capacity: 2 });
    expect(full.livePids()).toHaveLength(2);
    after.tracker.checkInvariants();
  });
});
