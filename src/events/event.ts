// Events as objects, with bigint and words: the library edge of the observer (spec 04 section 2). The daemon works on
// rows and never makes these.
import type { Origin } from "../base/origin.ts";
import { u64FromPair } from "../base/u64.ts";
import { type DecodeErrorName, decodeErrorName, decodeErrorText } from "../wire/decode_error.ts";
import { STATUS_TEXTS, type Status } from "../wire/frame.ts";
import {
  AUTH_REASON_PID,
  EVENT_AUTH_FAILURE,
  EVENT_BEAT,
  EVENT_CTRL_TRUNCATED,
  EVENT_DECODE,
  EVENT_IO,
  EVENT_NAMESPACE_CONFLICT,
  EVENT_ORIGIN_CONFLICT,
  type EventBatch,
  sourceOfRow,
} from "./event_batch.ts";
import type { Stall } from "./stall.ts";

export type Event =
  | BeatEvent
  | StallEvent
  | DecodeEvent
  | AuthFailureEvent
  | OriginConflictEvent
  | NamespaceConflictEvent
  | IoEvent
  | CtrlTruncatedEvent;

interface Observed {
  /** Nanoseconds since the observer's start. */
  readonly observerNs: number;
}

export interface BeatEvent extends Observed {
  readonly kind: "beat";
  readonly pid: number;
  /**
   * The address from which it came by plain UDP; undefined = kernel or key vouch for the sender.
   */
  readonly source: string | undefined;
  readonly status: Status;
  readonly payload: number;
  readonly nonce: bigint;
  readonly origin: Origin;
  /** Undefined = unknown; 0 = foreign, inode hidden. */
  readonly namespaceInode: number | undefined;
  /** Start time of the process in clock ticks; undefined = unknown. */
  readonly generation: number | undefined;
}

export interface StallEvent extends Observed {
  readonly kind: "stall";
  readonly pid: number;
  /** As in its beats. */
  readonly source: string | undefined;
  /** Last observed nonce of any kind. */
  readonly lastNonce: bigint;
  readonly lastNs: number;
  readonly origin: Origin;
  readonly namespaceInode: number | undefined;
  readonly generation: number | undefined;
  /** False: the process of `generation` may be another than the one that sent the beats. */
  readonly proven: boolean;
}

export interface DecodeEvent extends Observed {
  readonly kind: "decode";
  readonly error: DecodeErrorName;
  readonly message: string;
}

export interface AuthFailureEvent extends Observed {
  readonly kind: "auth-failure";
  readonly claimedPid: number;
  readonly reason: "pid" | "uid";
}

export interface OriginConflictEvent extends Observed {
  readonly kind: "origin-conflict";
  readonly claimedPid: number;
  readonly observedOrigin: Origin;
  readonly slotOrigin: Origin;
}

export interface NamespaceConflictEvent extends Observed {
  readonly kind: "namespace-conflict";
  readonly claimedPid: number;
  readonly observedInode: number | undefined;
  readonly observerInode: number | undefined;
}

export interface IoEvent extends Observed {
  readonly kind: "io";
  /** 0 = the kernel attached no credentials. */
  readonly errno: number;
}

export interface CtrlTruncatedEvent extends Observed {
  readonly kind: "ctrl-truncated";
}

/** The event of row `i`; `observerInode` is NaN if unknown. */
export function eventFromRow(batch: EventBatch, i: number, observerInode: number): Event {
  const observerNs = batch.observerNs[i]!;
  const pid = batch.pid[i]!;
  const detail = batch.detail[i]!;
  switch (batch.kind[i]) {
    case EVENT_BEAT:
      return {
        kind: "beat",
        observerNs,
        pid,
        source: sourceOfRow(batch, i) || undefined,
        status: STATUS_TEXTS[batch.status[i]! as 0 | 1 | 2],
        payload: batch.payload[i]!,
        nonce: u64FromPair(batch.nonceHi[i]!, batch.nonceLo[i]!),
        origin: batch.origin[i]! as Origin,
        namespaceInode: known(batch.namespaceInode[i]!),
        generation: known(batch.generation[i]!),
      };
    case EVENT_DECODE:
      return {
        kind: "decode",
        observerNs,
        error: decodeErrorName(detail),
        message: decodeErrorText(detail, batch.errHi[i]!, batch.errLo[i]!, batch.err2[i]!),
      };
    case EVENT_AUTH_FAILURE:
      return {
        kind: "auth-failure",
        observerNs,
        claimedPid: pid,
        reason: detail === AUTH_REASON_PID ? "pid" : "uid",
      };
    case EVENT_ORIGIN_CONFLICT:
      return {
        kind: "origin-conflict",
        observerNs,
        claimedPid: pid,
        observedOrigin: batch.origin[i]! as Origin,
        slotOrigin: detail as Origin,
      };
    case EVENT_NAMESPACE_CONFLICT:
      return {
        kind: "namespace-conflict",
        observerNs,
        claimedPid: pid,
        observedInode: known(batch.namespaceInode[i]!),
        observerInode: known(observerInode),
      };
    case EVENT_IO:
      return { kind: "io", observerNs, errno: detail };
    case EVENT_CTRL_TRUNCATED:
      return { kind: "ctrl-truncated", observerNs };
    default:
      throw new RangeError(`Cannot make an event: row ${i} has kind ${batch.kind[i]}`);
  }
}

export function eventFromStall(stall: Stall): StallEvent {
  return {
    kind: "stall",
    observerNs: stall.observerNs,
    pid: stall.pid,
    source: stall.source || undefined,
    lastNonce: u64FromPair(stall.lastNonceHi, stall.lastNonceLo),
    lastNs: stall.lastNs,
    origin: stall.origin,
    namespaceInode: known(stall.namespaceInode),
    generation: known(stall.generation),
    proven: stall.proven,
  };
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
