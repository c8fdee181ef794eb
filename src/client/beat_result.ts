// What became of a beat, as constants: the send path returns one of them and allocates nothing.
// Only the first failure with a given error number makes a new one.
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { assert } from "../base/assert.ts";
import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  ENOBUFS,
  ENOENT,
  ENOTCONN,
} from "../../ffi/constants.ts";
import { errnoName, errnoText } from "../../ffi/errno.ts";

export type BeatResult = Sent | Dropped | Failed;

/**
 * The kernel took the datagram: it waits in the observer's queue, or is on its way there by UDP.
 * The observer itself never answers.
 */
export interface Sent {
  readonly kind: "sent";
  /** One sentence for a log, without a full stop. */
  readonly text: string;
}

/**
 * Not sent, for a reason that passes by itself; the next beat carries the same nonce. "queue_full":
 * the observer has not read its queue yet, or the network does not keep up. "no_observer": no
 * process listens there; by UDP a machine says so only about an earlier beat, and not every machine
 * does.
 */
export interface Dropped {
  readonly kind: "dropped";
  readonly reason: "queue_full" | "no_observer";
  readonly text: string;
}

/** Not sent, and not before something is changed; the next beat carries the same nonce. */
export interface Failed {
  readonly kind: "failed";
  /**
   * The C name of the system error, such as "EACCES", or what was wrong with the call:
   * "bad_status", "bad_payload", "bad_path", "bad_address", "bad_key", "reserved_pid" (pid 1 of a
   * container, over a network), "closed".
   */
  readonly code: string;
  readonly text: string;
}

export const SENT: Sent = Object.freeze({ kind: "sent", text: "Beat sent" });

const QUEUE_FULL: Dropped = Object.freeze({
  kind: "dropped",
  reason: "queue_full",
  text: "Beat dropped: the queue to the observer is full",
});

export const NO_OBSERVER: Dropped = Object.freeze({
  kind: "dropped",
  reason: "no_observer",
  text: "Beat dropped: no observer listens there",
});

export const BAD_STATUS = failed(
  "bad_status",
  'cannot send beat: status must be "ok", "degraded" or "critical"',
);
export const BAD_PAYLOAD = failed(
  "bad_payload",
  "cannot send beat: payload must be an integer in 0..4294967295",
);
export const BAD_PATH = failed(
  "bad_path",
  `cannot send beat: the socket path must be a string of 1..${SOCKET_PATH_BYTES_MAX} bytes without NUL`,
);
export const BAD_ADDRESS = failed(
  "bad_address",
  'cannot send beat: host must be an IP address such as "192.0.2.10", not a name, and port an integer in 1..65535',
);
export const BAD_KEY = failed(
  "bad_key",
  "cannot send beat: a key must be 32 bytes or 64 hex digits",
);
export const RESERVED_PID = failed(
  "reserved_pid",
  "cannot send beat: pid 1 is reserved over a network: start the program under an init (docker run --init), so that it gets another pid",
);
export const CLOSED = failed("closed", "cannot send beat: the client was closed");

const systemFailures = new Map<number, Failed>();

/** The result for a system call that failed with `errnoNumber` (positive). */
export function resultOfErrno(errnoNumber: number): BeatResult {
  assert(errnoNumber > 0, "an error number is positive");
  if (errnoNumber === EAGAIN || errnoNumber === ENOBUFS) return QUEUE_FULL;
  if (isPeerGone(errnoNumber)) return NO_OBSERVER;
  const known = systemFailures.get(errnoNumber);
  if (known !== undefined) return known;
  const text = `cannot send beat: ${errnoText(errnoNumber)}`;
  const made = failed(errnoName(errnoNumber), text);
  systemFailures.set(errnoNumber, made);
  return made;
}

function isPeerGone(errnoNumber: number): boolean {
  return (
    errnoNumber === ECONNREFUSED ||
    errnoNumber === ENOENT ||
    errnoNumber === ENOTCONN ||
    errnoNumber === ECONNRESET
  );
}

function failed(code: string, text: string): Failed {
  return Object.freeze({ kind: "failed", code, text });
}
