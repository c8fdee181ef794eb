// Listeners whose receive fails again and again (spec 12 section 1): after eight failures in a row
// one is left alone for a second, because the wait would return at once for its descriptor and the
// loop would spin.
import { LISTENERS_MAX, RECEIVE_FAILURES_MAX, RECEIVE_RETRY_NS } from "../base/limits.ts";

export class ReceiveFailures {
  /** Failures of all listeners. */
  count = 0;
  /** Failures in a row, by listener number. */
  readonly #inARow = new Uint8Array(LISTENERS_MAX);
  readonly #suspendedUntilNs = new Float64Array(LISTENERS_MAX);

  isSuspended(listenerNumber: number, nowNs: number): boolean {
    return this.#inARow[listenerNumber]! > 0 && nowNs < this.#suspendedUntilNs[listenerNumber]!;
  }

  /** When listener `listenerNumber` is tried again; 0 = it is not suspended. */
  suspendedUntilNs(listenerNumber: number): number {
    return this.#inARow[listenerNumber] === RECEIVE_FAILURES_MAX
      ? this.#suspendedUntilNs[listenerNumber]!
      : 0;
  }

  failed(listenerNumber: number, nowNs: number): void {
    this.count++;
    const inARow = Math.min(this.#inARow[listenerNumber]! + 1, RECEIVE_FAILURES_MAX);
    this.#inARow[listenerNumber] = inARow;
    if (inARow === RECEIVE_FAILURES_MAX)
      this.#suspendedUntilNs[listenerNumber] = nowNs + RECEIVE_RETRY_NS;
  }

  succeeded(listenerNumber: number): void {
    this.#inARow[listenerNumber] = 0;
  }
}
