// Wakes who waits for what the next turns decide. Timers of the runtime do not fire while the loop
// waits, and promises that the loop resolves are looked at when it has waited: it is a deadline of
// the loop, and calls.
import type { Deadline } from "./deadline.ts";

interface Waiting {
  readonly atNs: number;
  readonly wake: () => void;
}

export class Later implements Deadline {
  readonly #nowNs: () => number;
  #waiting: Waiting[] = [];

  constructor(nowNs: () => number) {
    this.#nowNs = nowNs;
  }

  /** Calls `wake` when `ns` have passed. */
  after(ns: number, wake: () => void): void {
    this.#waiting.push({ atNs: this.#nowNs() + ns, wake });
  }

  nextDeadlineNs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { atNs } of this.#waiting) next = Math.min(next, atNs);
    return next;
  }

  maintain(nowNs: number): void {
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter(({ atNs }) => atNs <= nowNs);
    this.#waiting = this.#waiting.filter(({ atNs }) => atNs > nowNs);
    for (const { wake } of due) wake();
  }
}
