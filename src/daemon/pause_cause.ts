// Why the observer heard nobody for a while, where something says so (spec 12 section 8.1): the
// kernel tells a process that was stopped when it goes on, and what it counted tells of the rest.
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { OwnTimes } from "../processes/own_times.ts";
import { PAUSE_CLAUSES, pauseCause, type PauseCauseWord } from "./pause_evidence.ts";

/** The handler of a signal runs in a turn after the one that notices the pause. */
const LATE_NS_MAX = NS_PER_S;
/** Between two readings: what the daemon did in that time counts towards a pause, too. */
const READ_EVERY_NS = NS_PER_S;
/** Shorter ones are everyday life on a busy machine, and are told to nobody. */
const ASKED_NS_MIN = 100 * NS_PER_MS;

interface PauseCauseOptions {
  readonly nowNs: () => number;
  readonly times: { read(): OwnTimes };
}

interface Pause {
  readonly endNs: number;
  readonly ns: number;
}

export class PauseCause {
  readonly #options: PauseCauseOptions;
  #continuedNs = Number.NEGATIVE_INFINITY;
  #before: OwnTimes;
  #readNs: number;
  /** When the last pause ended that was asked for, and what is known of it. */
  #endNs = Number.NaN;
  #found: PauseCauseWord | undefined;

  constructor(options: PauseCauseOptions) {
    this.#options = options;
    this.#before = options.times.read();
    this.#readNs = options.nowNs();
  }

  /** SIGCONT. */
  continued(): void {
    this.#continuedNs = this.#options.nowNs();
  }

  /** A pause has just ended: its cause, if that is known already. */
  paused({ endNs, ns }: Pause): PauseCauseWord | undefined {
    if (ns <= ASKED_NS_MIN) return undefined;
    const after = this.#options.times.read();
    const wasContinued = this.#wasContinued({ endNs, ns });
    this.#found = pauseCause({ ns, before: this.#before, after, wasContinued });
    this.#endNs = endNs;
    this.#before = after;
    this.#readNs = endNs;
    return this.#found;
  }

  /** After the turns in which nothing paused. */
  maintain(nowNs: number): void {
    if (nowNs - this.#readNs < READ_EVERY_NS) return;
    this.#before = this.#options.times.read();
    this.#readNs = nowNs;
  }

  /** As a clause; undefined = that is not known. Of the last pause only. */
  of(pause: Pause): string | undefined {
    const isFound = this.#endNs === pause.endNs;
    const found = isFound ? this.#found : undefined;
    const word = found !== "suspended" && this.#wasContinued(pause) ? "stopped" : found;
    return word && PAUSE_CLAUSES[word];
  }

  #wasContinued({ endNs, ns }: Pause): boolean {
    return this.#continuedNs >= endNs - ns && this.#continuedNs <= endNs + LATE_NS_MAX;
  }
}
