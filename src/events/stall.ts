// A stall as the sinks see it: an agent was silent for at least its threshold. Stalls are rare
// beside beats, so each is one object, made when it is taken from the queue. Unknown numbers are
// NaN.
import type { Origin } from "../base/origin.ts";
import type { StallVerdict } from "./stall_verdict.ts";

/** Refused beats of a stalled member, for one reason. */
export interface RefusalCount {
  /** As in `varta_datagrams_rejected_total{reason}`. */
  readonly reason: string;
  readonly count: number;
}

export interface Stall {
  readonly pid: number;
  /** The tracker's key: the pid, unless another source holds that. */
  readonly key: number;
  /** Number of its agent: never that of another one, also when this one is gone by now. */
  readonly agent: number;
  /** Index of the rule of its member, or RULE_NONE. */
  readonly rule: number;
  /** The address from which it beats by plain UDP; "" = kernel or key vouch for it. */
  readonly source: string;
  /** Last observed nonce of any kind. */
  readonly lastNonceHi: number;
  readonly lastNonceLo: number;
  /** Observer time of the last accepted beat. */
  readonly lastNs: number;
  /** Silence after which its member is stalled, as it was when the stall was judged. */
  readonly thresholdNs: number;
  /** Observer time at which the stall was judged. */
  readonly observerNs: number;
  readonly origin: Origin;
  readonly namespaceInode: number;
  readonly generation: number;
  /**
   * The number that it has in its container, by which it was let in; 0 = it is in none, or beats
   * with the number that the daemon knows.
   */
  readonly innerPid: number;
  /**
   * Uid that the kernel attested for the beat by which the process became known; NaN over a
   * network.
   */
  readonly uid: number;
  /**
   * The process of `generation` has sent a beat itself. Else the sender may have ended while its
   * beat waited, and this may be a stranger that took over its pid: nothing may be done to it.
   */
  readonly proven: boolean;
  /**
   * Status 0..2 and payload of the last accepted beat, and the number of the listener that took it.
   */
  readonly status: number;
  readonly payload: number;
  readonly listener: number;
  /**
   * Beats of its pid that were refused since the last accepted one, most first; empty if none was.
   */
  readonly refused: readonly RefusalCount[];
  /** Observer time of its goodbye, since which it has not ended; NaN = it said none. */
  readonly goodbyeNs?: number;
  /** It has asked for it, by WATCHDOG=trigger. */
  readonly isTriggered?: boolean;
  /** Its agent is muted: nobody is told, and nothing is done. */
  readonly isMuted?: boolean;
  /** What its process was doing; undefined = that was not looked at. */
  readonly verdict?: StallVerdict | undefined;
}
