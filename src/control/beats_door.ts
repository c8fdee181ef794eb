// What requests of those who beat reach of the daemon (spec 16 sections 14 and 15): open to whom a
// Unix listener lets beat, and to no other.
import type { PeerCredentials } from "../../ffi/peer.ts";
import type { Refusal } from "./request.ts";

/** `null` = there is no such listener. */
export interface DoorsAnswer {
  readonly v: 1;
  readonly socket: string | null;
  readonly stream: string | null;
  readonly notify: string | null;
  /** The threshold that the asker has as a member, or has when it becomes one. */
  readonly threshold_ms: number;
}

export interface BeatAnswer {
  readonly v: 1;
  readonly pid: number;
  readonly accepted: true;
}

export const BEAT_STATUSES = ["ok", "degraded", "critical"] as const;

export interface BeatRequest {
  readonly pid: number;
  readonly status: (typeof BEAT_STATUSES)[number];
}

export interface BeatsDoor {
  /** `name`: of an agent whose threshold is wanted; undefined = that of the asker. */
  doors(name: string | undefined, peer: PeerCredentials | undefined): DoorsAnswer | Refusal;
  /** Resolves when the beat was taken or refused, within a turn. */
  beat(
    request: BeatRequest,
    peer: PeerCredentials | undefined,
  ): Promise<BeatAnswer | Refusal> | Refusal;
  /** The same for a goodbye of `pid`. */
  bye(pid: number, peer: PeerCredentials | undefined): Promise<BeatAnswer | Refusal> | Refusal;
}
