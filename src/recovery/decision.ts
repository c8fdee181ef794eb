// The checks of a recovery decision that need no table (spec 10 section 3, checks 0 to 2), and what "the same process"
// means for the two that do. All of them deny by default: a value that is not known to be good is not good.
import {
  ORIGIN_KERNEL_ATTESTED,
  ORIGIN_OPERATOR_ATTESTED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../base/origin.ts";
import type { Stall } from "../events/stall.ts";
import { FRESH_AGENT_RESUMED, FRESH_PID_RECYCLED, FRESH_WARRANTED } from "../tracker/tracker.ts";
import type { DecisionReason } from "./outcome.ts";

/** Answers, at the moment of the decision, whether a stall is still true: a FRESH_* code of the tracker. */
export type Freshness = (pid: number, generation: number) => number;

/** Check 0: the reason to skip, undefined if the stall is warranted. */
export function stalenessReason(freshness: number): DecisionReason | undefined {
  switch (freshness) {
    case FRESH_WARRANTED:
      return undefined;
    case FRESH_AGENT_RESUMED:
      return "skipped_agent_resumed";
    case FRESH_PID_RECYCLED:
      return "skipped_pid_recycled";
    default:
      return "skipped_stall_unverifiable";
  }
}

/** Checks 1 and 2: the reason to refuse, undefined if the sender may be recovered. NaN inodes are unknown. */
export function distrustReason(
  stall: Stall,
  observerNamespaceInode: number,
  allowCrossNamespace: boolean,
): DecisionReason | undefined {
  switch (stall.origin) {
    case ORIGIN_KERNEL_ATTESTED:
      // An unknown inode equals nothing, not even another unknown one.
      if (!allowCrossNamespace && stall.namespaceInode !== observerNamespaceInode)
        return "cross_namespace_agent";
      return stall.proven ? undefined : "unproven_sender";
    case ORIGIN_OPERATOR_ATTESTED:
      return undefined;
    case ORIGIN_SOCKET_MODE_ONLY:
      return "socket_mode_only";
    default:
      return "unauthenticated_transport";
  }
}

/** Whether two generations of one pid may be the same process: equal, or one of them unknown. */
export function sameLineage(generation: number, other: number): boolean {
  return generation === other || Number.isNaN(generation) || Number.isNaN(other);
}
