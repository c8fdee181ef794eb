// The checks of a recovery decision that need no table (spec 10 section 3, checks 0 to 2). All of
// them deny by default: a value that is not known to be good is not good.
import {
  ORIGIN_KERNEL_ATTESTED,
  ORIGIN_OPERATOR_ATTESTED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../base/origin.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import {
  FRESH_AGENT_RESUMED,
  FRESH_BEATS_REFUSED,
  FRESH_PID_RECYCLED,
} from "../tracker/tracker.ts";

/**
 * Answers, at the moment of the decision, whether a stall is still true: a FRESH_* code of the
 * tracker.
 */
export type Freshness = (key: number, generation: number) => number;

export type StaleReason = "skipped_agent_resumed" | "skipped_pid_recycled" | "beats_refused";

/** Check 0: the reason to skip, undefined if nothing is known against the stall. */
export function stalenessReason(freshness: number): StaleReason | undefined {
  switch (freshness) {
    case FRESH_AGENT_RESUMED:
      return "skipped_agent_resumed";
    case FRESH_PID_RECYCLED:
      return "skipped_pid_recycled";
    case FRESH_BEATS_REFUSED:
      return "beats_refused";
    default:
      // A process that could never be looked up is not proven either.
      return undefined;
  }
}

/**
 * Checks 1 and 2: the reason to refuse, undefined if the sender may be recovered. NaN inodes are
 * unknown.
 */
export function distrustReason(
  stall: Stall,
  observerNamespaceInode: number,
  allowCrossNamespace: boolean,
): DecisionReason | undefined {
  switch (stall.origin) {
    case ORIGIN_KERNEL_ATTESTED:
      // Who was let in by the number that it has in its container is the process that the kernel
      // names, wherever it lives. An unknown inode equals nothing, not even another unknown one.
      if (
        allowCrossNamespace ||
        stall.innerPid !== 0 ||
        stall.namespaceInode === observerNamespaceInode
      )
        return isProven(stall) ? undefined : "unproven_sender";
      if (Number.isNaN(stall.namespaceInode) && !isProven(stall)) return "unproven_sender";
      return "cross_namespace_agent";
    case ORIGIN_OPERATOR_ATTESTED:
      return undefined;
    case ORIGIN_SOCKET_MODE_ONLY:
      return "socket_mode_only";
    default:
      return "unauthenticated_transport";
  }
}

/**
 * True if what speaks against a recovery is only that it is not known which process sent the beats.
 * If no process has the pid any more, then there is none that could be hurt instead, and what needs
 * no pid may be done.
 */
export function isUnidentified(stall: Stall, reason: DecisionReason): boolean {
  if (reason === "unproven_sender") return true;
  return reason === "cross_namespace_agent" && Number.isNaN(stall.namespaceInode);
}

/** Why nothing that needs the kernel's word is done for a process of which it has none. */
export function unattestedText({ pid, listener }: Stall, listenerNames: readonly string[]): string {
  const name = listenerNames[listener] ?? "";
  return `pid ${pid} is not attested by the kernel: it came by UDP (listener ${name})`;
}

function isProven({ proven, generation }: Stall): boolean {
  return proven && !Number.isNaN(generation);
}
