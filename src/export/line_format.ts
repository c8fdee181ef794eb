// What the two export formats share: the words of an event, and the interface behind which a line is written into a byte
// buffer (spec 09). Numbers and words are written without strings; only the rare error text is one.
import type { TextBuffer } from "../base/text_buffer.ts";
import {
  EVENT_AUTH_FAILURE,
  EVENT_CTRL_TRUNCATED,
  EVENT_DECODE,
  EVENT_NAMESPACE_CONFLICT,
  type EventBatch,
  EVENT_ORIGIN_CONFLICT,
} from "../events/event_batch.ts";
import type { Stall } from "../events/stall.ts";
import { decodeErrorExportText } from "../wire/decode_error.ts";

export interface LineFormat {
  beat(text: TextBuffer, batch: EventBatch, row: number): void;
  /** A row of any kind but a beat. */
  other(text: TextBuffer, batch: EventBatch, row: number): void;
  stall(text: TextBuffer, stall: Stall): void;
  /** `source` is "" unless another source has the pid. */
  eviction(text: TextBuffer, pid: number, observerNs: number, source: string): void;
}

/** Turns an errno into its text. */
export type ErrnoText = (errno: number) => string;

/** The `kind` column of a row that is not a beat. */
export function kindWord(kind: number): string {
  if (kind === EVENT_DECODE) return "decode";
  if (isMismatch(kind)) return "mismatch";
  return kind === EVENT_CTRL_TRUNCATED ? "ctrunc" : "io";
}

/** A spoofed pid or a conflict with what a slot is pinned to: rows with a claimed pid and no error text. */
export function isMismatch(kind: number): boolean {
  return (
    kind === EVENT_AUTH_FAILURE ||
    kind === EVENT_ORIGIN_CONFLICT ||
    kind === EVENT_NAMESPACE_CONFLICT
  );
}

/** What a mismatch is called. */
export function mismatchWord(kind: number): string {
  if (kind === EVENT_AUTH_FAILURE) return "auth_failure";
  return kind === EVENT_ORIGIN_CONFLICT ? "origin_conflict" : "namespace_conflict";
}

/** The sentence of a decode, io or truncation row. */
export function errorText(batch: EventBatch, row: number, errnoText: ErrnoText): string {
  const detail = batch.detail[row]!;
  const kind = batch.kind[row]!;
  if (kind === EVENT_DECODE) {
    return decodeErrorExportText(detail, batch.errHi[row]!, batch.errLo[row]!, batch.err2[row]!);
  }
  if (kind === EVENT_CTRL_TRUNCATED) return "ancillary data truncated";
  return detail === 0 ? "kernel did not attach peer credentials" : errnoText(detail);
}
