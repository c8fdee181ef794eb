// Why the observer heard nobody for a while, where that is known for certain: the kernel tells a
// process that was stopped when it goes on, and nothing else.
import { NS_PER_S } from "../base/time.ts";

/** The handler of a signal runs in a turn after the one that notices the pause. */
const LATE_NS_MAX = NS_PER_S;

export class PauseCause {
  readonly #nowNs: () => number;
  #continuedNs = Number.NEGATIVE_INFINITY;

  constructor(nowNs: () => number) {
    this.#nowNs = nowNs;
  }

  /** SIGCONT. */
  continued(): void {
    this.#continuedNs = this.#nowNs();
  }

  /** As a clause; undefined = that is not known. Of the last pause only. */
  of({ endNs, ns }: { readonly endNs: number; readonly ns: number }): string | undefined {
    const isIts = this.#continuedNs >= endNs - ns && this.#continuedNs <= endNs + LATE_NS_MAX;
    return isIts ? "the daemon was stopped" : undefined;
  }
}
