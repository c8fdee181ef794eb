// Silent members whose grace is not over (spec 03 section 7.3), that whose grace ends first on top.
// A member comes here only when it would be judged otherwise, so one that beats costs nothing. A
// binary heap of slots in one typed array; each slot knows its place. Nothing allocates.
import { PLACE_NONE, type Slots } from "./slots.ts";

export class GraceHeap {
  readonly #slots: Slots;
  readonly #heap: Int32Array;
  #count = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#heap = new Int32Array(slots.rowCount);
  }

  get count(): number {
    return this.#count;
  }

  /** The slot whose grace is over first; -1 = none waits. */
  get top(): number {
    return this.#count === 0 ? -1 : this.#heap[0]!;
  }

  has(slot: number): boolean {
    return this.#slots.gracePlace[slot]! !== PLACE_NONE;
  }

  push(slot: number): void {
    this.#rise(this.#count++, slot);
  }

  /** Does nothing if it is not here. */
  remove(slot: number): void {
    const { gracePlace } = this.#slots;
    const place = gracePlace[slot]!;
    if (place === PLACE_NONE) return;
    gracePlace[slot] = PLACE_NONE;
    const last = this.#heap[--this.#count]!;
    if (last === slot) return;
    this.#rise(place, last);
    this.#sink(gracePlace[last]!, last);
  }

  /** The row of `slot` was just copied here from elsewhere. */
  moved(slot: number): void {
    const place = this.#slots.gracePlace[slot]!;
    if (place !== PLACE_NONE) this.#heap[place] = slot;
  }

  #rise(from: number, slot: number): void {
    let place = from;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = this.#heap[parentPlace]!;
      if (!this.#isBefore(slot, parent)) break;
      this.#put(place, parent);
      place = parentPlace;
    }
    this.#put(place, slot);
  }

  #sink(from: number, slot: number): void {
    let place = from;
    for (;;) {
      let childPlace = 2 * place + 1;
      if (childPlace >= this.#count) break;
      const hasRight = childPlace + 1 < this.#count;
      if (hasRight && this.#isBefore(this.#heap[childPlace + 1]!, this.#heap[childPlace]!))
        childPlace += 1;
      const child = this.#heap[childPlace]!;
      if (!this.#isBefore(child, slot)) break;
      this.#put(place, child);
      place = childPlace;
    }
    this.#put(place, slot);
  }

  /** Of those whose graces end at one time the one that has been silent for longest is first. */
  #isBefore(slot: number, other: number): boolean {
    const { graceEndNs, lastNs, key } = this.#slots;
    const aheadNs = graceEndNs[slot]! - graceEndNs[other]! || lastNs[slot]! - lastNs[other]!;
    return (aheadNs || key[slot]! - key[other]!) < 0;
  }

  #put(place: number, slot: number): void {
    this.#heap[place] = slot;
    this.#slots.gracePlace[slot] = place;
  }
}
