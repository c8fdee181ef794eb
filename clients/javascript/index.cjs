// Tells varta-watch that this process lives, from Node: over a unix-stream listener, or by (secure)
// UDP. It lives in other people's programs, so beat() never blocks, never throws, keeps no process
// alive and queues nothing (docs/spec/21-clients.md).
"use strict";
const { isMainThread } = require("node:worker_threads");
const net = require("node:net");
const { Client } = require("./client.cjs");
const { BAD_ADDRESS, BAD_KEY, BAD_PATH, NO_CIPHER, NO_STREAM } = require("./outcomes.cjs");
const { HAS_CIPHER, Session, keyBytes } = require("./sealing.cjs");
const { streamLine, udpLine } = require("./lines.cjs");

// On globalThis, so that two copies of this package share one numbering: the observer would refuse
// a second one of the same pid as out of order.
const CLIENTS = Symbol.for("varta-watch-client.1.clients");
globalThis[CLIENTS] ??= new Map();

const PATH_BYTES_MAX = 107;

/** The client of the unix-stream listener at `path`, else at VARTA_STREAM. */
function connect(path = process.env.VARTA_STREAM) {
  if (path === undefined || path === "") return clientOf("stream", undefined, NO_STREAM);
  const isPath =
    typeof path === "string" && !path.includes("\0") && Buffer.byteLength(path) <= PATH_BYTES_MAX;
  return clientOf(`stream ${path}`, streamLine(path), isPath ? undefined : BAD_PATH);
}

/** The client of a plain `udp` listener: any sender can forge such beats. */
function connectUdp({ host, port } = {}) {
  return udpClient(host, port, undefined, undefined);
}

/** The client of a `secure-udp` listener, with its shared `key` or its `masterKey`. */
function connectSecureUdp({ host, port, key, masterKey } = {}) {
  if (!HAS_CIPHER) return udpClient(host, port, undefined, NO_CIPHER);
  const isMaster = key === undefined;
  const bytes = keyBytes(isMaster ? masterKey : key);
  const isGood = bytes !== undefined && (isMaster || masterKey === undefined);
  if (!isGood) return udpClient(host, port, undefined, BAD_KEY);
  return udpClient(host, port, () => new Session(bytes, isMaster, process.pid), undefined);
}

function udpClient(host, port, makeSession, fault) {
  const isAddress =
    net.isIP(String(host)) !== 0 && Number.isInteger(port) && port >= 1 && port <= 65_535;
  const name = `udp ${host} ${port}`;
  const make = udpLine(host, port);
  return clientOf(name, make, fault ?? (isAddress ? undefined : BAD_ADDRESS), makeSession);
}

function clientOf(name, makeLine, fault, makeSession) {
  if (!isMainThread)
    throw new Error(
      "Cannot connect in a worker thread: a process has one numbering: beat in the main thread",
    );
  const known = globalThis[CLIENTS].get(name);
  if (known !== undefined && !known.isClosed && fault === undefined) return known;
  const numbering = known?.numbering ?? { nonce: 1n, timestamp: 0n };
  const client = new Client({ name, makeLine, fault, numbering, session: makeSession?.() });
  globalThis[CLIENTS].set(name, client);
  return client;
}

/** For unit tests: takes the calls of a client, and keeps the beats. */
class FakeClient {
  beats = [];
  crashes = [];
  counters = { sent: 0, dropped: 0, failed: 0, connects: 0 };
  isClosed = false;
  beat = (status = "ok", payload = 0) => {
    this.beats.push({ status, payload });
    return { kind: "sent", reason: "", text: "Beat sent" };
  };
  crashBeat(payload = 0) {
    this.crashes.push(payload);
    return { kind: "sent", reason: "", text: "Beat sent" };
  }
  every() {
    return { stop() {} };
  }
  wrap(work) {
    return work;
  }
  installCrashBeat() {}
  close() {
    this.isClosed = true;
  }
}

module.exports = { connect, connectUdp, connectSecureUdp, FakeClient };
