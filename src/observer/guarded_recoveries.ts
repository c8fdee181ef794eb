// Stalls that were reported and whose recovery waits for the guard (spec 12 section 10): for the
// moment in which the others may fall silent, too, and then for its end. In the order in which they
// were found; each waits once.
import type { Stall } from "../events/stall.ts";
import type { Guard } from "./guard.ts";

interface GuardedRecoveriesOptions {
  readonly guard: Pick<Guard, "recoveryNs">;
  /** Members that are watched. */
  readonly members: () => number;
  /** Its member is known to have ended: that is no silence. */
  readonly hasEnded: (stall: Stall) => boolean;
  /** Its member still is stalled. */
  readonly isStalled: (stall: Stall) => boolean;
}

export class GuardedRecoveries {
  readonly #options: GuardedRecoveriesOptions;
  #waiting: Stall[] = [];
  readonly #keys = new Set<number>();

  constructor(options: GuardedRecoveriesOptions) {
    this.#options = options;
  }

  /** True: it waits, and comes back by `take`. */
  wait(stall: Stall, nowNs: number): boolean {
    if (this.#options.hasEnded(stall) || this.#readyNs(stall) <= nowNs) return false;
    this.#waiting.push(stall);
    this.#keys.add(stall.key);
    return true;
  }

  /** The stall of the member waits. */
  has(key: number): boolean {
    return this.#keys.has(key);
  }

  hasReady(nowNs: number): boolean {
    return this.nextDeadlineNs() <= nowNs;
  }

  /** The oldest, which is ready; undefined = its member beats again, or is watched no more. */
  take(): Stall | undefined {
    const stall = this.#waiting.shift()!;
    this.#keys.delete(stall.key);
    return this.#options.isStalled(stall) ? stall : undefined;
  }

  /** When the oldest is ready; +Infinity = none waits, or nobody knows yet. */
  nextDeadlineNs(): number {
    const oldest = this.#waiting[0];
    return oldest === undefined ? Number.POSITIVE_INFINITY : this.#readyNs(oldest);
  }

  #readyNs({ observerNs }: Stall): number {
    return this.#options.guard.recoveryNs(observerNs, this.#options.members());
  }
}
