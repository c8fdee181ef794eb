// What became of a beat, as constants: the send path returns one of them and allocates nothing.
// Only the first failure with a given error number makes a new one.
import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINPROGRESS,
  ENOBUFS,
  ENOENT,
  ENOTCONN,
  EPIPE,
} from "../../ffi/constants.ts";
import { assert } from "../base/assert.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { systemErrorName, systemErrorText } from "../base/system_errors.ts";
import { BEATS_PER_SECOND_MAX } from "./rate_limit.ts";

export type BeatResult = Sent | Dropped | Failed;

/**
 * The kernel took the datagram (in Node and Deno the runtime did): it waits in the observer's
 * queue, or is on its way there by UDP. The observer itself never answers.
 */
export interface Sent {
  readonly kind: "sent";
  readonly reason: "";
  /** One sentence for a log, without a full stop. */
  readonly text: string;
}

/**
 * Not sent, for a reason that passes by itself; the next beat carries the same nonce. "queue_full":
 * the observer has not read its queue yet, or the network does not keep up. "no_observer": no
 * process listens there; by UDP a machine says so only about an earlier beat, and not every machine
 * does. "connecting": the runtime connects in its own time, and is at it. "rate": this process
 * beats more often than any observer wants to hear.
 */
export interface Dropped {
  readonly kind: "dropped";
  readonly reason: "queue_full" | "no_observer" | "connecting" | "rate" | "closed";
  readonly text: string;
}

/** Not sent, and not before something is changed; the next beat carries the same nonce. */
export interface Failed {
  readonly kind: "failed";
  /**
   * The C name of the system error, such as "EACCES", or what was wrong with the call:
   * "bad_status", "bad_payload", "bad_path", "bad_address", "bad_key", "no_stream" (a
   * runtime without Unix datagrams), "reserved_pid" (pid 1 of a container, over a network).
   */
  readonly reason: string;
  readonly text: string;
}

export const SENT: Sent = Object.freeze({ kind: "sent", reason: "", text: "Beat sent" });

const QUEUE_FULL = dropped("queue_full", "the queue to the observer is full");
export const NO_OBSERVER: Dropped = dropped("no_observer", "no observer listens there");
export const CONNECTING: Dropped = dropped(
  "connecting",
  "the connection to the observer is being made",
);
export const RATE: Dropped = dropped(
  "rate",
  `more than ${BEATS_PER_SECOND_MAX} in a second: beat about five times per threshold`,
);
export const CLOSED: Dropped = dropped("closed", "the client was closed");

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
/** Of no beat: they go on without it. */
export const BAD_GREETING =
  'Cannot say hello: name must have 1..40 letters, digits, "_", ".", "@", ":" or "-", and be neither digits alone nor "other", and intervalMs be an integer in 0..4294967295';
export const NO_STREAM = failed(
  "no_stream",
  "cannot send beat: this runtime has no Unix datagrams: set VARTA_STREAM to the path of a unix-stream listener",
);

const systemFailures = new Map<number, Failed>();

/** The result for a system call that failed with `errnoNumber` (positive). */
export function resultOfErrno(errnoNumber: number): BeatResult {
  assert(errnoNumber > 0, "an error number is positive");
  if (errnoNumber === EAGAIN || errnoNumber === ENOBUFS) return QUEUE_FULL;
  if (PEER_IS_GONE.has(errnoNumber)) return NO_OBSERVER;
  const known = systemFailures.get(errnoNumber);
  if (known !== undefined) return known;
  const text = `cannot send beat: ${systemErrorText(errnoNumber)}`;
  const made = failed(systemErrorName(errnoNumber), text);
  systemFailures.set(errnoNumber, made);
  return made;
}

/** For an error that nobody expected: it must not become one of the host. */
export function resultOfError(error: unknown): Failed {
  const name = error instanceof Error ? error.name : "error";
  return failed(name, `cannot send beat: ${String(error)}`);
}

/** What a line said: not now, and the line is good. */
export function isForLater(result: number): boolean {
  return result === -EAGAIN || result === -ENOBUFS || result === -EINPROGRESS;
}

const PEER_IS_GONE: ReadonlySet<number> = new Set([
  ECONNREFUSED,
  ENOENT,
  ENOTCONN,
  ECONNRESET,
  EPIPE,
]);

function dropped(reason: Dropped["reason"], text: string): Dropped {
  return Object.freeze({ kind: "dropped", reason, text: `Beat dropped: ${text}` });
}

function failed(reason: string, text: string): Failed {
  return Object.freeze({ kind: "failed", reason, text });
}
