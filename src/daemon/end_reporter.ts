// Reports ends of members, and counts them (spec 14 section 4).
import type { HowEnded } from "../agents/ends.ts";
import type { Newcomer, OpenEnd } from "../agents/replacements.ts";
import type { CountersOf } from "../base/counters.ts";
import { saturatingSub } from "../base/saturating.ts";
import { endNumbers } from "../base/wait_status.ts";
import type { MemberGone } from "../events/member_end.ts";
import type { Observer } from "../observer/observer.ts";
import type { ProcessEnd } from "../processes/end_watch.ts";
import { ENDS } from "./end_counters.ts";
import type { EndReports } from "./end_options.ts";

interface EndReporterOptions {
  readonly observer: Observer;
  readonly reports: EndReports;
}

export class EndReporter {
  readonly #counters: CountersOf<typeof ENDS>;
  readonly #observer: Observer;
  readonly #reports: EndReports;

  constructor({ observer, reports }: EndReporterOptions, counters: CountersOf<typeof ENDS>) {
    this.#observer = observer;
    this.#reports = reports;
    this.#counters = counters;
  }

  /** `recoveryId` is of the recovery in which it ended; NaN = in none. */
  exited(
    slot: number,
    { pid, generation, waitStatus }: ProcessEnd,
    how: HowEnded,
    recoveryId: number,
  ): void {
    if (how === "clean") return;
    const { clock, tracker } = this.#observer;
    this.#counters.add(ENDS.ends[how]);
    this.#reports.exited({
      observerNs: clock.lastNs,
      agent: tracker.slots.agent[slot]!,
      pid,
      generation,
      listener: tracker.slots.listener[slot]!,
      how,
      recoveryId,
      ...endNumbers(waitStatus),
    });
  }

  /** `newcomer` began to beat in the place of the member of `slot`, which ended as `end` says. */
  replaced(
    slot: number,
    end: Pick<OpenEnd, "endedNs">,
    waitStatus: number,
    newcomer: Pick<Newcomer, "pid" | "beganNs">,
  ): void {
    const gapNs = saturatingSub(newcomer.beganNs, end.endedNs);
    this.#gone(slot, waitStatus, { reason: "replaced", byPid: newcomer.pid, gapNs });
  }

  gone(slot: number, waitStatus: number, reason: "clean" | "ignored" | "brief"): void {
    this.#gone(slot, waitStatus, { reason, byPid: Number.NaN, gapNs: Number.NaN });
  }

  #gone(
    slot: number,
    waitStatus: number,
    why: Pick<MemberGone, "reason" | "byPid" | "gapNs">,
  ): void {
    const { clock, tracker } = this.#observer;
    this.#counters.add(ENDS.ends[why.reason === "ignored" ? "clean" : why.reason]);
    this.#reports.gone({
      observerNs: clock.lastNs,
      agent: tracker.slots.agent[slot]!,
      pid: tracker.slots.pid[slot]!,
      generation: tracker.slots.generation[slot]!,
      ...why,
      ...endNumbers(waitStatus),
    });
  }
}
