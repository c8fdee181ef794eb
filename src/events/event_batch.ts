// One preallocated batch of event rows, columns as typed arrays (spec 04 section 2.1). The observer fills it while it
// pumps; sinks read it during their call and never keep it. Stalls are not in it: they wait in the stall queue.
import { IP_WORDS, ipText } from "../base/ip_text.ts";
import { BATCH_SIZE } from "../base/limits.ts";
import { columnSet, f64, i32, u8, u32 } from "../tables/columns.ts";

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

/** The columns of a row. A column that a kind does not use keeps what was there. */
const COLUMNS = {
  kind: u8(),
  /** Number of the listener, in configuration order. */
  listener: u8(),
  observerNs: f64(),
  /** Pid; the claimed pid for kinds 3 to 5. */
  pid: u32(),
  /** 1 = a beat by plain UDP: `source` says from where, and `key` is the tracker's key. */
  hasSource: u8(),
  key: u32(),
  source: u32(IP_WORDS),
  status: u8(),
  payload: u32(),
  nonceHi: u32(),
  nonceLo: u32(),
  /** Origin; the observed one for an origin conflict. */
  origin: u8(),
  /** Pid-namespace inode, NaN = unknown; the observed one for a namespace conflict. */
  namespaceInode: f64(),
  generation: f64(),
  /** Tracker slot at the time of the call, -1 if none. */
  slot: i32(),
  /** 1 for the beat that ends a stall: the agent was reported silent and is back. */
  resumed: u8(),
  /**
   * Decode error code, auth reason, slot origin, errno (0 = credentials missing), or for a
   * namespace conflict 1 if both inodes are known.
   */
  detail: u32(),
  /** Operands of a decode error, see DecodeError in wire/. */
  errHi: u32(),
  errLo: u32(),
  err2: u32(),
};

export class EventBatch extends columnSet(COLUMNS) {
  constructor() {
    super(BATCH_SIZE);
  }
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
