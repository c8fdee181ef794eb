// What was refused of each listener and why, finer than the accounting table: a decode error counts
// under its own kind. An example of each is kept, so that the log can say whose datagram it was.
// Fixed memory; written on the hot path.
import { LISTENERS_MAX } from "../base/limits.ts";
import { REJECT_REASON_COUNT, REJECT_REASONS } from "../base/reject_reason.ts";
import { DECODE_ERROR_KINDS } from "../wire/decode_error.ts";
import type { Datagram } from "./datagram.ts";

/** A refusal is a reject reason, or, numbered after them, the kind of a decode error. */
export const REFUSALS = [...REJECT_REASONS, ...DECODE_ERROR_KINDS] as const;
export type Refusal = (typeof REFUSALS)[number];
export const REFUSAL_COUNT = REFUSALS.length;

/** The refusal of decode error `code`. */
export function decodeRefusal(code: number): number {
  return REJECT_REASON_COUNT + code - 1;
}

const PLACES = LISTENERS_MAX * REFUSAL_COUNT;

export class Refusals {
  /** All of them; it only grows. */
  total = 0;
  /** Indexed by listener number x REFUSAL_COUNT + refusal. */
  readonly counts = new Float64Array(PLACES);
  /**
   * Of the last one: the pid in the frame, and pid and uid of its sender by the kernel's word; 0 =
   * unknown.
   */
  readonly framePid = new Uint32Array(PLACES);
  readonly peerPid = new Uint32Array(PLACES);
  readonly peerUid = new Uint32Array(PLACES);
  /**
   * Of the last one: the namespace of the sender, the origin that its slot has, or the kind of a
   * hello or a bye; NaN = none.
   */
  readonly detail = new Float64Array(PLACES).fill(Number.NaN);

  note(datagram: Datagram, refusal: number, detail: number): void {
    const at = datagram.listenerNumber * REFUSAL_COUNT + refusal;
    this.total++;
    this.counts[at]!++;
    this.framePid[at] = datagram.pid;
    this.peerPid[at] = datagram.peerPid;
    this.peerUid[at] = datagram.peerUid;
    this.detail[at] = detail;
  }
}
