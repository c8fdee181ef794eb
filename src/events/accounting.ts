// Datagram accounting per listener (spec 08 section 4): every datagram taken from an arena ends as
// accepted or under exactly one reject reason, so received = accepted + sum of rejected holds
// between any two steps.
import { blockPer, type CounterSource, counter } from "../base/counters.ts";
import { LISTENERS_MAX } from "../base/limits.ts";
import { REJECT_REASON_COUNT, REJECT_REASONS } from "../base/reject_reason.ts";
import { saturatingAdd } from "../base/saturating.ts";

export const ACCOUNTING = blockPer(["listener"], {
  received: counter(
    "varta_datagrams_received_total",
    "Datagrams taken from the socket and judged, by listener.",
  ),
  accepted: counter(
    "varta_datagrams_accepted_total",
    "Datagrams accepted as beats, hellos or byes, by listener.",
  ),
  rejected: counter(
    "varta_datagrams_rejected_total",
    "Datagrams not accepted, by listener and the one reason that ended them.",
    { label: "reason", values: REJECT_REASONS },
  ),
});

export class DatagramAccounting {
  /** Indexed by listener number. */
  readonly received = new Float64Array(LISTENERS_MAX);
  readonly accepted = new Float64Array(LISTENERS_MAX);
  /** Indexed by listener number x REJECT_REASON_COUNT + reason. */
  readonly rejected = new Float64Array(LISTENERS_MAX * REJECT_REASON_COUNT);

  /** Datagrams of a listener rejected for any reason. */
  rejectedTotal(listenerNumber: number): number {
    let sum = 0;
    const base = listenerNumber * REJECT_REASON_COUNT;
    for (let reason = 0; reason < REJECT_REASON_COUNT; reason++)
      sum += this.rejected[base + reason]!;
    return sum;
  }

  /** Datagrams of all listeners rejected for `reason`. */
  rejectedFor(reason: number): number {
    let sum = 0;
    for (let at = reason; at < this.rejected.length; at += REJECT_REASON_COUNT)
      sum = saturatingAdd(sum, this.rejected[at]!);
    return sum;
  }

  /** What a page reads of `listener`. */
  countersOf(listener: number): CounterSource {
    const base = listener * REJECT_REASON_COUNT;
    return {
      block: ACCOUNTING,
      columns: [
        this.received.subarray(listener, listener + 1),
        this.accepted.subarray(listener, listener + 1),
        this.rejected.subarray(base, base + REJECT_REASON_COUNT),
      ],
      refresh() {},
    };
  }
}
