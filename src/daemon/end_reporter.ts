// Reports ends of members, and counts them (spec 14 section 4).
import type { HowEnded } from "../agents/ends.ts";
import type { CountersOf } from "../base/counters.ts";
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

  exited(slot: number, { pid, generation, waitStatus }: ProcessEnd, how: HowEnded): void {
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
      ...endNumbers(waitStatus),
    });
  }

  gone(slot: number, waitStatus: number, reason: MemberGone["reason"], byPid: number): void {
    const { clock, tracker } = this.#observer;
    this.#counters.add(ENDS.ends[reason === "ignored" ? "clean" : reason]);
    this.#reports.gone({
      observerNs: clock.lastNs,
      agent: tracker.slots.agent[slot]!,
      pid: tracker.slots.pid[slot]!,
      generation: tracker.slots.generation[slot]!,
      reason,
      byPid,
      ...endNumbers(waitStatus),
    });
  }
}
