// One preallocated batch of event rows, columns as typed arrays (spec 04 section 2.1). The observer fills it while it
// pumps; sinks read it during their call and never keep it. Stalls are not in it: they wait in the stall queue.
import { IP_WORDS, ipText } from "../base/ip_text.ts";
import { BATCH_SIZE } from "../base/limits.ts";

export const EVENT_BEAT = 0;
export const EVENT_STALL = 1;
export const EVENT_DECODE = 2;
export const EVENT_AUTH_FAILURE = 3;
export const EVENT_ORIGIN_CONFLICT = 4;
export const EVENT_NAMESPACE_CONFLICT = 5;
export const EVENT_IO = 6;
export const EVENT_CTRL_TRUNCATED = 7;

/** `detail` of an AuthFailure row. */
export const AUTH_REASON_PID = 0;
export const AUTH_REASON_UID = 1;

export class EventBatch {
  readonly kind = new Uint8Array(BATCH_SIZE);
  /** Number of the listener, in configuration order. */
  readonly listener = new Uint8Array(BATCH_SIZE);
  readonly observerNs = new Float64Array(BATCH_SIZE);
  /** Pid; the claimed pid for kinds 3 to 5. */
  readonly pid = new Uint32Array(BATCH_SIZE);
  /**
   * 1 = a beat by plain UDP: `source` says from where, IP_WORDS for each row, and `key` is the
   * tracker's key.
   */
  readonly hasSource = new Uint8Array(BATCH_SIZE);
  readonly key = new Uint32Array(BATCH_SIZE);
  readonly source = new Uint32Array(BATCH_SIZE * IP_WORDS);
  readonly status = new Uint8Array(BATCH_SIZE);
  readonly payload = new Uint32Array(BATCH_SIZE);
  readonly nonceHi = new Uint32Array(BATCH_SIZE);
  readonly nonceLo = new Uint32Array(BATCH_SIZE);
  /** Origin; the observed one for an origin conflict. */
  readonly origin = new Uint8Array(BATCH_SIZE);
  /** Pid-namespace inode, NaN = unknown; the observed one for a namespace conflict. */
  readonly ns = new Float64Array(BATCH_SIZE);
  readonly generation = new Float64Array(BATCH_SIZE);
  /** Tracker slot at the time of the call, -1 if none. */
  readonly slot = new Int32Array(BATCH_SIZE);
  /** 1 for the beat that ends a stall: the agent was reported silent and is back. */
  readonly resumed = new Uint8Array(BATCH_SIZE);
  /**
   * Decode error code, auth reason, slot origin, errno (0 = credentials missing), or for a namespace conflict 1 if both
   * inodes are known.
   */
  readonly detail = new Uint32Array(BATCH_SIZE);
  /** Operands of a decode error, see DecodeError in wire/. */
  readonly errHi = new Uint32Array(BATCH_SIZE);
  readonly errLo = new Uint32Array(BATCH_SIZE);
  readonly err2 = new Uint32Array(BATCH_SIZE);
}

/** The key of the tracker for the beat in `row`: its pid, unless another source holds that. */
export function keyOfRow(batch: EventBatch, row: number): number {
  return batch.hasSource[row]! === 1 ? batch.key[row]! : batch.pid[row]!;
}

/** The source of the beat in `row`; "" = none. Cold side: it makes a string. */
export function sourceOfRow(batch: EventBatch, row: number): string {
  return batch.hasSource[row]! === 1 ? ipText(batch.source, row * IP_WORDS) : "";
}

/** Receives rows 0..count-1 of `batch`; count >= 1. Must not keep the batch, throw or block. */
export type EventSink = (batch: EventBatch, count: number) => void;
