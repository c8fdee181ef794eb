// The listeners by their numbers, and which of them are in force. A number belongs to a name for
// good: members, events and counters hold it, and a listener that a reload removes and another one
// brings back has the same again. So a removed one stays in its place, closed.
import { assert } from "../base/assert.ts";
import { LISTENERS_MAX } from "../base/limits.ts";
import type { Listener } from "../listener/listener.ts";
import type { ReceiveFailures } from "./receive_failures.ts";

export class ListenerSet {
  readonly #byNumber: Listener[] = [];
  #inForce: readonly number[] = [];

  /** Also those that were removed. */
  get byNumber(): readonly Listener[] {
    return this.#byNumber;
  }

  /** Numbers, in their order; another array after every change. */
  get inForce(): readonly number[] {
    return this.#inForce;
  }

  /**
   * When one of them has something to do although nothing comes: not before it is tried again, if
   * it failed too often.
   */
  nextDueNs(failures: ReceiveFailures): number {
    const inForce = this.#inForce;
    let dueNs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < inForce.length; i++) {
      const ofListener = this.#byNumber[inForce[i]!]!.nextDueNs;
      if (ofListener === undefined || ofListener >= dueNs) continue;
      dueNs = Math.max(ofListener, failures.suspendedUntilNs(inForce[i]!));
    }
    return dueNs;
  }

  /** Puts a listener in force at a number: the next one, or one that was there before. */
  put(number: number, listener: Listener): void {
    assert(number < LISTENERS_MAX, "the configuration bounds the listeners");
    assert(number <= this.#byNumber.length, "numbers are given in their order");
    this.#byNumber[number] = listener;
    const others = this.#inForce.filter((other) => other !== number);
    this.#inForce = [...others, number].sort((a, b) => a - b);
  }

  /** Closes the listener of a number. */
  remove(number: number): void {
    this.#byNumber[number]!.close();
    this.#inForce = this.#inForce.filter((other) => other !== number);
  }

  /** Idempotent. */
  close(): void {
    for (const number of this.#inForce) this.#byNumber[number]!.close();
  }
}
