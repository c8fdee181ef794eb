// When recovery last fired for a process, so that it does not fire again within the debounce (spec 10 section 3, checks
// 3, 4 and 8). Keyed by pid with the generation beside it: a reused pid does not inherit the window of the process before
// it. Entries are linked in order of firing, so the oldest is known without a scan. An entry past its window decides
// nothing any more, which is why it may be dropped at any time and one within its window never.
import { saturatingAdd, saturatingSub } from "../base/saturating.ts";
import { BoundedIndex } from "../tables/bounded_index.ts";
import { sameLineage } from "./decision.ts";

/** No window is open for this process. */
export const LEDGER_CLEAR = 0;
/** It was recovered within the debounce. */
export const LEDGER_DEBOUNCED = 1;
/** A window was open for an earlier process of this pid; it is forgotten. */
export const LEDGER_RECYCLED = 2;

export class Ledger {
  readonly capacity: number;
  readonly #index: BoundedIndex;
  readonly #pids: Uint32Array;
  readonly #generations: Float64Array;
  /** NaN while the entry is reserved and not linked. */
  readonly #firedNs: Float64Array;
  readonly #previous: Int32Array;
  /** The next younger entry; the next free slot for a free one. */
  readonly #next: Int32Array;
  #oldest = -1;
  #youngest = -1;
  #free = -1;
  #evictions = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#index = new BoundedIndex(capacity);
    this.#pids = new Uint32Array(capacity);
    this.#generations = new Float64Array(capacity);
    this.#firedNs = new Float64Array(capacity).fill(NaN);
    this.#previous = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    for (let slot = capacity - 1; slot >= 0; slot--) this.#pushFree(slot);
  }

  get size(): number {
    return this.#index.occupied;
  }

  /** LEDGER_CLEAR, LEDGER_DEBOUNCED or LEDGER_RECYCLED. */
  check(pid: number, generation: number, nowNs: number, debounceNs: number): number {
    const slot = this.#index.get(pid);
    if (slot < 0) return LEDGER_CLEAR;
    const open = saturatingSub(nowNs, this.#firedNs[slot]!) < debounceNs;
    if (sameLineage(this.#generations[slot]!, generation)) {
      return open ? LEDGER_DEBOUNCED : LEDGER_CLEAR;
    }
    this.#unlink(slot);
    this.#remove(slot);
    return open ? LEDGER_RECYCLED : LEDGER_CLEAR;
  }

  /**
   * Makes sure that `commit()` cannot fail: the slot of the pid, a free one, or the oldest if its window has passed;
   * -1 if there is none. Ends with `commit()` or `release()`, before anything else is asked of the ledger.
   */
  reserve(pid: number, nowNs: number, debounceNs: number): number {
    const existing = this.#index.get(pid);
    if (existing >= 0) return existing;
    if (this.#free < 0 && !this.#evictOldest(nowNs, debounceNs)) return -1;
    const slot = this.#free;
    if (!this.#index.insert(pid, slot)) return -1;
    this.#free = this.#next[slot]!;
    this.#pids[slot] = pid;
    return slot;
  }

  /** The window of the reserved pid begins at `nowNs`. */
  commit(slot: number, generation: number, nowNs: number): void {
    if (this.#isLinked(slot)) this.#unlink(slot);
    this.#generations[slot] = generation;
    this.#firedNs[slot] = nowNs;
    this.#link(slot);
  }

  /** Gives a reservation back: an entry that was there before stays as it was. */
  release(slot: number): void {
    if (!this.#isLinked(slot)) this.#remove(slot);
  }

  /** Drops entries older than `ageNs`, oldest first, at most `count`: what is left is dropped by later calls. */
  prune(nowNs: number, ageNs: number, count: number): void {
    for (let dropped = 0; dropped < count; dropped++) {
      const slot = this.#oldest;
      if (slot < 0 || saturatingSub(nowNs, this.#firedNs[slot]!) <= ageNs) return;
      this.#unlink(slot);
      this.#remove(slot);
    }
  }

  /** Entries dropped for the room since the last call; their windows had passed. */
  takeEvictions(): number {
    const count = this.#evictions;
    this.#evictions = 0;
    return count;
  }

  #evictOldest(nowNs: number, debounceNs: number): boolean {
    const slot = this.#oldest;
    if (slot < 0 || saturatingSub(nowNs, this.#firedNs[slot]!) < debounceNs) return false;
    this.#unlink(slot);
    this.#remove(slot);
    this.#evictions = saturatingAdd(this.#evictions, 1);
    return true;
  }

  #isLinked(slot: number): boolean {
    return !Number.isNaN(this.#firedNs[slot]!);
  }

  /** Links at the young end; walks back only if time did, so that the order holds whatever the caller's clock does. */
  #link(slot: number): void {
    const firedNs = this.#firedNs[slot]!;
    let before = this.#youngest;
    while (before >= 0 && this.#firedNs[before]! > firedNs) before = this.#previous[before]!;
    const after = before < 0 ? this.#oldest : this.#next[before]!;
    this.#previous[slot] = before;
    this.#next[slot] = after;
    if (before < 0) this.#oldest = slot;
    else this.#next[before] = slot;
    if (after < 0) this.#youngest = slot;
    else this.#previous[after] = slot;
  }

  #unlink(slot: number): void {
    const before = this.#previous[slot]!;
    const after = this.#next[slot]!;
    if (before < 0) this.#oldest = after;
    else this.#next[before] = after;
    if (after < 0) this.#youngest = before;
    else this.#previous[after] = before;
    this.#firedNs[slot] = NaN;
  }

  #remove(slot: number): void {
    this.#index.remove(this.#pids[slot]!);
    this.#pushFree(slot);
  }

  #pushFree(slot: number): void {
    this.#next[slot] = this.#free;
    this.#free = slot;
  }
}
