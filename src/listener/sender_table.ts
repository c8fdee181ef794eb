// The senders whose replay state a secure listener keeps (spec 02 section 6): columns of a fixed
// slab, a last-in first-out list of its free slots, and a bounded index by pid. Nothing is
// allocated after construction. A live sender is never put out to admit a new one: a full table
// refuses the newcomer until an old one has been silent for its time.
import { saturatingSub } from "../base/saturating.ts";
import { BoundedIndex } from "../tables/bounded_index.ts";
import { RetiredPrefixes } from "./retired_prefixes.ts";
import { NS_PER_S } from "../base/time.ts";

/** Silence after which a sender's replay state is dropped: longer than any restart takes. */
const SENDER_TTL_NS = 600 * NS_PER_S;

/** Columns by slot; replay_window.ts says what they mean. */
export class SenderTable {
  readonly capacity: number;
  readonly ivLow: Uint32Array;
  readonly ivHigh: Uint32Array;
  readonly lastCounter: Uint32Array;
  readonly previousIvLow: Uint32Array;
  readonly previousIvHigh: Uint32Array;
  readonly previousLastCounter: Uint32Array;
  readonly nonceMaxHi: Uint32Array;
  readonly nonceMaxLo: Uint32Array;
  /** Greatest timestamp of a frame that is not terminal. */
  readonly timestampMaxHi: Uint32Array;
  readonly timestampMaxLo: Uint32Array;
  /** 1 = a terminal frame was seen, with the timestamp in the next two columns. */
  readonly terminalSeen: Uint8Array;
  readonly terminalTimestampHi: Uint32Array;
  readonly terminalTimestampLo: Uint32Array;
  /** The listener's own monotonic instant, for the age of the state. */
  readonly lastSeenInstantNs: Float64Array;
  /** The observer's clock, for the restart gate. */
  readonly lastSeenNs: Float64Array;
  /**
   * Prefixes of sessions of any sender that are over: nothing comes under them any more but a
   * recording.
   */
  readonly retired = new RetiredPrefixes();
  /**
   * Prefixes that fell out of the history of a session: several clients of one process may come
   * back to theirs.
   */
  readonly rotated = new RetiredPrefixes();
  readonly #pid: Uint32Array;
  readonly #live: Uint8Array;
  readonly #index: BoundedIndex;
  readonly #free: Uint32Array;
  #freeCount: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.ivLow = new Uint32Array(capacity);
    this.ivHigh = new Uint32Array(capacity);
    this.lastCounter = new Uint32Array(capacity);
    this.previousIvLow = new Uint32Array(capacity);
    this.previousIvHigh = new Uint32Array(capacity);
    this.previousLastCounter = new Uint32Array(capacity);
    this.nonceMaxHi = new Uint32Array(capacity);
    this.nonceMaxLo = new Uint32Array(capacity);
    this.timestampMaxHi = new Uint32Array(capacity);
    this.timestampMaxLo = new Uint32Array(capacity);
    this.terminalSeen = new Uint8Array(capacity);
    this.terminalTimestampHi = new Uint32Array(capacity);
    this.terminalTimestampLo = new Uint32Array(capacity);
    this.lastSeenInstantNs = new Float64Array(capacity);
    this.lastSeenNs = new Float64Array(capacity);
    this.#pid = new Uint32Array(capacity);
    this.#live = new Uint8Array(capacity);
    this.#index = new BoundedIndex(capacity);
    this.#free = new Uint32Array(capacity);
    // Filled backwards, so that the first sender lands in slot 0.
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#freeCount = capacity;
  }

  get size(): number {
    return this.capacity - this.#freeCount;
  }

  get isFull(): boolean {
    return this.#freeCount === 0;
  }

  /** The slot of `pid`, or -1. */
  slotOf(pid: number): number {
    return this.#index.get(pid);
  }

  /**
   * A slot for the unknown `pid`, whose columns the caller sets; -1 if there is none or the index
   * has no room.
   */
  insert(pid: number): number {
    if (this.#freeCount === 0) return -1;
    const slot = this.#free[this.#freeCount - 1]!;
    if (!this.#index.insert(pid, slot)) return -1;
    this.#freeCount -= 1;
    this.#pid[slot] = pid;
    this.#live[slot] = 1;
    return slot;
  }

  /** The slots that have a sender, each with its pid. */
  *senders(): Iterable<readonly [slot: number, pid: number]> {
    for (let slot = 0; slot < this.capacity; slot++)
      if (this.#live[slot] === 1) yield [slot, this.#pid[slot]!];
  }

  /**
   * Drops every sender that has been silent for its time at `instantNs`. One that was seen later
   * has no age.
   */
  sweep(instantNs: number): void {
    const live = this.#live;
    const lastSeen = this.lastSeenInstantNs;
    for (let slot = 0; slot < this.capacity; slot++)
      if (live[slot] === 1 && saturatingSub(instantNs, lastSeen[slot]!) >= SENDER_TTL_NS)
        this.#remove(slot);
  }

  #remove(slot: number): void {
    this.#index.remove(this.#pid[slot]!);
    this.#live[slot] = 0;
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
  }
}
