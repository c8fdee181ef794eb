// The stalls that wait for recovery, the oldest first: each is reported when it is taken. Some are
// reported before their turn comes, because their agent is back already and its return must not be
// read first; recovery decides them before the others. Those of muted agents are reported as such
// and come back when the mute is over; then they are reported, and recovery decides them.
import type { Stall } from "../events/stall.ts";
import type { Observer } from "../observer/observer.ts";
import type { HeldStalls } from "../recovery/held_stalls.ts";
import type { WaitingStalls } from "../recovery/recovery_options.ts";

interface ReportedStallsOptions {
  readonly observer: Observer;
  readonly held: Pick<HeldStalls, "hasReleased" | "take">;
  /** Reports it; true = its agent is muted, and it is kept. */
  readonly report: (stall: Stall) => boolean;
  /** It was kept while its agent was muted: as it is now, reported unless `isTold`. */
  readonly released: (stall: Stall, isTold: boolean) => Stall;
}

export class ReportedStalls implements WaitingStalls {
  readonly #options: ReportedStallsOptions;
  readonly #reported: Stall[] = [];

  constructor(options: ReportedStallsOptions) {
    this.#options = options;
  }

  get #guarded() {
    return this.#options.observer.silence.guarded?.recoveries;
  }

  get isEmpty(): boolean {
    const { observer, held } = this.#options;
    if (this.#guarded?.hasReady(observer.clock.lastNs) === true) return false;
    return this.#reported.length === 0 && !held.hasReleased && !observer.hasPendingStalls();
  }

  take(): Stall | undefined {
    const { clock } = this.#options.observer;
    if (this.#guarded?.hasReady(clock.lastNs) === true) return this.#guarded.take();
    const stall = this.#next();
    if (stall === undefined || this.#guarded?.wait(stall, clock.lastNs) === true) return undefined;
    return stall;
  }

  #next(): Stall | undefined {
    const reported = this.#reported.shift();
    if (reported !== undefined) return reported;
    const { observer, held, report, released } = this.#options;
    if (held.hasReleased) {
      const next = held.take();
      return next && released(next.stall, next.isTold);
    }
    const stall = observer.takeStall()!;
    return report(stall) ? undefined : stall;
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
      if (!this.#options.report(stall)) this.#reported.push(stall);
      stall = this.#options.observer.takeStall();
    }
  }

  /** What was reported is decided no more. */
  forgetReported(): void {
    this.#reported.length = 0;
  }
}
