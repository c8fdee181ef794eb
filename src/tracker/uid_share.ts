// Whose slots the tracker holds, by uid: one uid must not keep all others out of a full table.
// While there is room, or while one uid is alone, nothing is taken from any agent. Each uid has a
// row with a count and a list of its slots, newest first; slots without an attested uid, and those
// of uids beyond the rows, share one. Nothing allocates after the start, and the work of a search
// is bounded (spec 03 section 5.1).
import { UID_SHARE_LOOKUPS_MAX, UID_SHARE_ROWS } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { ProcessReader } from "../processes/process_reader.ts";
import { BoundedIndex } from "../tables/bounded_index.ts";
import { SLOT_BEAT_ONCE, type Slots } from "./slots.ts";

/**
 * Slots of one uid searched for one that a full table can do without: a walk along a list, about 5
 * us.
 */
const UID_SHARE_SLOTS_MAX = 1_024;

/** The row of the slots whose uid has none. Its `uid` is the one that no process can have. */
const OTHERS = 0;
const NO_UID = 0xffff_ffff;
/** The end of a list. */
const END = -1;

export class UidShare {
  readonly #slots: Slots;
  readonly #processes: ProcessReader;
  readonly #index = new BoundedIndex(UID_SHARE_ROWS);
  readonly #uid = new Uint32Array(UID_SHARE_ROWS).fill(NO_UID);
  readonly #count = new Int32Array(UID_SHARE_ROWS);
  readonly #newest = new Int32Array(UID_SHARE_ROWS).fill(END);
  /** A stack of the rows that no uid has. */
  readonly #free = new Uint16Array(UID_SHARE_ROWS);
  #freeCount = 0;
  // Where the search for ended processes goes on: so many of the newest slots of this uid were
  // alive.
  #searchedUid = NO_UID;
  #searchedCount = 0;

  constructor(slots: Slots, processes: ProcessReader) {
    this.#slots = slots;
    this.#processes = processes;
    for (let row = UID_SHARE_ROWS - 1; row > OTHERS; row--) this.#free[this.#freeCount++] = row;
  }

  /** `slot` was given to a process whose uid stands in its row; NaN = none is attested. */
  entered(slot: number): void {
    const { holder, newer, older, uid } = this.#slots;
    const row = this.#rowFor(uid[slot]!);
    const next = this.#newest[row]!;
    holder[slot] = row;
    newer[slot] = END;
    older[slot] = next;
    if (next !== END) newer[next] = slot;
    this.#newest[row] = slot;
    this.#count[row]! += 1;
  }

  /** As `entered` of the first `count` slots, one after the other: most are of few uids. */
  enteredFirst(count: number): void {
    const { holder, newer, older, uid } = this.#slots;
    let lastUid = Number.NaN;
    let row = OTHERS;
    let newest = this.#newest[row]!;
    for (let slot = 0; slot < count; slot++) {
      const ofSlot = uid[slot]!;
      if (ofSlot !== lastUid) {
        this.#newest[row] = newest;
        row = this.#rowFor(ofSlot);
        lastUid = ofSlot;
        newest = this.#newest[row]!;
      }
      holder[slot] = row;
      newer[slot] = END;
      older[slot] = newest;
      if (newest !== END) newer[newest] = slot;
      newest = slot;
      this.#count[row]! += 1;
    }
    this.#newest[row] = newest;
  }

  /** `slot` is taken from its process. */
  left(slot: number): void {
    const { holder, newer, older } = this.#slots;
    const row = holder[slot]!;
    const after = newer[slot]!;
    const before = older[slot]!;
    if (after === END) this.#newest[row] = before;
    else older[after] = before;
    if (before !== END) newer[before] = after;
    this.#count[row]! -= 1;
    if (row === OTHERS || this.#count[row]! > 0) return;
    this.#index.remove(this.#uid[row]!);
    this.#uid[row] = NO_UID;
    this.#free[this.#freeCount++] = row;
  }

  /** The row of `slot` was just copied here from elsewhere: points its neighbours at it. */
  moved(slot: number): void {
    const { holder, newer, older } = this.#slots;
    const after = newer[slot]!;
    const before = older[slot]!;
    if (after === END) this.#newest[holder[slot]!] = slot;
    else older[after] = slot;
    if (before !== END) newer[before] = slot;
  }

  /**
   * A slot of a full table that a newcomer of `uid` may have: the newest one, of the uid that holds
   * more than any other and more than `uid`, which has beaten once only or whose process has ended.
   * -1 if there is none, or if the kernel does not attest the newcomer's uid (NaN).
   */
  findVictim(uid: number): number {
    if (Number.isNaN(uid)) return -1;
    const found = this.#index.get(uid);
    const row = this.#largest();
    const isItsOwn = row === found || (row === OTHERS && found < 0 && this.#freeCount === 0);
    if (isItsOwn) return -1;
    if (found >= 0 && this.#count[row]! <= this.#count[found]!) return -1;
    return this.#expendable(row);
  }

  /** The newest slot of a row, -1 if it has none. */
  newestOf(row: number): number {
    return this.#newest[row]!;
  }

  /** Slots of a row. */
  countOf(row: number): number {
    return this.#count[row]!;
  }

  /** The row with most slots; of equal ones that with the smallest uid. */
  #largest(): number {
    const counts = this.#count;
    let largest = OTHERS;
    for (let row = 1; row < UID_SHARE_ROWS; row++) {
      const more = counts[row]! - counts[largest]!;
      if (more > 0 || (more === 0 && this.#uid[row]! < this.#uid[largest]!)) largest = row;
    }
    return largest;
  }

  #expendable(row: number): number {
    const { flags, older } = this.#slots;
    const searched = this.#uid[row] === this.#searchedUid ? this.#searchedCount : 0;
    let position = 0;
    let lookups = 0;
    let slot = this.#newest[row]!;
    for (; slot !== END && position < UID_SHARE_SLOTS_MAX; slot = older[slot]!, position++) {
      if ((flags[slot]! & SLOT_BEAT_ONCE) !== 0) return slot;
      if (position < searched || lookups === UID_SHARE_LOOKUPS_MAX) continue;
      lookups += 1;
      if (!this.#hasEnded(slot)) continue;
      this.#searchedUid = this.#uid[row]!;
      this.#searchedCount = position;
      return slot;
    }
    this.#searchedUid = this.#uid[row]!;
    this.#searchedCount = lookups === UID_SHARE_LOOKUPS_MAX ? searched + lookups : 0;
    return -1;
  }

  #hasEnded(slot: number): boolean {
    const { origin, pid, generation } = this.#slots;
    if (origin[slot]! !== ORIGIN_KERNEL_ATTESTED || Number.isNaN(generation[slot]!)) return false;
    return this.#processes.hasEnded(pid[slot]!, generation[slot]!);
  }

  #rowFor(uid: number): number {
    if (Number.isNaN(uid)) return OTHERS;
    const found = this.#index.get(uid);
    if (found >= 0) return found;
    if (this.#freeCount === 0) return OTHERS;
    const row = this.#free[this.#freeCount - 1]!;
    if (!this.#index.insert(uid, row)) return OTHERS;
    this.#freeCount -= 1;
    this.#uid[row] = uid;
    return row;
  }
}
