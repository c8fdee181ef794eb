// Why datagrams were not accepted, by cause: most equal one reject reason each and are read from
// the accounting table at the moment of a scrape, so that the accounting identity of spec 08
// section 4 holds on every page. Only the rows of events know the kind of a decode error and the
// errors of a receive: those are counted while the rows pass.
import { block, type CountersOf, counter } from "../base/counters.ts";
import * as reason from "../base/reject_reason.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import { DECODE_ERROR_KINDS } from "../wire/decode_error.ts";

/** The reject reason of each label value. */
function rejected(...reasons: readonly number[]) {
  return (accounting: DatagramAccounting, index: number) => accounting.rejectedFor(reasons[index]!);
}

export const CAUSES = block({
  frameAuthFailures: counter(
    "varta_frame_auth_failures_total",
    "Frame pid disagrees with the kernel credential, or sender not on the allow list.",
    {
      label: "reason",
      values: ["pid", "uid"],
      ask: rejected(reason.REJECT_PID, reason.REJECT_UID),
    },
  ),
  decodeErrors: counter("varta_decode_errors_total", "Wire rejects, by what was wrong first.", {
    label: "kind",
    values: DECODE_ERROR_KINDS,
  }),
  ioErrors: counter(
    "varta_io_errors_total",
    "Receive errors, including datagrams without kernel credentials.",
  ),
  ctrlTruncated: counter(
    "varta_ctrl_truncated_total",
    "Ancillary data truncated, for example because a sender attached descriptors.",
    { ask: rejected(reason.REJECT_CTRL_TRUNCATED) },
  ),
  truncated: counter("varta_truncated_datagrams_total", "Datagrams of a wrong size.", {
    ask: rejected(reason.REJECT_WRONG_SIZE),
  }),
  rateLimited: counter("varta_rate_limited_total", "Datagrams dropped by a limiter.", {
    label: "reason",
    values: ["per_pid", "global"],
    ask: rejected(reason.REJECT_RATE_PER_PID, reason.REJECT_RATE_GLOBAL),
  }),
  pidAboveMax: counter(
    "varta_frame_rejected_pid_above_max_total",
    "Frames whose pid is above the kernel's pid_max.",
    { ask: rejected(reason.REJECT_PID_ABOVE_MAX) },
  ),
  namespaceMismatch: counter(
    "varta_frame_namespace_mismatch_total",
    "Frames dropped at the gate because the sender is in another pid namespace.",
    { ask: rejected(reason.REJECT_CROSS_NAMESPACE) },
  ),
  originConflict: counter(
    "varta_origin_conflict_total",
    "Beats from another transport class than the one the slot is pinned to.",
    { ask: rejected(reason.REJECT_ORIGIN_CONFLICT) },
  ),
  namespaceConflict: counter(
    "varta_tracker_namespace_conflict_total",
    "Beats for a slot pinned to another namespace inode.",
    { ask: rejected(reason.REJECT_NAMESPACE_CONFLICT) },
  ),
  capacityExceeded: counter(
    "varta_tracker_capacity_exceeded_total",
    "Beats dropped because the table is full.",
    { ask: rejected(reason.REJECT_CAPACITY) },
  ),
  decryptFailures: counter("varta_frame_decrypt_failures_total", "Datagrams that no key opened.", {
    ask: rejected(reason.REJECT_DECRYPT),
  }),
  replayRefused: counter(
    "varta_secure_replay_refused_total",
    "Authentic datagrams whose counter, nonce or timestamp did not advance.",
    { ask: rejected(reason.REJECT_REPLAY) },
  ),
  senderStateFull: counter(
    "varta_sender_state_full_total",
    "Datagrams refused because the replay table is full.",
    { ask: rejected(reason.REJECT_SENDER_TABLE_FULL) },
  ),
});

export type CauseCounters = CountersOf<typeof CAUSES>;
