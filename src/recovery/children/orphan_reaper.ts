// Reaps orphans that have ended. The first process of a container, and
// one that was made a subreaper, becomes the parent of every orphan below it: of what recovery
// commands leave in the background, and of what agents leave. An orphan that has ended keeps its
// pid until its parent waits for it. The runtime waits for the children that it started, and must
// find their status: those are left alone.
import { adoptsOrphans, endedChild, reapChild } from "../../../ffi/wait.ts";
import { block, Counters, counter } from "../../base/counters.ts";
import { ORPHAN_LOOK_NS, ORPHANS_PER_TURN_MAX } from "../../base/limits.ts";

/** The calls, for tests. */
export interface OrphanSystem {
  adoptsOrphans(): boolean;
  /** 0 = none. */
  endedChild(): number;
  /** Its pid, or -errno. */
  reapChild(pid: number): number;
}

const SYSTEM: OrphanSystem = { adoptsOrphans, endedChild, reapChild };

export const ORPHANS = block({
  reaped: counter(
    "varta_orphans_reaped_total",
    "Ended processes of nobody that were reaped by a daemon that is their parent, as the first process of a container.",
  ),
});

export class OrphanReaper {
  readonly counters = new Counters(ORPHANS, this);
  readonly #isOurs: (pid: number) => boolean;
  readonly #system: OrphanSystem;
  #nextNs: number;

  /** `isOurs` is true for children that the runtime waits for. */
  constructor(isOurs: (pid: number) => boolean, system = SYSTEM) {
    this.#isOurs = isOurs;
    this.#system = system;
    this.#nextNs = system.adoptsOrphans() ? 0 : Number.POSITIVE_INFINITY;
  }

  /** +Infinity where orphans do not become children of the daemon. */
  nextDeadlineNs(): number {
    return this.#nextNs;
  }

  maintain(nowNs: number): void {
    if (nowNs < this.#nextNs) return;
    this.#nextNs = nowNs + ORPHAN_LOOK_NS;
    for (let looks = 0; looks < ORPHANS_PER_TURN_MAX; looks++) {
      const pid = this.#system.endedChild();
      // The kernel names only the first one: after a child of the daemon, the others are seen once
      // the runtime has waited for it.
      if (pid <= 0 || this.#isOurs(pid)) return;
      if (this.#system.reapChild(pid) !== pid) return;
      this.counters.add(ORPHANS.reaped);
    }
    this.#nextNs = nowNs;
  }
}
