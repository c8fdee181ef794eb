// Deadline lanes: who falls silent next, without scanning (spec 03 section 7). A member is in the
// lane of its threshold and its late: those of a new member when it takes its slot, later those of
// its rule. The lane is the only place that has them. While its latch is clear the slot is in a row
// of its lane, a doubly linked list in order of the last accepted beat: lane `i` has row `i`, whose
// members wait until they are late, or stalled if there is no late, and row `LANES + i`, whose
// members are late and wait for their stall. Ages never increase from head to tail, so the first
// head that is not due ends a row, and an accepted beat is a move to the tail. A silent member
// whose grace is not over waits in a heap instead. Nothing allocates.
import { THRESHOLDS_MAX as LANES } from "../base/limits.ts";
import { TRACKER, type TrackerCounters } from "./counters.ts";
import { GraceHeap } from "./grace_heap.ts";
import { laneOf, nearestLane } from "./lane_choice.ts";
import { mercyNs } from "./mercy.ts";
import { Pauses } from "./pauses.ts";
import { LANE_NONE, LINK_NONE, type Slots } from "./slots.ts";
import type { Terms } from "./terms.ts";

/** No slot: the end of a list, or an empty row. */
const END = -1;

/** Rows: of each lane, then of its late ones, then of those that are held and not judged. */
const HELD = 2 * LANES;
const ROWS = 3 * LANES;

export class DeadlineLanes {
  /** Per row, of which the first `laneCount` of each kind have had a threshold. */
  readonly thresholdNs = new Float64Array(ROWS).fill(Number.NaN);
  /** The silence that takes a member out of its row. */
  readonly dueNs = new Float64Array(ROWS).fill(Number.NaN);
  /** Below this silence a beat is nothing but one: 0 = it ends something. */
  readonly steadyNs = new Float64Array(ROWS);
  readonly head = new Int32Array(ROWS).fill(END);
  readonly tail = new Int32Array(ROWS).fill(END);
  /** Per lane; its members, also those whose stall was reported. */
  readonly count = new Int32Array(LANES);
  readonly lateNs = new Float64Array(LANES).fill(Number.NaN);
  /** What moves the deadline of each member that was silent through it. */
  readonly pauses = new Pauses();
  /** Silent members whose grace is not over. */
  readonly graces: GraceHeap;
  /** Those in held rows. */
  heldCount = 0;
  /** No member that is held is due. */
  isHolding = false;
  /** Told whose silence is over that was held or stalled: it beat, ended, or left. */
  onHeard: ((key: number) => void) | undefined = undefined;
  readonly #slots: Slots;
  readonly #counters: TrackerCounters;
  #laneCount = 0;

  constructor(slots: Slots, counters: TrackerCounters) {
    this.#slots = slots;
    this.#counters = counters;
    this.graces = new GraceHeap(slots);
  }

  get laneCount(): number {
    return this.#laneCount;
  }

  /** The row of those that are late, of a lane. */
  lateRowOf(lane: number): number {
    return LANES + lane;
  }

  heldRowOf(lane: number): number {
    return HELD + lane;
  }

  /** Silence after which the member of `slot` is stalled. */
  thresholdOf(slot: number): number {
    return this.thresholdNs[this.#slots.lane[slot]!]!;
  }

  /** Silence after which the member of `slot` is late; +Infinity = it never is. */
  lateOf(slot: number): number {
    return this.lateNs[this.#slots.lane[slot]! % LANES]!;
  }

  /** It was silent for so long, and has not beaten since; or it is held. */
  isLate(slot: number): boolean {
    return this.#slots.lane[slot]! >= LANES;
  }

  /** It is not judged yet, because it is new. */
  isInGrace(slot: number, nowNs: number): boolean {
    return this.#slots.graceEndNs[slot]! > this.pauses.awakeNs(nowNs);
  }

  /** Of its silence, what does not count. */
  excusedNs(slot: number): number {
    return this.pauses.excusedNs(this.#slots.lastNs[slot]!, this.thresholdOf(slot));
  }

  /** When the member of `slot` is stalled if no beat of it comes. */
  deadlineOf(slot: number): number {
    const { lastNs, graceEndNs } = this.#slots;
    const last = lastNs[slot]!;
    const silentNs = last + this.thresholdOf(slot) + this.excusedNs(slot);
    return Math.max(silentNs, graceEndNs[slot]! + this.pauses.totalNs);
  }

  /**
   * A member takes `slot` with its first beat, at `nowNs`: it has this threshold, is never late,
   * and has no grace until it is known who it is.
   */
  enter(slot: number, nowNs: number, thresholdNs: number): void {
    const lane = this.#laneFor(thresholdNs, Number.POSITIVE_INFINITY);
    this.#slots.lane[slot] = lane;
    this.#slots.firstNs[slot] = this.pauses.awakeNs(nowNs);
    this.count[lane]! += 1;
    this.#link(slot, nowNs);
  }

  /**
   * The member of `slot` has these terms from now on: its deadlines are as if it always had. One
   * that waits for no deadline goes on waiting for none, and one that is late stays so.
   */
  change(slot: number, { thresholdNs, lateNs, graceNs }: Terms): void {
    const { lane: laneOf, lastNs, graceEndNs, prev } = this.#slots;
    const endNs = this.#slots.graceEndBy(slot, graceNs);
    const isInHeap = this.graces.has(slot);
    const isSameLane = this.thresholdOf(slot) === thresholdNs && this.lateOf(slot) === lateNs;
    if (isSameLane && !isInHeap) graceEndNs[slot] = endNs;
    if (isSameLane && graceEndNs[slot]! === endNs) return;
    const isWaiting = prev[slot]! !== LINK_NONE || isInHeap;
    const wasLate = this.isLate(slot);
    this.unlink(slot);
    graceEndNs[slot] = endNs;
    this.count[laneOf[slot]! % LANES]! -= 1;
    const lane = this.#laneFor(thresholdNs, lateNs);
    const isLate = wasLate && this.lateNs[lane]! !== Number.POSITIVE_INFINITY;
    laneOf[slot] = isLate ? this.lateRowOf(lane) : lane;
    this.count[lane]! += 1;
    // One that asked to be judged at once waits for that, whatever its threshold is.
    if (isInHeap && this.#slots.wasTriggered(slot)) this.graces.push(slot);
    else if (isWaiting) this.#link(slot, lastNs[slot]!);
  }

  /**
   * As `change` for many members at `nowNs`, in the order of their last beats; but no silence of
   * before is judged by terms that are stricter (spec 17 section 4). Takes time by the number of
   * members, not by its square.
   */
  changeAll(order: Int32Array, termsOf: (slot: number) => Terms, nowNs: number): void {
    const { lane: laneOf, lastNs, graceEndNs, prev } = this.#slots;
    const moved: number[] = [];
    const waiting: number[] = [];
    for (const slot of order) {
      const terms = termsOf(slot);
      const endNs = this.#slots.graceEndBy(slot, terms.graceNs);
      const isSame =
        this.thresholdOf(slot) === terms.thresholdNs && this.lateOf(slot) === terms.lateNs;
      if (isSame && graceEndNs[slot]! === endNs) continue;
      const isTriggered = this.#slots.wasTriggered(slot) && this.graces.has(slot);
      const isWaiting = prev[slot]! !== LINK_NONE || this.graces.has(slot);
      const silence = { slot, lastNs: lastNs[slot]!, endNs, nowNs };
      const graceNs = this.pauses.awakeNs(mercyNs(this, silence, terms));
      this.unlink(slot);
      this.count[laneOf[slot]! % LANES]! -= 1;
      graceEndNs[slot] = endNs;
      this.#slots.giveMercy(slot, graceNs);
      moved.push(slot);
      if (isTriggered) this.graces.push(slot);
      else if (isWaiting) waiting.push(slot);
    }
    // Only now is known which lanes are free.
    for (const slot of moved) {
      const { thresholdNs, lateNs } = termsOf(slot);
      const lane = this.#laneFor(thresholdNs, lateNs);
      const isLate = this.isLate(slot) && this.lateNs[lane]! !== Number.POSITIVE_INFINITY;
      laneOf[slot] = isLate ? this.lateRowOf(lane) : lane;
      this.count[lane]! += 1;
    }
    const nextOf = Int32Array.from(this.head);
    for (const slot of waiting) {
      const row = laneOf[slot]!;
      let after = nextOf[row]!;
      while (after !== END && lastNs[after]! <= lastNs[slot]!) after = this.#slots.next[after]!;
      const before = after === END ? this.tail[row]! : this.#slots.prev[after]!;
      this.#linkBetween(before, slot, after, row);
      nextOf[row] = after;
    }
  }

  /** The member of `slot` is late from now on, until it beats. */
  makeLate(slot: number): void {
    this.#moveTo(slot, this.lateRowOf(this.#slots.lane[slot]!));
  }

  /** The member of `slot` is silent for its threshold, and is not judged while `isHolding`. */
  hold(slot: number): void {
    this.#moveTo(slot, this.heldRowOf(this.#slots.lane[slot]! % LANES));
    this.heldCount += 1;
  }

  /** The process of the member of `slot` has ended: nobody holds it. */
  ended(slot: number): void {
    const { lane, key } = this.#slots;
    if (lane[slot]! < HELD) {
      this.onHeard?.(key[slot]!);
      return;
    }
    this.unlink(slot);
    lane[slot]! %= LANES;
    this.#linkSilent(slot);
  }

  /** The member of `slot` is silent, and waits for the end of its grace. */
  park(slot: number): void {
    this.unlink(slot);
    const { lane } = this.#slots;
    if (this.lateOf(slot) === Number.POSITIVE_INFINITY) lane[slot]! %= LANES;
    this.graces.push(slot);
  }

  /** The grace of the member of `slot`, for which it waits, is over: it is judged as all others. */
  endGrace(slot: number): void {
    this.graces.remove(slot);
    if (this.lateOf(slot) === Number.POSITIVE_INFINITY) this.#slots.lane[slot]! %= LANES;
    this.#linkSilent(slot);
  }

  /** The member of `slot` gives it up. */
  leave(slot: number): void {
    this.unlink(slot);
    const { lane } = this.#slots;
    this.count[lane[slot]! % LANES]! -= 1;
    lane[slot] = LANE_NONE;
  }

  /** `slot` waits for no deadline until its next beat; does nothing if it waits for none. */
  unlink(slot: number): void {
    const slots = this.#slots;
    const before = slots.prev[slot]!;
    if (before === LINK_NONE) {
      this.graces.remove(slot);
      return;
    }
    const lane = slots.lane[slot]!;
    const after = slots.next[slot]!;
    if (before === END) this.head[lane] = after;
    else slots.next[before] = after;
    if (after === END) this.tail[lane] = before;
    else slots.prev[after] = before;
    slots.prev[slot] = LINK_NONE;
    if (lane < HELD) return;
    // It is held no more, whatever comes now: one that is stalled must not look like it.
    slots.lane[slot] = this.lateRowOf(lane % LANES);
    this.heldCount -= 1;
    this.onHeard?.(slots.key[slot]!);
  }

  /** An accepted beat of `slot` at `nowNs`: it becomes the youngest of its lane. */
  beat(slot: number, nowNs: number): void {
    const { lane: laneOf, lastNs, prev } = this.#slots;
    const lane = laneOf[slot]!;
    if (prev[slot]! !== LINK_NONE && lane < LANES) {
      const tail = this.tail[lane]!;
      if (nowNs >= lastNs[tail]!) {
        lastNs[slot] = nowNs;
        if (slot !== tail) this.#moveToTail(tail, slot, lane);
        return;
      }
    }
    this.unlink(slot);
    laneOf[slot] = lane % LANES;
    this.#link(slot, nowNs);
  }

  /**
   * The row of `slot` was just copied here from elsewhere: points its neighbours, or head and tail,
   * at it.
   */
  moved(slot: number): void {
    const slots = this.#slots;
    const before = slots.prev[slot]!;
    if (before === LINK_NONE) {
      this.graces.moved(slot);
      return;
    }
    const lane = slots.lane[slot]!;
    const after = slots.next[slot]!;
    if (before === END) this.head[lane] = slot;
    else slots.next[before] = slot;
    if (after === END) this.tail[lane] = slot;
    else slots.prev[after] = slot;
  }

  /** The earliest time at which a slot becomes due; +Infinity if there is none. */
  nextDeadline(): number {
    const { graces } = this;
    let deadline = Number.POSITIVE_INFINITY;
    if (graces.count > 0) deadline = this.#slots.graceEndNs[graces.top]! + this.pauses.totalNs;
    for (let lane = 0; lane < this.#laneCount; lane++) {
      deadline = Math.min(deadline, this.#headDeadline(lane));
      if (this.lateNs[lane]! !== Number.POSITIVE_INFINITY)
        deadline = Math.min(deadline, this.#headDeadline(this.lateRowOf(lane)));
      if (this.heldCount > 0 && !this.isHolding)
        deadline = Math.min(deadline, this.#headDeadline(this.heldRowOf(lane)));
    }
    return deadline;
  }

  #moveTo(slot: number, row: number): void {
    this.unlink(slot);
    this.#slots.lane[slot] = row;
    this.#link(slot, this.#slots.lastNs[slot]!);
  }

  #headDeadline(row: number): number {
    const head = this.head[row]!;
    if (head === END) return Number.POSITIVE_INFINITY;
    const lastNs = this.#slots.lastNs[head]!;
    return lastNs + this.dueNs[row]! + this.pauses.excusedNs(lastNs, this.thresholdNs[row]!);
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
    this.#linkBetween(before, slot, after, lane);
  }

  /** A silent member back into its row: only those that are silent for longer come before it. */
  #linkSilent(slot: number): void {
    const slots = this.#slots;
    const lane = slots.lane[slot]!;
    const ownNs = slots.lastNs[slot]!;
    let after = this.head[lane]!;
    while (after !== END && slots.lastNs[after]! <= ownNs) after = slots.next[after]!;
    const before = after === END ? this.tail[lane]! : slots.prev[after]!;
    this.#linkBetween(before, slot, after, lane);
  }

  #linkBetween(before: number, slot: number, after: number, lane: number): void {
    const slots = this.#slots;
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

  /** The lane for a member with these two; one without members may become it. */
  #laneFor(thresholdNs: number, lateNs: number): number {
    const found = laneOf(this, thresholdNs, lateNs);
    if (found >= 0) return found;
    let lane = this.#laneCount;
    if (lane < LANES) this.#laneCount += 1;
    else lane = this.count.indexOf(0);
    if (lane < 0) {
      this.#counters.add(TRACKER.invariantViolations);
      return nearestLane(this.thresholdNs.subarray(0, LANES), thresholdNs);
    }
    this.lateNs[lane] = lateNs;
    for (let row = lane; row < ROWS; row += LANES) {
      this.thresholdNs[row] = thresholdNs;
      this.dueNs[row] = thresholdNs;
    }
    this.dueNs[lane] = Math.min(lateNs, thresholdNs);
    this.steadyNs[lane] = this.dueNs[lane]!;
    return lane;
  }
}
