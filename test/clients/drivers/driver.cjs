// The JavaScript client behind the lines of test/clients/driver.ts: a command in, an answer out. Its
// argument is a directory with the package and with wire.cjs (built_package.ts).
"use strict";
const path = require("node:path");
const readline = require("node:readline");
const varta = require(path.join(process.argv[2], "node_modules/varta-watch-client"));
const wire = require(path.join(process.argv[2], "wire.cjs"));

const SLOW_MS = 5;
let client;
/** What the client to be opened says of itself. */
let called = {};

process.removeAllListeners("warning");

function told({ kind, reason }) {
  return `${kind} ${reason}`.trim();
}

// Each beat in a turn of its own: the runtime hands its frame over before the next one.
async function fill(more) {
  let [left, sent, slow, last] = [undefined, 0, 0, undefined];
  while (left === undefined || left > 0) {
    const beforeMs = performance.now();
    last = client.beat();
    const tookMs = performance.now() - beforeMs;
    if (last.kind === "sent") sent++;
    if (left !== undefined) {
      left--;
      if (tookMs > SLOW_MS) slow++;
    } else if (last.kind !== "sent") left = more;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return `${told(last)} ${sent} ${slow}`;
}

const COMMANDS = {
  unix: (path) => open(varta.connect(path, called)),
  "unix-stream": (path) => open(varta.connect(path, called)),
  default: () => open(varta.connect()),
  udp: (host, port) => open(varta.connectUdp({ host, port: Number(port), ...called })),
  key: (host, port, key) =>
    open(varta.connectSecureUdp({ host, port: Number(port), key, ...called })),
  master: (host, port, masterKey) =>
    open(varta.connectSecureUdp({ host, port: Number(port), masterKey, ...called })),
  beat: (status, payload) => told(client.beat(status, Number(payload))),
  crash: (payload) => told(client.crashBeat(Number(payload))),
  fill: (more) => fill(Number(more)),
  crc: wire.crc,
  encode: wire.encoded,
  hkdf: wire.hkdf,
  seal: wire.sealed,
  hello: wire.hello,
  bye: wire.bye,
  called: (name, intervalMs) => {
    called = { name, intervalMs: Number(intervalMs) };
    return "done";
  },
  exit: (code) => process.exit(Number(code)),
  die: () => {
    client.installCrashBeat();
    throw new Error("as the test asked for");
  },
  close,
  goodbye: close,
  // As "using" does it, which not every runtime reads.
  "fail-in-block": () => {
    try {
      throw new Error("as the test asked for");
    } catch {
      return "done";
    } finally {
      client[Symbol.dispose]();
    }
  },
};

function close() {
  client.close();
  return "done";
}

function open(made) {
  client = made;
  return "done";
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [verb, ...rest] = line.split(" ");
  const answer = COMMANDS[verb](...rest);
  if (typeof answer === "string") process.stdout.write(`${answer}\n`);
  else answer.then((text) => process.stdout.write(`${text}\n`));
});
