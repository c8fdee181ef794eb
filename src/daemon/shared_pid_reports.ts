// The line about two senders of one pid: once a minute at most, for as long as there are any.
import { NS_PER_S } from "../base/time.ts";
import type { SharedPid } from "../observer/shared_pids.ts";
import { agentName } from "./agent_fields.ts";
import type { Log } from "./log.ts";

const LINE_EVERY_NS = 60 * NS_PER_S;

export class SharedPidReports {
  readonly #log: Log;
  #nextLineNs = Number.NEGATIVE_INFINITY;
  /** Beats since the last line. */
  #beats = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  shared({ pid, source, holder, beats }: SharedPid, nowNs: number): void {
    this.#beats += beats;
    if (nowNs < this.#nextLineNs) return;
    this.#nextLineNs = nowNs + LINE_EVERY_NS;
    this.#log.warn("pid claimed twice", {
      pid,
      agent: agentName(source, pid),
      holder: holder === "" ? undefined : holder,
      beats: this.#beats,
      effect: "each sender is watched by its source",
      hint: "give every host a listener of its own, or let the agents beat with a key and pids of one namespace",
    });
    this.#beats = 0;
  }
}
