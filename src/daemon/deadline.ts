// The timers of the daemon (spec 12 section 1). Timers of the runtime do not fire while the loop
// waits in poll(2), so each part that has one says here when it is due, and the loop waits no
// longer than that.

/** Something with a timer. Times are observer time; +Infinity = nothing to do. */
export interface Deadline {
  nextDeadlineNs(): number;
  /**
   * Does what is due at `nowNs`. Called then, after every turn that was not plain, and once a
   * second at least.
   */
  maintain(nowNs: number): void;
}

/** All timers besides the tracker's, in the order in which they are maintained. */
export class Deadlines {
  readonly #deadlines: Deadline[] = [];

  /** What is undefined is not there: its stage is off. */
  add(...deadlines: readonly (Deadline | undefined)[]): void {
    for (const deadline of deadlines) if (deadline !== undefined) this.#deadlines.push(deadline);
  }

  earliestNs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#deadlines.length; i++) {
      const next = this.#deadlines[i]!.nextDeadlineNs();
      if (next < earliest) earliest = next;
    }
    return earliest;
  }

  maintain(nowNs: number): void {
    for (let i = 0; i < this.#deadlines.length; i++) this.#deadlines[i]!.maintain(nowNs);
  }
}
