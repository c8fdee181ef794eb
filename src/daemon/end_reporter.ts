// Reports ends of members, and counts them (spec 14 section 4).
import type { HowEnded } from "../agents/ends.ts";
import type { Newcomer, OpenEnd } from "../agents/replacements.ts";
import type { CountersOf } from "../base/counters.ts";
import { saturatingSub } from "../base/saturating.ts";
import { endNumbers } from "../base/wait_status.ts";
import { endedAs, type GoneReason, type MemberGone } from "../events/member_end.ts";
import type { Observer } from "../observer/observer.ts";
import { ENDS } from "./end_counters.ts";
import type { EndReports } from "./end_options.ts";
import type { SeenEnd } from "./unit_ends.ts";

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
  exited(slot: number, end: SeenEnd, how: HowEnded, recoveryId: number): void {
    if (how === "clean") return;
    const { pid, generation, waitStatus, isBySystemd, unwatched } = end;
    const { clock, tracker } = this.#observer;
    this.#counters.add(ENDS.ends[how]);
    if (unwatched !== undefined) this.#counters.add(ENDS.unwatched);
    this.#reports.exited({
      observerNs: clock.lastNs,
      agent: tracker.slots.agent[slot]!,
      pid,
      generation,
      listener: tracker.slots.listener[slot]!,
      how,
      isBySystemd,
      endedNs: endedNs(end),
      unwatched,
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
    // When it ended was said before, with its exit.
    const known = { gapNs, endedNs: Number.NaN, unwatched: undefined };
    this.#gone(slot, waitStatus, { reason: "replaced", byPid: newcomer.pid, ...known });
  }

  gone(slot: number, end: SeenEnd, reason: Exclude<GoneReason, "replaced">): void {
    const known = { gapNs: Number.NaN, endedNs: endedNs(end), unwatched: end.unwatched };
    this.#gone(slot, end.waitStatus, { reason, byPid: Number.NaN, ...known });
  }

  #gone(
    slot: number,
    waitStatus: number,
    why: Pick<MemberGone, "reason" | "byPid" | "gapNs" | "endedNs" | "unwatched">,
  ): void {
    const { clock, tracker } = this.#observer;
    this.#counters.add(ENDS.ends[endedAs(why.reason)]);
    if (why.unwatched !== undefined) this.#counters.add(ENDS.unwatched);
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

function endedNs({ isFound, seenNs }: SeenEnd): number {
  return isFound ? Number.NaN : seenNs;
}
