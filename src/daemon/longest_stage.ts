// How long the stages of a turn took, where any took long: the longest is named after a pause as
// what the daemon was busy with (spec 12 section 8.1), and one over its limit is told by itself
// (section 1). Ending a wedged process is the watchdog's business.
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";

export type StageWord = "receive" | "recover" | "reap" | "maintain" | "timers" | "serve";

/** Half of the shortest pause that is told: a stage explains that much, or nothing. */
const LONG_NS_MIN = 50 * NS_PER_MS;
/** Limit of the stages that touch no socket; the others may take twice as long. */
const STAGE_NS_MAX = NS_PER_S;

export class LongestStage {
  /** Since it was last taken; undefined = none took long. */
  #word: StageWord | undefined = undefined;
  #ns = LONG_NS_MIN;
  readonly #overLimit: (stage: StageWord, ns: number) => void;

  constructor(overLimit: (stage: StageWord, ns: number) => void) {
    this.#overLimit = overLimit;
  }

  took(word: StageWord, ns: number): void {
    if (ns < this.#ns) return;
    this.#ns = ns;
    this.#word = word;
  }

  /** The one that took longest since the last call, and long. */
  take(): StageWord | undefined {
    const word = this.#word;
    if (word === undefined) return undefined;
    this.#word = undefined;
    this.#ns = LONG_NS_MIN;
    return word;
  }

  /** All that a plain turn does. */
  received(ns: number): void {
    this.took("receive", ns);
    if (ns > 2 * STAGE_NS_MAX) this.#overLimit("receive", ns);
  }

  /** A turn with all its stages. */
  turned(receiveNs: number, recoverNs: number, reapNs: number, maintainNs: number): void {
    this.received(receiveNs);
    this.took("recover", recoverNs);
    this.took("reap", reapNs);
    this.took("maintain", maintainNs);
    if (recoverNs > 2 * STAGE_NS_MAX) this.#overLimit("recover", recoverNs);
    if (reapNs > STAGE_NS_MAX) this.#overLimit("reap", reapNs);
    if (maintainNs > STAGE_NS_MAX) this.#overLimit("maintain", maintainNs);
  }
}
