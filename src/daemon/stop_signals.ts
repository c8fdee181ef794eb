// Which stop signals count. A terminal, a wrapper or a container runtime often sends the same
// signal to the process and to its group: two deliveries within a moment are one request, and not
// the second one that ends everything at once.
import { NS_PER_MS } from "../base/time.ts";

/**
 * Longer than two deliveries of one request are apart on a busy machine, shorter than a person
 * takes to ask again.
 */
const SAME_NS_MAX = 250 * NS_PER_MS;

type StopRequest = "first" | "repeated" | "again";

export class StopSignals {
  #last: NodeJS.Signals | undefined;
  #lastNs = 0;

  /**
   * What `signal` at `nowNs` means. Only a signal that counts begins the time in which the same one
   * is a repetition.
   */
  take(signal: NodeJS.Signals, nowNs: number): StopRequest {
    const isFirst = this.#last === undefined;
    if (this.#last === signal && nowNs - this.#lastNs < SAME_NS_MAX) return "repeated";
    this.#last = signal;
    this.#lastNs = nowNs;
    return isFirst ? "first" : "again";
  }
}
