// Listeners whose receive fails again and again (spec 12 section 1): after eight failures in a row one is left alone for a
// second, because the wait would return at once for its descriptor and the loop would spin.
import { LISTENERS_MAX, RECEIVE_FAILURES_MAX, RECEIVE_RETRY_NS } from "../base/limits.ts";

export class ReceiveFailures {
  /** Failures in a row, by listener number. */
  readonly #inARow = new Uint8Array(LISTENERS_MAX);
  readonly #suspendedUntilNs = new Float64Array(LISTENERS_MAX);
  #count = 0;

  isSuspended(l: number, nowNs: number): boolean {
    return this.#inARow[l]! > 0 && nowNs < this.#suspendedUntilNs[l]!;
  }

  /** When listener `l` is tried again; 0 = it is not suspended. */
  suspendedUntilNs(l: number): number {
    return this.#inARow[l] === RECEIVE_FAILURES_MAX ? this.#suspendedUntilNs[l]! : 0;
  }

  failed(l: number, nowNs: number): void {
    this.#count++;
    const inARow = Math.min(this.#inARow[l]! + 1, RECEIVE_FAILURES_MAX);
    this.#inARow[l] = inARow;
    if (inARow === RECEIVE_FAILURES_MAX) this.#suspendedUntilNs[l] = nowNs + RECEIVE_RETRY_NS;
  }

  succeeded(l: number): void {
    this.#inARow[l] = 0;
  }

  /** Failures of all listeners since the last call. */
  takeCount(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }
}
