// How long the control socket waits for a client (spec 16 section 5).
import { STREAM_QUIET_NS_MAX, STREAM_UNREAD_NS_MAX } from "../base/limits.ts";
import type { Pieces } from "../base/pieces.ts";
import { NS_PER_S } from "../base/time.ts";

/** For a whole line from its first byte, for the first request, for a byte of an answer. */
export const PATIENCE_NS = 5 * NS_PER_S;

interface Answering {
  readonly answer: Pieces | undefined;
}

/** Until the next byte of its answer is taken. */
export function patienceNs({ answer }: Answering): number {
  return answer?.keepAlive === undefined ? PATIENCE_NS : STREAM_UNREAD_NS_MAX;
}

/** For so long nothing is sent while its answer has no piece. */
export function quietNs({ answer }: Answering): number {
  return answer?.keepAlive === undefined ? Number.POSITIVE_INFINITY : STREAM_QUIET_NS_MAX;
}
