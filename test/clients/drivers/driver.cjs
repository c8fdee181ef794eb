// The Node client behind the lines of test/clients/driver.ts: a command in, an answer out.
"use strict";
const readline = require("node:readline");
const varta = require("../../../clients/javascript/index.cjs");
const { crc32c, encodeFrame } = require("../../../clients/javascript/frame.cjs");
const { hkdf, seal } = require("../../../clients/javascript/sealing.cjs");

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

const hex = (text) => Buffer.from(text ?? "", "hex");

const COMMANDS = {
  "unix-stream": (path) => open(varta.connect(path)),
  default: () => open(varta.connect()),
  udp: (host, port) => open(varta.connectUdp({ host, port: Number(port) })),
  key: (host, port, key) => open(varta.connectSecureUdp({ host, port: Number(port), key })),
  master: (host, port, masterKey) =>
    open(varta.connectSecureUdp({ host, port: Number(port), masterKey })),
  beat: (status, payload) => told(client.beat(status, Number(payload))),
  crash: (payload) => told(client.crashBeat(Number(payload))),
  fill: (more) => fill(Number(more)),
  crc: (input) => crc32c(hex(input)).toString(16).padStart(8, "0"),
  encode: (status, pid, timestamp, nonce, payload) =>
    encodeFrame({
      status: Number(status),
      pid: Number(pid),
      timestamp: BigInt(timestamp),
      nonce: BigInt(nonce),
      payload: Number(payload),
    }).toString("hex"),
  hkdf: (key, info, size) => hkdf(hex(key), hex(info), Number(size)).toString("hex"),
  seal: (kind, key, pid, prefix, counter, frame) =>
    sealed({ kind, key, pid, prefix, counter, frame }),
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

function sealed({ kind, key, pid, prefix, counter, frame }) {
  const u32 = (value) => Buffer.from(Uint32Array.of(Number(value)).buffer);
  const nonce = Buffer.concat([hex(prefix), u32(counter)]);
  if (kind === "shared")
    return Buffer.concat([nonce, seal({ key: hex(key), nonce, frame: hex(frame) })]).toString(
      "hex",
    );
  const aad = u32(pid);
  const info = Buffer.concat([Buffer.from("varta-agent-v1\0", "latin1"), aad]);
  const body = seal({ key: hkdf(hex(key), info, 32), nonce, frame: hex(frame), aad });
  return Buffer.concat([aad, nonce, body]).toString("hex");
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [verb, ...rest] = line.split(" ");
  const answer = COMMANDS[verb](...rest);
  if (typeof answer === "string") process.stdout.write(`${answer}\n`);
  else answer.then((text) => process.stdout.write(`${text}\n`));
});
