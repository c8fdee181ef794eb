// The stalls that wait for recovery, the oldest first: each is reported when it is taken. Some are
// reported before their turn comes, because their agent is back already and its return must not be
// read first; recovery decides them before the others.
import type { Stall } from "../events/stall.ts";
import type { Observer } from "../observer/observer.ts";
import type { WaitingStalls } from "../recovery/recovery.ts";

export class ReportedStalls implements WaitingStalls {
  readonly #observer: Observer;
  readonly #report: (stall: Stall) => void;
  readonly #reported: Stall[] = [];

  constructor(observer: Observer, report: (stall: Stall) => void) {
    this.#observer = observer;
    this.#report = report;
  }

  get isEmpty(): boolean {
    return this.#reported.length === 0 && !this.#observer.hasPendingStalls();
  }

  take(): Stall {
    const reported = this.#reported.shift();
    if (reported !== undefined) return reported;
    const stall = this.#observer.takeStall()!;
    this.#report(stall);
    return stall;
  }

  /** The same for one turn: none is left for it when `ns` have passed, and the others wait. */
  within(ns: number, monotonicNs: () => number): WaitingStalls {
    const endNs = monotonicNs() + ns;
    const isOver = (): boolean => this.isEmpty || monotonicNs() > endNs;
    return {
      get isEmpty() {
        return isOver();
      },
      take: () => this.take(),
    };
  }

  /** Reports every stall that waits, `first` and those after it. */
  reportAll(first: Stall): void {
    for (let stall: Stall | undefined = first; stall !== undefined; ) {
      this.#report(stall);
      this.#reported.push(stall);
      stall = this.#observer.takeStall();
    }
  }

  /** What was reported is decided no more. */
  forgetReported(): void {
    this.#reported.length = 0;
  }
}
