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

/** TASK_COMM_LEN without its NUL. */
export const COMM_BYTES_MAX = 15;
/** Of what a rule can name; a longer one is left out. */
export const PROGRAM_PATH_CHARS_MAX = 1_024;

/** Whose threshold is wanted. */
export interface DoorsRequest {
  /** Of an agent, if a rule has that name. */
  readonly name: string | undefined;
  /** Of the program that the asker is about to become; undefined = it stays who it is. */
  readonly comm: string | undefined;
  readonly exe: string | undefined;
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
  doors(request: DoorsRequest, peer: PeerCredentials | undefined): DoorsAnswer | Refusal;
  /** Resolves when the beat was taken or refused, within a turn. */
  beat(
    request: BeatRequest,
    peer: PeerCredentials | undefined,
  ): Promise<BeatAnswer | Refusal> | Refusal;
  /** The same for a goodbye of `pid`. */
  bye(pid: number, peer: PeerCredentials | undefined): Promise<BeatAnswer | Refusal> | Refusal;
}
