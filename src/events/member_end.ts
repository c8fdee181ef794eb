// The end of a member as the sinks see it (spec 14 section 4). Ends are rare beside beats, so each
// is one object. Unknown numbers are NaN.
import type { EndNumbers } from "../base/wait_status.ts";

/** It ended while no daemon ran: after its last beat, and before the start of this one. */
export interface Unwatched {
  readonly afterNs: number;
  readonly beforeNs: number;
}

interface OfEndedMember extends EndNumbers {
  readonly observerNs: number;
  /** Number of its agent. */
  readonly agent: number;
  readonly pid: number;
  readonly generation: number;
  /** When its end was seen, a moment before it was decided on; NaN = it was found out later. */
  readonly endedNs: number;
  readonly unwatched?: Unwatched | undefined;
}

/** Its process ended uncleanly, or it is not known how: it is judged. */
export interface MemberExit extends OfEndedMember {
  readonly how: "unclean" | "unknown";
  /** systemd has said how, and not the kernel. */
  readonly isBySystemd: boolean;
  /** Number of the listener of its last beat. */
  readonly listener: number;
  /** The recovery in which it ended; NaN = none, as far as is known. */
  readonly recoveryId: number;
}

/** "goodbye" is a clean end, too: it had said that it would come. */
export type GoneReason = "clean" | "goodbye" | "replaced" | "ignored" | "brief";

/** What an end is counted as. */
export function endedAs(reason: GoneReason): "clean" | "replaced" | "brief" {
  return reason === "goodbye" || reason === "ignored" ? "clean" : reason;
}

/** It ended, and that is no alarm. */
export interface MemberGone extends OfEndedMember {
  readonly reason: GoneReason;
  /** The member that took its place; NaN = none. */
  readonly byPid: number;
  /** From its end to the first beat of the one that took its place; NaN = none did. */
  readonly gapNs: number;
}
