// Whose identity is to be read next (spec 03 section 2.2). Slots are in one of two lists: those of
// members that nobody has looked at yet, in the order in which they came, and those that were
// looked at, the longest ago first. Both are linked through the slots, so that a slot can leave
// anywhere, and nothing allocates.
import { linkInOrder, type Slots } from "./slots.ts";

/** No slot: the end of a list. */
const END = -1;

interface List {
  head: number;
  tail: number;
}

export class LookOrder {
  readonly #slots: Slots;
  readonly #fresh: List = { head: END, tail: END };
  readonly #looked: List = { head: END, tail: END };
  /** Members that nobody has looked at. */
  freshCount = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** The member that waits longest for its first look; -1 = none waits. */
  get firstFresh(): number {
    return this.#fresh.head;
  }

  /** The member that was looked at longest ago; -1 = there is none. */
  get longestAgo(): number {
    return this.#looked.head;
  }

  /** A member took `slot`, whose row is fresh. */
  entered(slot: number): void {
    this.freshCount += 1;
    this.#append(this.#fresh, slot);
  }

  /** The first `count` slots, which are the only ones, were taken, and are fresh. */
  enteredFirst(count: number): void {
    if (count === 0) return;
    this.freshCount = count;
    linkInOrder(this.#slots.lookPrev, this.#slots.lookNext, count);
    this.#fresh.head = 0;
    this.#fresh.tail = count - 1;
  }

  /** The member of `slot` gives it up. */
  left(slot: number): void {
    const isFresh = this.isFresh(slot);
    if (isFresh) this.freshCount -= 1;
    this.#unlink(isFresh ? this.#fresh : this.#looked, slot);
  }

  /** The member of `slot` was looked at at `nowNs`, which is not before the look of any other. */
  looked(slot: number, nowNs: number): void {
    this.left(slot);
    this.#slots.lookedNs[slot] = nowNs;
    this.#append(this.#looked, slot);
  }

  /** As `looked` of all of `slots`, none of which anybody has looked at. */
  lookedAll(slots: Int32Array, nowNs: number): void {
    if (slots.length < this.freshCount) {
      for (const slot of slots) this.looked(slot, nowNs);
      return;
    }
    // They are all that nobody has looked at: their list goes behind that of the others as it is.
    this.#appendFresh();
    const { lookedNs } = this.#slots;
    for (let at = 0; at < slots.length; at++) lookedNs[slots[at]!] = nowNs;
  }

  isFresh(slot: number): boolean {
    return this.#slots.lookedNs[slot]! === Number.NEGATIVE_INFINITY;
  }

  /** The row of `slot` was just copied here from elsewhere: points its neighbours at it. */
  moved(slot: number): void {
    const { lookPrev, lookNext } = this.#slots;
    const list = this.isFresh(slot) ? this.#fresh : this.#looked;
    const before = lookPrev[slot]!;
    const after = lookNext[slot]!;
    if (before === END) list.head = slot;
    else lookNext[before] = slot;
    if (after === END) list.tail = slot;
    else lookPrev[after] = slot;
  }

  #appendFresh(): void {
    const { lookPrev, lookNext } = this.#slots;
    const fresh = this.#fresh;
    const looked = this.#looked;
    if (fresh.head === END) return;
    lookPrev[fresh.head] = looked.tail;
    if (looked.tail === END) looked.head = fresh.head;
    else lookNext[looked.tail] = fresh.head;
    looked.tail = fresh.tail;
    fresh.head = END;
    fresh.tail = END;
    this.freshCount = 0;
  }

  #append(list: List, slot: number): void {
    const { lookPrev, lookNext } = this.#slots;
    lookPrev[slot] = list.tail;
    lookNext[slot] = END;
    if (list.tail === END) list.head = slot;
    else lookNext[list.tail] = slot;
    list.tail = slot;
  }

  #unlink(list: List, slot: number): void {
    const { lookPrev, lookNext } = this.#slots;
    const before = lookPrev[slot]!;
    const after = lookNext[slot]!;
    if (before === END) list.head = after;
    else lookNext[before] = after;
    if (after === END) list.tail = before;
    else lookPrev[after] = before;
  }
}
