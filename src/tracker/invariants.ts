// The invariants of the tracker that hold after every operation (spec 03 sections 7 and 11),
// recounted from the columns. For tests and the simulator; the cost is linear in the number of
// slots, so the daemon never calls it.
import { assert } from "../base/assert.ts";
import { TRACKER_CAPACITY_MAX, UID_SHARE_ROWS } from "../base/limits.ts";
import type { SlotTable } from "./slot_table.ts";
import { isShared } from "./member_key.ts";
import type { DeadlineLanes } from "./deadline_lanes.ts";
import { LANE_NONE, LINK_NONE, type Slots } from "./slots.ts";

export function checkTrackerInvariants(table: SlotTable, cursor: number): void {
  const { slots, len, index } = table;
  assert(len <= slots.rowCount, "len is at most the rows that are reserved");
  assert(slots.rowCount <= TRACKER_CAPACITY_MAX, "the capacity is at most 2^20");
  assert(index.occupied === len, "the index holds one entry per live slot");
  assert(cursor >= 0 && cursor < Math.max(len, 1), "the eviction cursor points at a live slot");
  checkSlots(table);
  checkLanes(table);
  checkShares(table);
  checkLooks(table);
}

function checkSlots(table: SlotTable): void {
  const { slots, lanes, index, agents, len, latchedCount, sharedCount } = table;
  let latched = 0;
  let shared = 0;
  const members = new Map<number, number>();
  const present = new Map<number, number>();
  for (let slot = 0; slot < len; slot++) {
    const key = slots.key[slot]!;
    assert(index.get(key) === slot, "the key of a live slot maps back to it");
    assert(key === slots.pid[slot]! || isShared(key), "a key is the pid, or none that a pid is");
    if (key !== slots.pid[slot]!) shared += 1;
    const number = slots.agent[slot]!;
    members.set(number, (members.get(number) ?? 0) + 1);
    present.set(number, (present.get(number) ?? 0) + Number(slots.isPresent(slot)));
    assert(slots.lane[slot]! !== LANE_NONE, "LN1: a member has a lane");
    const isInHeap = lanes.graces.has(slot);
    const isWaiting = slots.prev[slot]! !== LINK_NONE || isInHeap;
    assert(!isInHeap || slots.prev[slot] === LINK_NONE, "LN1: in a lane or in the heap, not both");
    if (slots.isLatched(slot)) {
      latched += 1;
      assert(!isWaiting, "LN1: a latched slot waits for no deadline");
    } else {
      assert(isWaiting, "LN1: an un-latched slot waits in its lane");
    }
  }
  for (const [number, count] of members) {
    assert(agents.membersOf(number) === count, "an agent counts its members");
    assert(agents.presentOf(number) === present.get(number), "an agent counts who is present");
  }
  assert(shared <= sharedCount, "the cached count of shared pids holds them all");
  assert(latched === latchedCount, "the cached latch count is the number of latched slots");
}

/** Every live slot is in the list of its uid, once, and a list counts its slots. */
function checkShares({ slots, share, len }: SlotTable): void {
  let listed = 0;
  for (let row = 0; row < UID_SHARE_ROWS; row++) {
    let after = -1;
    let count = 0;
    for (let slot = share.newestOf(row); slot !== -1; slot = slots.older[slot]!) {
      assert(slot >= 0 && slot < len, "a uid holds live slots only");
      assert(slots.holder[slot] === row, "a slot knows the row of its uid");
      assert(slots.newer[slot] === after, "the links of a uid are symmetric");
      count += 1;
      assert(count <= len, "the list of a uid ends");
      after = slot;
    }
    assert(share.countOf(row) === count, "a uid counts its slots");
    listed += count;
  }
  assert(listed === len, "the uids hold every live slot");
}

/** Every live slot waits for its next look, once. */
function checkLooks({ slots, looks, len }: SlotTable): void {
  let waiting = 0;
  let fresh = 0;
  for (const head of [looks.firstFresh, looks.longestAgo]) {
    let before = -1;
    for (let slot = head; slot !== -1; slot = slots.lookNext[slot]!) {
      assert(slot >= 0 && slot < len, "live slots only wait for a look");
      assert(slots.lookPrev[slot] === before, "the links of the looks are symmetric");
      assert(looks.isFresh(slot) === (head === looks.firstFresh), "a slot is in the right list");
      waiting += 1;
      assert(waiting <= len, "the lists of the looks end");
      if (looks.isFresh(slot)) fresh += 1;
      before = slot;
    }
  }
  assert(waiting === len, "every live slot waits for its next look");
  assert(fresh === looks.freshCount, "those that wait for their first look are counted");
}

function checkLanes({ slots, lanes, len, latchedCount }: SlotTable): void {
  const members = new Int32Array(lanes.laneCount);
  for (let slot = 0; slot < len; slot++) members[slots.lane[slot]! % lanes.lateRowOf(0)]! += 1;
  let linked = 0;
  let heldCount = 0;
  let deadline = Number.POSITIVE_INFINITY;
  for (let lane = 0; lane < lanes.laneCount; lane++) {
    assert(lanes.count[lane] === members[lane], "LN3: a lane counts its members");
    const held = lanes.heldRowOf(lane);
    for (const row of [lane, lanes.lateRowOf(lane), held]) {
      const { count, earliestNs } = checkRow(slots, lanes, row, len);
      linked += count;
      if (row === held) heldCount += count;
      if (row === held && lanes.isHolding) continue;
      deadline = Math.min(deadline, earliestNs);
    }
  }
  for (let slot = 0; slot < len; slot++) {
    if (!lanes.graces.has(slot)) continue;
    linked += 1;
    deadline = Math.min(deadline, slots.graceEndNs[slot]! + lanes.pauses.totalNs);
    const topNs = slots.graceEndNs[lanes.graces.top]!;
    assert(topNs <= slots.graceEndNs[slot]!, "LN4: the top of the heap is over first");
  }
  assert(heldCount === lanes.heldCount, "LN3: those that are held are counted");
  assert(linked === len - latchedCount, "LN3: lanes and heap hold exactly the un-latched slots");
  assert(lanes.nextDeadline() === deadline, "LN4: the next deadline is the earliest");
}

function checkRow(
  slots: Slots,
  lanes: DeadlineLanes,
  row: number,
  len: number,
): { count: number; earliestNs: number } {
  let before = -1;
  let count = 0;
  let dueBeforeNs = Number.NEGATIVE_INFINITY;
  let earliestNs = Number.POSITIVE_INFINITY;
  for (let slot = lanes.head[row]!; slot !== -1; slot = slots.next[slot]!) {
    assert(slot >= 0 && slot < len, "LN1: a lane holds live slots only");
    assert(slots.lane[slot] === row, "LN1: a slot knows its lane");
    assert(slots.prev[slot] === before, "LN3: links are symmetric");
    if (before >= 0)
      assert(slots.lastNs[before]! <= slots.lastNs[slot]!, "LN2: last beats never decrease");
    count += 1;
    assert(count <= len, "LN3: a lane ends");
    const lastNs = slots.lastNs[slot]!;
    const dueNs = lastNs + lanes.dueNs[row]! + lanes.excusedNs(slot);
    assert(dueNs >= dueBeforeNs, "LN2: deadlines never decrease");
    dueBeforeNs = dueNs;
    earliestNs = Math.min(earliestNs, dueNs);
    before = slot;
  }
  assert(lanes.tail[row] === before, "LN3: the tail is the last slot");
  return { count, earliestNs };
}
