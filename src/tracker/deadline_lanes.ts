// Deadline lanes: who falls silent next, without scanning (spec 03 section 7). A member is in the
// lane of its threshold: that of a new member when it takes its slot, later that of its rule. The
// lane is the only place that has the threshold. While its latch is clear the slot is in the lane's
// list, which is doubly linked in order of the last accepted beat. Ages never increase from head to
// tail, so the first head that is not due ends a lane, and an accepted beat is a move to the tail.
// Nothing allocates.
import { THRESHOLDS_MAX } from "../base/limits.ts";
import { TRACKER, type TrackerCounters } from "./counters.ts";
import { Pauses } from "./pauses.ts";
import { LANE_NONE, LINK_NONE, type Slots } from "./slots.ts";

/** No slot: the end of a list, or an empty lane. */
const END = -1;

export class DeadlineLanes {
  /** Per lane; rows 0..laneCount-1 have had a threshold. */
  readonly thresholdNs = new Float64Array(THRESHOLDS_MAX).fill(Number.NaN);
  readonly head = new Int32Array(THRESHOLDS_MAX).fill(END);
  readonly tail = new Int32Array(THRESHOLDS_MAX).fill(END);
  /** Its members, also those whose stall was reported. */
  readonly count = new Int32Array(THRESHOLDS_MAX);
  /** What moves the deadline of each member that was silent through it. */
  readonly pauses = new Pauses();
  readonly #slots: Slots;
  readonly #counters: TrackerCounters;
  #laneCount = 0;

  constructor(slots: Slots, counters: TrackerCounters) {
    this.#slots = slots;
    this.#counters = counters;
  }

  get laneCount(): number {
    return this.#laneCount;
  }

  /** Silence after which the member of `slot` is stalled. */
  thresholdOf(slot: number): number {
    return this.thresholdNs[this.#slots.lane[slot]!]!;
  }

  /** When the member of `slot` has been silent for so long. */
  deadlineOf(slot: number): number {
    const lastNs = this.#slots.lastNs[slot]!;
    return lastNs + this.thresholdOf(slot) + this.pauses.excusedNs(lastNs);
  }

  /** A member takes `slot` with a beat at `nowNs`: it gets the lane of `thresholdNs`. */
  enter(slot: number, nowNs: number, thresholdNs: number): void {
    const lane = this.#laneFor(thresholdNs);
    this.#slots.lane[slot] = lane;
    this.count[lane]! += 1;
    this.#link(slot, nowNs);
  }

  /**
   * The member of `slot` has `thresholdNs` from now on: its deadline is as if it always had. One
   * that waits for no deadline goes on waiting for none.
   */
  change(slot: number, thresholdNs: number): void {
    if (this.thresholdOf(slot) === thresholdNs) return;
    const { lane: laneOf, lastNs, prev } = this.#slots;
    const isWaiting = prev[slot]! !== LINK_NONE;
    this.unlink(slot);
    this.count[laneOf[slot]!]! -= 1;
    const lane = this.#laneFor(thresholdNs);
    laneOf[slot] = lane;
    this.count[lane]! += 1;
    if (isWaiting) this.#link(slot, lastNs[slot]!);
  }

  /** The member of `slot` gives it up. */
  leave(slot: number): void {
    this.unlink(slot);
    const { lane } = this.#slots;
    this.count[lane[slot]!]! -= 1;
    lane[slot] = LANE_NONE;
  }

  /** `slot` waits for no deadline until its next beat; does nothing if it waits for none. */
  unlink(slot: number): void {
    const slots = this.#slots;
    const before = slots.prev[slot]!;
    if (before === LINK_NONE) return;
    const lane = slots.lane[slot]!;
    const after = slots.next[slot]!;
    if (before === END) this.head[lane] = after;
    else slots.next[before] = after;
    if (after === END) this.tail[lane] = before;
    else slots.prev[after] = before;
    slots.prev[slot] = LINK_NONE;
  }

  /** An accepted beat of `slot` at `nowNs`: it becomes the youngest of its lane. */
  beat(slot: number, nowNs: number): void {
    const { lane: laneOf, lastNs, prev } = this.#slots;
    if (prev[slot]! !== LINK_NONE) {
      const lane = laneOf[slot]!;
      const tail = this.tail[lane]!;
      if (nowNs >= lastNs[tail]!) {
        lastNs[slot] = nowNs;
        if (slot !== tail) this.#moveToTail(tail, slot, lane);
        return;
      }
    }
    this.unlink(slot);
    this.#link(slot, nowNs);
  }

  /**
   * The row of `slot` was just copied here from elsewhere: points its neighbours, or head and tail,
   * at it.
   */
  moved(slot: number): void {
    const slots = this.#slots;
    const before = slots.prev[slot]!;
    if (before === LINK_NONE) return;
    const lane = slots.lane[slot]!;
    const after = slots.next[slot]!;
    if (before === END) this.head[lane] = slot;
    else slots.next[before] = slot;
    if (after === END) this.tail[lane] = slot;
    else slots.prev[after] = slot;
  }

  /** The earliest time at which a slot becomes due; +Infinity if there is none. */
  nextDeadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (let lane = 0; lane < this.#laneCount; lane++) {
      const head = this.head[lane]!;
      if (head === END) continue;
      deadline = Math.min(deadline, this.deadlineOf(head));
    }
    return deadline;
  }

  /**
   * Puts the un-linked `slot` with last beat `nowNs` into the list of its lane, and writes its
   * `lastNs`.
   */
  #link(slot: number, nowNs: number): void {
    const slots = this.#slots;
    const lane = slots.lane[slot]!;
    slots.lastNs[slot] = nowNs;
    let before = this.tail[lane]!;
    // No beat walks, since the observer's clock is clamped: only a member that changed its
    // threshold does, past those that have beaten since its last beat.
    while (before !== END && slots.lastNs[before]! > nowNs) before = slots.prev[before]!;
    const after = before === END ? this.head[lane]! : slots.next[before]!;
    slots.prev[slot] = before;
    slots.next[slot] = after;
    if (before === END) this.head[lane] = slot;
    else slots.next[before] = slot;
    if (after === END) this.tail[lane] = slot;
    else slots.prev[after] = slot;
  }

  /**
   * The steady state of a beat, without the look-ups of `unlink` and `link`; `slot` is in `lane`
   * and not its tail.
   */
  #moveToTail(tail: number, slot: number, lane: number): void {
    const { prev, next } = this.#slots;
    const before = prev[slot]!;
    const after = next[slot]!;
    if (before === END) this.head[lane] = after;
    else next[before] = after;
    prev[after] = before;
    next[tail] = slot;
    prev[slot] = tail;
    next[slot] = END;
    this.tail[lane] = slot;
  }

  /** The lane of `thresholdNs`, -1 if there is none. */
  #laneOf(thresholdNs: number): number {
    for (let lane = 0; lane < this.#laneCount; lane++)
      if (this.thresholdNs[lane]! === thresholdNs) return lane;
    return -1;
  }

  /** The lane for a member with `thresholdNs`; one without members may become it. */
  #laneFor(thresholdNs: number): number {
    const found = this.#laneOf(thresholdNs);
    if (found >= 0) return found;
    let lane = this.#laneCount;
    if (lane < THRESHOLDS_MAX) this.#laneCount += 1;
    else lane = this.count.indexOf(0);
    if (lane < 0) return this.#nearestLane(thresholdNs);
    this.thresholdNs[lane] = thresholdNs;
    return lane;
  }

  /**
   * All lanes are taken: the next shorter threshold judges early, never late; without one, the
   * shortest.
   */
  #nearestLane(thresholdNs: number): number {
    this.#counters.add(TRACKER.invariantViolations);
    let below = -1;
    let smallest = 0;
    for (let lane = 0; lane < THRESHOLDS_MAX; lane++) {
      const candidate = this.thresholdNs[lane]!;
      if (candidate < this.thresholdNs[smallest]!) smallest = lane;
      if (candidate >= thresholdNs) continue;
      if (below < 0 || candidate > this.thresholdNs[below]!) below = lane;
    }
    return below < 0 ? smallest : below;
  }
}
