// What is counted of members that ended (spec 14).
import { block, counter, gauge } from "../base/counters.ts";

/** What is asked when a page is made. */
interface AskedEnds {
  /** Processes that have a descriptor. */
  readonly watched: number;
  readonly refused: number;
}

export const ENDS = block({
  ends: counter(
    "varta_member_ends_total",
    "Members whose process ended, by how: replaced ones were excused by a newcomer, brief ones were over before they could be watched.",
    { label: "how", values: ["clean", "unclean", "unknown", "replaced", "brief"] },
  ),
  unwatched: counter(
    "varta_member_ends_unwatched_total",
    "Of these, members that ended while no daemon ran: found at the start.",
  ),
  unidentified: counter(
    "varta_member_unidentified_total",
    "Senders that were gone before their start time was read.",
  ),
  pidfds: gauge("varta_member_pidfds", "Process descriptors open to see members end.", {
    ask: ({ watched }: AskedEnds) => watched,
  }),
  pidfdsRefused: counter(
    "varta_member_pidfds_refused_total",
    "Members that got no process descriptor: their end is found out when they fall silent.",
    { ask: ({ refused }: AskedEnds) => refused },
  ),
});
