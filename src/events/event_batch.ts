// One preallocated batch of event rows, columns as typed arrays (spec 04 section 2.1). The observer
// fills it while it pumps; sinks read it during their call and never keep it. Stalls are not in it:
// they wait in the stall queue.
import { IP_WORDS, ipText } from "../base/ip_text.ts";
import { BATCH_SIZE } from "../base/limits.ts";
import { columnSet } from "../tables/columns.ts";
import { EVENT_COLUMNS } from "./event_fields.ts";
import { EVENT_KINDS } from "./event_kinds.ts";

export const EVENT_BEAT = EVENT_KINDS.beat.number;
export const EVENT_DECODE = EVENT_KINDS.decode.number;
export const EVENT_AUTH_FAILURE = EVENT_KINDS["auth-failure"].number;
export const EVENT_ORIGIN_CONFLICT = EVENT_KINDS["origin-conflict"].number;
export const EVENT_NAMESPACE_CONFLICT = EVENT_KINDS["namespace-conflict"].number;
export const EVENT_IO = EVENT_KINDS.io.number;
export const EVENT_CTRL_TRUNCATED = EVENT_KINDS["ctrl-truncated"].number;

/** `detail` of an AuthFailure row. */
export const AUTH_REASON_PID = 0;
export const AUTH_REASON_UID = 1;

export class EventBatch extends columnSet(EVENT_COLUMNS) {
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

/** Whether one of the first `count` rows is a beat that ends a stall. */
export function hasReturn(batch: EventBatch, count: number): boolean {
  for (let i = 0; i < count; i++)
    if (batch.kind[i] === EVENT_BEAT && batch.resumed[i] === 1) return true;
  return false;
}

/** Receives rows 0..count-1 of `batch`; count >= 1. Must not keep the batch, throw or block. */
export type EventSink = (batch: EventBatch, count: number) => void;
