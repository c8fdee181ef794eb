// Datagram accounting per listener (spec 08 section 4): every datagram taken from an arena ends as accepted or under
// exactly one reject reason, so received = accepted + sum of rejected holds between any two steps.
import { LISTENERS_MAX } from "../base/limits.ts";
import { REJECT_REASON_COUNT } from "../base/reject_reason.ts";

export class DatagramAccounting {
  /** Indexed by listener number. */
  readonly received = new Float64Array(LISTENERS_MAX);
  readonly accepted = new Float64Array(LISTENERS_MAX);
  /** Indexed by listener number x REJECT_REASON_COUNT + reason. */
  readonly rejected = new Float64Array(LISTENERS_MAX * REJECT_REASON_COUNT);
  /** Indexed by reason: what takeRejected() has told. */
  readonly #taken = new Float64Array(REJECT_REASON_COUNT);

  /** Datagrams of `listener` rejected for any reason. */
  rejectedTotal(listener: number): number {
    let sum = 0;
    const base = listener * REJECT_REASON_COUNT;
    for (let reason = 0; reason < REJECT_REASON_COUNT; reason++)
      sum += this.rejected[base + reason]!;
    return sum;
  }

  /** Datagrams of all listeners rejected for `reason` since the last call; the table itself never goes back. */
  takeRejected(reason: number): number {
    let total = 0;
    for (let listener = 0; listener < LISTENERS_MAX; listener++)
      total += this.rejected[listener * REJECT_REASON_COUNT + reason]!;
    const since = total - this.#taken[reason]!;
    this.#taken[reason] = total;
    return since;
  }
}
