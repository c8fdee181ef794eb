// What became of a beat (docs/spec/21-clients.md section 2), as constants.
"use strict";

const dropped = (reason, text) =>
  Object.freeze({ kind: "dropped", reason, text: `Beat dropped: ${text}` });
const failed = (reason, text) =>
  Object.freeze({ kind: "failed", reason, text: `cannot send beat: ${text}` });

const SENT = Object.freeze({ kind: "sent", reason: "", text: "Beat sent" });
const QUEUE_FULL = dropped("queue_full", "the queue to the observer is full");
const NO_OBSERVER = dropped("no_observer", "no observer listens there");
const CONNECTING = dropped("connecting", "the connection to the observer is being made");
const CLOSED = dropped("closed", "the client was closed");
const BAD_STATUS = failed("bad_status", 'status must be "ok", "degraded" or "critical"');
const BAD_PAYLOAD = failed("bad_payload", "payload must be an integer in 0..4294967295");
const BAD_PATH = failed("bad_path", "the socket path must have 1..107 bytes and no NUL");
const BAD_ADDRESS = failed(
  "bad_address",
  'host must be an IP address such as "192.0.2.10", not a name, and port an integer in 1..65535',
);
const BAD_KEY = failed("bad_key", "a key must be 32 bytes or 64 hex digits");
const NO_CIPHER = failed("no_cipher", "this runtime has no chacha20-poly1305");
const NO_STREAM = failed(
  "no_stream",
  "Node has no Unix datagrams: set VARTA_STREAM to the socket of a unix-stream listener",
);
const RESERVED_PID = failed(
  "reserved_pid",
  "pid 1 is reserved over a network: start the program under an init (docker run --init)",
);

const GONE = new Set(["ECONNREFUSED", "ENOENT", "ENOTCONN", "ECONNRESET", "EPIPE"]);
const FULL = new Set(["EAGAIN", "ENOBUFS"]);

/** The outcome for an error of the runtime, whose code is a text such as "ENOENT". */
function outcomeOf(error) {
  const code = String(error.code ?? error.name);
  if (GONE.has(code)) return NO_OBSERVER;
  if (FULL.has(code)) return QUEUE_FULL;
  const hint = code === "EACCES" ? " (mode and group of the listener say who may beat)" : "";
  return failed(code, `${error.message}${hint}`);
}

module.exports = {
  ...{ SENT, QUEUE_FULL, NO_OBSERVER, CONNECTING, CLOSED, BAD_STATUS, BAD_PAYLOAD, BAD_PATH },
  ...{ BAD_ADDRESS, BAD_KEY, NO_CIPHER, NO_STREAM, RESERVED_PID, outcomeOf },
};
