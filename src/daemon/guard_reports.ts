// What is told of the guard (spec 12 section 10): a line of log and an event when it becomes
// active, and when it is over.
import type { Config } from "../config/config.ts";
import { wholeMsFromNs } from "../base/time.ts";
import type { Guard, GuardChange, GuardSettings } from "../observer/guard.ts";
import type { EventFeed } from "../view/event_feed.ts";
import type { Deadline } from "./deadline.ts";
import type { Log } from "./log.ts";

interface GuardReportsOptions {
  readonly guard: Pick<Guard, "changes">;
  readonly log: Pick<Log, "warn" | "info">;
  readonly events: Pick<EventFeed, "guardActive" | "guardOver">;
}

export class GuardReports implements Deadline {
  readonly #options: GuardReportsOptions;

  constructor(options: GuardReportsOptions) {
    this.#options = options;
  }

  /** At once while something is to be told. */
  nextDeadlineNs(): number {
    const isDue = this.#options.guard.changes.length > 0;
    return isDue ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  maintain(): void {
    for (const change of this.#options.guard.changes.splice(0)) this.#tell(change);
  }

  #tell(change: GuardChange): void {
    const { log, events } = this.#options;
    if (change.kind === "active") {
      const { silent, members, windowNs } = change.view;
      const window_ms = wholeMsFromNs(windowNs);
      log.warn("guard active", { silent, members, window_ms, recoveries: "held" });
      events.guardActive(change.view, change.atNs);
      return;
    }
    const { tookNs, silent, end, evidence } = change;
    const took_ms = wholeMsFromNs(tookNs);
    log.info("guard over", { took_ms, stalled: silent, end, cause: evidence });
    events.guardOver(change, change.atNs);
  }
}

export function guardSettings({ guard }: Config): GuardSettings {
  const { off, share, members: membersMin, windowNs } = guard;
  return { isOn: !off, share: share / 100, membersMin, windowNs };
}
