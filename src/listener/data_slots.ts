// What a data slot of the receive arena of an unsealed listener holds (spec 05 section 3), and what
// the size of a datagram says of it.
import { FRAME_BYTES } from "../base/limits.ts";
import { REJECT_WRONG_SIZE } from "../base/reject_reason.ts";
import { CONTROL_BYTES } from "../wire/control_datagram.ts";
import { VERDICT_CONTROL, VERDICT_PASS } from "./received_batch.ts";

/** Distance of the slots: a frame never shares a line of the cache with another one. */
export const DATA_STRIDE_BYTES = 128;

/** One byte of slack makes an overlong datagram show as one. */
export function readBytesOf(takesControl: boolean): number {
  return (takesControl ? CONTROL_BYTES : FRAME_BYTES) + 1;
}

/** Of a datagram that nothing else is known of. */
export function verdictOfSize(sizeBytes: number, takesControl: boolean): number {
  if (sizeBytes === FRAME_BYTES) return VERDICT_PASS;
  return takesControl && sizeBytes === CONTROL_BYTES ? VERDICT_CONTROL : REJECT_WRONG_SIZE;
}
