// The JavaScript client behind the lines of test/clients/driver.ts: a command in, an answer out. Its
// argument is a directory with the package and with wire.cjs (built_package.ts).
"use strict";
const path = require("node:path");
const readline = require("node:readline");
const varta = require(path.join(process.argv[2], "node_modules/varta-watch-client"));
const wire = require(path.join(process.argv[2], "wire.cjs"));

const SLOW_MS = 5;
let client;

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
  unix: (path) => open(varta.connect(path)),
  "unix-stream": (path) => open(varta.connect(path)),
  default: () => open(varta.connect()),
  udp: (host, port) => open(varta.connectUdp({ host, port: Number(port) })),
  key: (host, port, key) => open(varta.connectSecureUdp({ host, port: Number(port), key })),
  master: (host, port, masterKey) =>
    open(varta.connectSecureUdp({ host, port: Number(port), masterKey })),
  beat: (status, payload) => told(client.beat(status, Number(payload))),
  crash: (payload) => told(client.crashBeat(Number(payload))),
  fill: (more) => fill(Number(more)),
  crc: wire.crc,
  encode: wire.encoded,
  hkdf: wire.hkdf,
  seal: wire.sealed,
  die: () => {
    client.installCrashBeat();
    throw new Error("as the test asked for");
  },
  close: () => {
    client.close();
    return "done";
  },
};

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
