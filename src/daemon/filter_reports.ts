// What a person reads about the kernel's filter against rubbish: that it is on and why, that it is
// off and what it took.
import { errnoText } from "../../ffi/errno.ts";
import { NS_PER_S } from "../base/time.ts";
import { RUBBISH_SAMPLE } from "../base/limits.ts";
import type { RubbishReports } from "../listener/rubbish_watch.ts";
import type { Log } from "./log.ts";

export class FilterReports implements RubbishReports {
  readonly #log: Log;
  readonly #listenerNames: readonly string[];

  constructor(log: Log, listenerNames: readonly string[]) {
    this.#log = log;
    this.#listenerNames = listenerNames;
  }

  filterAttached(listenerNumber: number, perSecond: number): void {
    this.#log.warn("flood filter on", {
      listener: this.#listenerNames[listenerNumber],
      per_second: Math.round(perSecond),
      passes_one_in: RUBBISH_SAMPLE,
      reason: "a flood of datagrams that are no beats",
    });
  }

  filterDetached(listenerNumber: number, filtered: number, onForNs: number): void {
    this.#log.info("flood filter off", {
      listener: this.#listenerNames[listenerNumber],
      dropped_estimate: Math.round(filtered),
      after_s: Math.round(onForNs / NS_PER_S),
    });
  }

  filterUnavailable(listenerNumber: number, errno: number): void {
    this.#log.warn("flood filter unavailable", {
      listener: this.#listenerNames[listenerNumber],
      error: errnoText(errno),
      reason: "a flood of datagrams that are no beats",
    });
  }
}
