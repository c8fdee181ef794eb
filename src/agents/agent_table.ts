// The numbers of agents. Slots, stalls and outcomes carry the number of an agent; this table knows
// which agent it is. For now each member is an agent of its own, and what is known of it is its key
// in the tracker.
//
// A number outlives its agent: a stall may wait, and a recovery may go on, when the slot is long
// another member's. So a number names no other agent before 2^31 agents have come after it. It is a
// row plus a multiple of the number of rows; there are twice as many rows as agents, the row that
// was given back first is given away first, and each time under its next number. Rows are touched
// when they are first needed, so a large capacity costs no memory while it is not used.
import { assert } from "../base/assert.ts";

export class AgentTable {
  readonly #capacity: number;
  readonly #rowCount: number;
  readonly #numberCount: number;
  /** By row: the number that it has, or that it will have next, is `row + turn * rowCount`. */
  readonly #turn: Uint32Array;
  readonly #key: Uint32Array;
  /** Rows given back, a ring: the oldest at `#oldest`. */
  readonly #free: Uint32Array;
  #oldest = 0;
  #freeCount = 0;
  /** Rows that were ever given away: 0..#usedCount-1. */
  #usedCount = 0;

  /** There are `numberCount` numbers, by default those of a u32. */
  constructor(capacity: number, numberCount = 2 ** 32) {
    this.#capacity = capacity;
    this.#rowCount = 2 * capacity;
    this.#numberCount = numberCount;
    this.#turn = new Uint32Array(this.#rowCount);
    this.#key = new Uint32Array(this.#rowCount);
    this.#free = new Uint32Array(this.#rowCount);
  }

  /** Agents that have a number. */
  get count(): number {
    return this.#usedCount - this.#freeCount;
  }

  /** Gives a number to the agent of `key`. There is one for each of `capacity` agents. */
  take(key: number): number {
    assert(this.count < this.#capacity, "there is a number for each slot");
    const row = this.#usedCount < this.#rowCount ? this.#usedCount++ : this.#takeOldest();
    this.#key[row] = key;
    return this.#numberOf(row);
  }

  /** The agent of `number` is gone. */
  release(number: number): void {
    const row = number % this.#rowCount;
    assert(this.#numberOf(row) === number, "a number is given back once");
    const isLastTurn = number + this.#rowCount >= this.#numberCount;
    this.#turn[row] = isLastTurn ? 0 : this.#turn[row]! + 1;
    this.#free[(this.#oldest + this.#freeCount) % this.#rowCount] = row;
    this.#freeCount += 1;
  }

  /** The key of the agent of `number`; -1 = it is gone. */
  keyOf(number: number): number {
    const row = number % this.#rowCount;
    return this.#numberOf(row) === number ? this.#key[row]! : -1;
  }

  #takeOldest(): number {
    const row = this.#free[this.#oldest]!;
    this.#oldest = (this.#oldest + 1) % this.#rowCount;
    this.#freeCount -= 1;
    return row;
  }

  #numberOf(row: number): number {
    return row + this.#turn[row]! * this.#rowCount;
  }
}
