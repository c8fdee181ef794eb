// What a sealed frame costs (spec 02): one trial alone, the whole secure listener on the loopback,
// and what its work and its garbage do to the delay of a beat on a Unix socket beside it. Median
// and best of several runs: bun bench/secure.ts
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { AF_INET, AF_UNIX, SOCK_DGRAM } from "../ffi/constants.ts";
import { check } from "../ffi/errno.ts";
import { close, inetAddress, openSocket, sendTo, unixAddress } from "../ffi/socket.ts";
import { EVENT_BEAT, type EventBatch } from "../src/events/event_batch.ts";
import { SecureUdpListener } from "../src/listener/secure_udp.ts";
import { UnixListener } from "../src/listener/unix.ts";
import { ObserverClock } from "../src/observer/clock.ts";
import { Observer } from "../src/observer/observer.ts";
import { encode } from "../src/wire/encode.ts";
import { deriveAgentKey } from "../src/wire/key_derivation.ts";
import { FrameOpener, sealMaster, sealShared } from "../src/wire/secure_frame.ts";

const RUNS = 9;
const WARM_UP_ROUNDS = 2;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const GOOD_KEY = new Uint8Array(32).fill(1);
const MASTER_KEY = new Uint8Array(32).fill(9);
const AGENTS = 500;
/** Frames of one filling of the socket buffer. */
const BURST = 1_000;
const BURSTS = 5;

if (import.meta.main) {
  trials();
  throughput();
  beatDelay();
}

/** One trial of one key: the opener, and the library's own AEAD for comparison. */
function trials(): void {
  const good = sealedFrame(2, 0);
  const forged = good.slice();
  forged[59]! ^= 1;
  const [goodWords, forgedWords] = [wordsOf(good), wordsOf(forged)];
  const opener = new FrameOpener();
  const count = 20_000;
  const repeated = (call: () => unknown) => () => {
    const start = Bun.nanoseconds();
    for (let i = 0; i < count; i++) call();
    return (Bun.nanoseconds() - start) / count;
  };
  compare("ns", [
    ["one trial, good frame", repeated(() => opener.tryShared(GOOD_KEY, goodWords, 0))],
    ["one trial, forged frame", repeated(() => opener.tryShared(GOOD_KEY, forgedWords, 0))],
    ["library AEAD, good frame", repeated(() => openByAead(good))],
    ["library AEAD, forged frame", repeated(() => openByAead(forged))],
  ]);
}

function openByAead(sealed: Uint8Array): boolean {
  try {
    chacha20poly1305(GOOD_KEY, sealed.subarray(0, 12)).decrypt(sealed.subarray(12));
    return true;
  } catch {
    return false;
  }
}

type Measurement = readonly [name: string, run: () => number];

/**
 * Runs all measurements in turn, so that a disturbance hits them alike; the best run is the least
 * disturbed one.
 */
function compare(unit: "ns" | "frames/s", measurements: readonly Measurement[]): void {
  const results = measurements.map((): number[] => []);
  for (let round = -WARM_UP_ROUNDS; round < RUNS; round++)
    for (const [at, [, run]] of measurements.entries()) {
      const value = run();
      if (round >= 0) results[at]!.push(value);
    }
  for (const [at, [name]] of measurements.entries()) {
    const sorted = results[at]!.toSorted((a, b) => a - b);
    const middle = sorted[sorted.length >>> 1]!;
    const best = unit === "ns" ? sorted[0]! : sorted.at(-1)!;
    const text = [middle, best].map((value) => Math.round(value).toLocaleString("en"));
    console.log(`${name.padEnd(60)} ${text.join(" median, ")} best ${unit}`);
  }
}

/** Frames per second through receive(), without what sending them costs. */
function throughput(): void {
  const otherKeys = Array.from({ length: 7 }, (_, i) => new Uint8Array(32).fill(100 + i));
  const one = [GOOD_KEY];
  const last = [...otherKeys, GOOD_KEY];
  const shared = (at: number) => sealedFrame(2 + (at % AGENTS), Math.floor(at / AGENTS));
  const agents = Array.from({ length: AGENTS }, (_, i) => deriveAgentKey(MASTER_KEY, 2 + i));
  const byMaster = (at: number) => {
    const pid = 2 + (at % AGENTS);
    const options = sealOptions(pid, Math.floor(at / AGENTS));
    return sealMaster(pid, { ...options, key: agents[at % AGENTS]! });
  };
  const unknownAgent = (at: number) => {
    const bytes = byMaster(at);
    new DataView(bytes.buffer).setUint32(0, 1_000_000 + at, true);
    return bytes;
  };
  compare("frames/s", [
    ["listener, 1 key, good", framesPerSecond(one, undefined, shared)],
    ["listener, 1 key, forged", framesPerSecond(one, undefined, withBadTag(shared))],
    ["listener, 8 keys, good", framesPerSecond(last, undefined, shared)],
    ["listener, 8 keys, forged", framesPerSecond(last, undefined, withBadTag(shared))],
    ["listener, master key, good", framesPerSecond([], MASTER_KEY, byMaster)],
    [
      "listener, master key, forged, known pids",
      framesPerSecond([], MASTER_KEY, withBadTag(byMaster)),
    ],
    ["listener, master key, forged, a new pid each", framesPerSecond([], MASTER_KEY, unknownAgent)],
  ]);
}

function withBadTag(frameAt: (at: number) => Uint8Array): (at: number) => Uint8Array {
  return (at) => {
    const bytes = frameAt(at);
    bytes[bytes.length - 1]! ^= 1;
    return bytes;
  };
}

function framesPerSecond(
  shared: readonly Uint8Array[],
  master: Uint8Array | undefined,
  frameAt: (at: number) => Uint8Array,
): () => number {
  const listener = openSecure(shared, master);
  const fd = check(openSocket(AF_INET, SOCK_DGRAM), "open");
  const to = inetAddress(LOOPBACK, listener.port);
  let at = 0;
  return () => {
    let spentNs = 0;
    let received = 0;
    for (let burst = 0; burst < BURSTS; burst++) {
      for (let i = 0; i < BURST; i++) check(sendTo(fd, frameAt(at++), to), "send");
      const start = Bun.nanoseconds();
      for (let count = 1; count > 0; received += count) count = listener.receive(start);
      spentNs += Bun.nanoseconds() - start;
    }
    if (received !== BURSTS * BURST) throw new Error(`only ${received} frames arrived`);
    return (received / spentNs) * 1e9;
  };
}

/**
 * From the sending of a Unix beat until its row reaches the sink, with a burst of sealed frames
 * queued before it.
 */
function beatDelay(): void {
  for (const queued of [0, 1, 64, 512]) {
    const { p50, p99, p999, worst } = delays(queued);
    const text = [p50, p99, p999, worst].map((ns) => (ns / 1e3).toFixed(0)).join(" / ");
    console.log(
      `${`unix beat, ${queued} sealed frames before it, p50/p99/p99.9/max`.padEnd(60)} ${text} us`,
    );
  }
}

function delays(queued: number) {
  const directory = mkdtempSync(join(tmpdir(), "varta-bench-"));
  const path = join(directory, "varta.sock");
  const observer = new Observer({
    thresholdNs: 3600e9,
    clock: new ObserverClock({ readNs: () => Bun.nanoseconds() }),
    processes: {
      startTime: () => 1,
      hasEnded: () => false,
      realUid: () => 1000,
      innermostPid: () => Number.NaN,
      namespaceInode: () => 1,
    },
    observerInode: 1,
    trackerCapacity: 4_096,
  });
  const unix = { name: "unix", path, mode: 0o600, gid: undefined, rcvbufBytes: 0 };
  observer.addListener(new UnixListener({ ...unix, allowList: undefined, nowGeneration: () => 2 }));
  const secure = openSecure([GOOD_KEY], undefined);
  observer.addListener(secure);
  const [local, net] = [openSocket(AF_UNIX, SOCK_DGRAM), openSocket(AF_INET, SOCK_DGRAM)];
  const [toUnix, toSecure] = [unixAddress(path), inetAddress(LOOPBACK, secure.port)];
  const delaysNs: number[] = [];
  let sentNs = 0;
  const sink = (rows: EventBatch, count: number) => {
    for (let i = 0; i < count; i++)
      if (rows.kind[i] === EVENT_BEAT && rows.pid[i] === process.pid)
        delaysNs.push(Bun.nanoseconds() - sentNs);
  };
  let at = 0;
  for (let round = 1; round <= 4_000; round++) {
    for (let i = 0; i < queued; i++, at++)
      check(sendTo(net, sealedFrame(2 + (at % AGENTS), Math.floor(at / AGENTS)), toSecure), "send");
    const beat = { status: "ok", pid: process.pid, timestamp: 1n, payload: 0 } as const;
    const bytes = encode({ ...beat, nonce: BigInt(round) });
    sentNs = Bun.nanoseconds();
    check(sendTo(local, bytes, toUnix), "send");
    observer.pump(sink, 4_096);
  }
  observer.close();
  close(local);
  close(net);
  rmSync(directory, { recursive: true });
  const sorted = delaysNs.slice(500).toSorted((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.floor((sorted.length - 1) * q)]!;
  return { p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999), worst: quantile(1) };
}

function openSecure(shared: readonly Uint8Array[], master: Uint8Array | undefined) {
  return new SecureUdpListener({
    name: "secure",
    address: "127.0.0.1",
    port: 0,
    rcvbufBytes: 4_194_304,
    acceptRecovery: false,
    keys: { shared: shared.map((key) => key.slice()), master: master?.slice() },
    restartGapNs: 5e9,
    monotonicNs: Bun.nanoseconds,
  });
}

function sealedFrame(pid: number, ivCounter: number): Uint8Array {
  return sealShared(sealOptions(pid, ivCounter));
}

function sealOptions(pid: number, ivCounter: number) {
  const nonce = BigInt(ivCounter) + 1n;
  const frame = encode({ status: "ok", pid, timestamp: nonce, nonce, payload: 0 });
  return { key: GOOD_KEY, ivRandom: new Uint8Array(8).fill(7), ivCounter, frame };
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}
