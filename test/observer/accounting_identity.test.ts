// The accounting identity with real sockets of every kind (spec 08 section 4, I5): whatever is
// sent, every datagram that a socket took is received or was dropped by the kernel, and every
// received one is accepted or rejected for one reason, to the last of them and after every step.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { AF_UNIX, EAGAIN, SOCK_DGRAM, SOCK_STREAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { close, connect, openSocket, send, sendTo, unixAddress } from "../../ffi/socket.ts";
import { GREETINGS } from "../../src/observer/greetings.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { referenceControlDatagram } from "../reference/control_datagram.ts";
import { FRAME_BYTES } from "../../src/base/limits.ts";
import { REJECT_REASON_COUNT, REJECT_REASONS } from "../../src/base/reject_reason.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { SECURE } from "../../src/listener/counters.ts";
import { SecureUdpListener } from "../../src/listener/secure_udp.ts";
import { CLOSE_REASONS } from "../../src/listener/stream_close.ts";
import { STREAM } from "../../src/listener/stream_counters.ts";
import { StreamPlaces } from "../../src/listener/stream_places.ts";
import { UdpListener } from "../../src/listener/udp.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { UnixStreamListener } from "../../src/listener/unix_stream.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { LibraryObserver } from "../../src/observer/library.ts";
import { NOTIFY } from "../../src/observer/notify_texts.ts";
import { decodeFrame } from "../../src/wire/decode.ts";
import {
  DECODE_BAD_CRC,
  DECODE_BAD_MAGIC,
  DECODE_BAD_VERSION,
} from "../../src/wire/decode_error.ts";
import { encode } from "../../src/wire/encode.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import { sealMaster, sealShared } from "../../src/wire/secure_frame.ts";
import { UdpPeer } from "../listener/udp_peer.ts";
import { atLength } from "../support/at_length.ts";
import { OWN_INODE, ScriptedProcesses } from "../support/scripted_processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { ScriptedClock } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(120, 300);
const OWN = process.pid;
const OWN_UID = process.geteuid!();
const NET = { address: "127.0.0.1", port: 0, acceptRecovery: false };
const KEYS = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
const MASTER = new Uint8Array(32).fill(9);
const FOREIGN_KEY = new Uint8Array(32).fill(77);
const PIDS_BESIDES = 6;
const LISTENERS = [0, 1, 2, 3, 4];
const STREAMS = 4;

/** One datagram, and where it is sent. */
interface Sent {
  readonly to: "unix" | "udp" | "secure" | "stream";
  /** 0 = the test process itself, which alone the kernel attests. */
  readonly pid: number;
  readonly nonce: number;
  readonly damage: "none" | "bit" | "short" | "long" | "empty";
  /**
   * For the secure listener: index of the shared key, 3 = the agent's own, 4 = none of its keys, 5
   * = not sealed.
   */
  readonly seal: number;
  readonly counter: number;
  /** What it says. */
  readonly says: "beat" | "hello" | "bye";
}

type Step =
  | {
      readonly kind: "send";
      readonly sent: readonly Sent[];
      /** What the notify listener gets beside them, by index. */
      readonly texts: readonly number[];
    }
  | { readonly kind: "pump"; readonly budget: number; readonly budgetNs: number }
  | { readonly kind: "poll" }
  | { readonly kind: "pass"; readonly ms: number };

interface Settings {
  readonly admission: { perPidRate: number; globalRate: number; globalBurst: number };
  readonly capacity: number;
  readonly senderStates: number;
  readonly allowed: boolean;
  readonly pidMax: number;
  readonly inode: number;
  /** Asked for; 1 makes the smallest buffer that the kernel has. */
  readonly rcvbufBytes: number;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  to: fc.constantFrom("unix", "udp", "secure", "stream"),
  pid: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    fc.integer({ min: 1, max: PIDS_BESIDES }),
  ),
  nonce: fc.integer({ min: 1, max: 60 }),
  damage: fc.oneof(
    { weight: 12, arbitrary: fc.constant("none" as const) },
    fc.constantFrom("bit" as const, "short" as const, "long" as const, "empty" as const),
  ),
  seal: fc.integer({ min: 0, max: 5 }),
  counter: fc.integer({ min: 0, max: 40 }),
  says: fc.constantFrom("beat", "beat", "beat", "hello", "bye"),
});

/** More beats of one process at once than it may send, all of them good. */
const burst: fc.Arbitrary<Sent[]> = fc.integer({ min: 1, max: 50 }).map((first) =>
  Array.from({ length: 10 }, (_, i) => ({
    to: "udp",
    pid: 1,
    nonce: first + i,
    damage: "none",
    seal: 5,
    counter: 0,
    says: "beat",
  })),
);

const TEXTS = [
  ...["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=trigger", "WATCHDOG=1\nMAINPID=77", "READY=1"],
  ...["STOPPING=1", "STATUS=x", "EXTEND_TIMEOUT_USEC=9000000", "WATCHDOG_USEC=1", "A\0B"],
  ...["", "x".repeat(5_000)],
];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      sent: fc.oneof(
        { weight: 5, arbitrary: fc.array(sent, { minLength: 1, maxLength: 40 }) },
        { weight: 1, arbitrary: burst },
      ),
      texts: fc.array(fc.nat(TEXTS.length - 1), { maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("pump" as const),
      budget: fc.constantFrom(1, 64, 4_096),
      budgetNs: fc.constantFrom(0, 5 * NS_PER_MS, Number.POSITIVE_INFINITY),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "poll" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: fc.constantFrom(1, 11, 101, 5_000),
    }),
  },
);

const settings: fc.Arbitrary<Settings> = fc.record({
  admission: fc.constantFrom(
    { perPidRate: 0, globalRate: 0, globalBurst: 0 },
    { perPidRate: 1, globalRate: 0, globalBurst: 0 },
    { perPidRate: 0, globalRate: 50, globalBurst: 20 },
  ),
  capacity: fc.constantFrom(2, 64),
  senderStates: fc.constantFrom(2, 64),
  allowed: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
  pidMax: fc.oneof({ weight: 4, arbitrary: fc.constant(2 ** 32 - 1) }, fc.constant(3)),
  inode: fc.oneof({ weight: 4, arbitrary: fc.constant(OWN_INODE) }, fc.constant(77)),
  rcvbufBytes: fc.constantFrom(0, 1),
});

/** Reasons for which something was rejected in any run. */
const seen = new Set<string>();
let kernelDrops = 0;

class Subject implements Disposable {
  readonly clock = new ScriptedClock();
  readonly unix: UnixListener;
  readonly udp: UdpListener;
  readonly secure: SecureUdpListener;
  readonly notify: UnixListener;
  readonly streams: UnixStreamListener;
  readonly observer: LibraryObserver;
  /** Datagrams that each socket took, or the kernel dropped for it. */
  readonly taken = [0, 0, 0, 0, 0];
  /** Decrypt trials that the datagrams so far call for, by their length alone (I14). */
  trials = 0;
  readonly #peers: { udp: UdpPeer; secure: UdpPeer };
  readonly #unixFd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
  readonly #drops = [0, 0, 0, 0, 0];
  /** What the kernel took of each connection of the one client, which connects again. */
  readonly #written: number[][] = [];
  #streamFd = -1;

  constructor(directory: TemporaryDirectory, given: Settings) {
    const { rcvbufBytes, senderStates } = given;
    this.unix = new UnixListener({
      name: "unix",
      path: directory.at("varta.sock"),
      mode: 0o600,
      gid: undefined,
      rcvbufBytes: 0,
      allowList: new AllowList([given.allowed ? OWN_UID : OWN_UID + 1], []),
      takesControl: true,
    });
    this.udp = new UdpListener({ ...NET, name: "udp", rcvbufBytes, takesControl: true });
    this.secure = new SecureUdpListener({
      ...NET,
      takesControl: true,
      name: "secure",
      rcvbufBytes,
      senderStates,
      keys: { shared: KEYS.map((key) => key.slice()), master: MASTER.slice() },
      restartGapNs: 100 * NS_PER_MS,
      monotonicNs: () => this.clock.ns,
    });
    this.notify = new UnixListener({
      ...{ name: "notify", path: directory.at("notify.sock"), mode: 0o600, gid: undefined },
      ...{ rcvbufBytes: 0, takesTexts: true, allowList: this.unix.allowList },
    });
    this.streams = new UnixStreamListener({
      ...{ name: "stream", path: directory.at("stream.sock"), mode: 0o600, gid: undefined },
      ...{ allowList: undefined, places: new StreamPlaces(), fdEnd: 65_536 },
    });
    const processes = new ScriptedProcesses();
    processes.set(OWN, 1_000, given.inode);
    this.observer = new LibraryObserver({
      thresholdNs: 100 * NS_PER_MS,
      clock: new ObserverClock(this.clock),
      processes,
      observerInode: OWN_INODE,
      admission: given.admission,
      trackerCapacity: given.capacity,
      readPidMax: () => given.pidMax,
    });
    for (const listener of [this.unix, this.udp, this.secure, this.notify, this.streams])
      this.observer.addListener(listener);
    this.clock.stepNs = 1_000;
    this.#peers = { udp: new UdpPeer(this.udp), secure: new UdpPeer(this.secure) };
  }

  run(one: Step): void {
    const { observer } = this;
    if (one.kind === "send") {
      for (const datagram of one.sent) this.#send(datagram);
      for (const index of one.texts) this.#sendUnix(3, this.notify.path, textBytes(TEXTS[index]!));
    } else if (one.kind === "pass") this.clock.ns += one.ms * NS_PER_MS;
    else if (one.kind === "pump") observer.pump(() => {}, one.budget, one.budgetNs);
    else observer.poll();
    this.expectConserved();
  }

  /** Empties the sockets; now every datagram has come to its end. */
  finish(): void {
    const { observer, taken } = this;
    while (observer.pump(() => {}, 4_096) > 0) this.expectConserved();
    taken[STREAMS] = this.#written.reduce((sum, bytes) => sum + framesOf(bytes), 0);
    for (const listenerNumber of LISTENERS)
      this.#drops[listenerNumber]! += observer.drainKernelDrops(listenerNumber);
    const { received } = observer.accounting;
    expect(
      LISTENERS.map((listenerNumber) => received[listenerNumber]! + this.#drops[listenerNumber]!),
    ).toEqual(taken);
    kernelDrops += this.#drops[1]! + this.#drops[2]!;
  }

  /** received = accepted + rejected, for every listener. */
  expectConserved(): void {
    const { accounting } = this.observer;
    for (let listenerNumber = 0; listenerNumber < LISTENERS.length; listenerNumber++)
      if (
        accounting.received[listenerNumber] !==
        accounting.accepted[listenerNumber]! + accounting.rejectedTotal(listenerNumber)
      )
        throw new Error(`listener ${listenerNumber} has lost or invented a datagram`);
  }

  rejected(listenerNumber: number, reason: string): number {
    const at = REJECT_REASONS.indexOf(reason as (typeof REJECT_REASONS)[number]);
    return this.observer.accounting.rejected[listenerNumber * REJECT_REASON_COUNT + at]!;
  }

  [Symbol.dispose](): void {
    this.observer.close();
    this.#peers.udp[Symbol.dispose]();
    this.#peers.secure[Symbol.dispose]();
    close(this.#unixFd);
    if (this.#streamFd >= 0) close(this.#streamFd);
  }

  /** Connections that were made, and what became of them. */
  get connections(): { made: number; open: number; closed: number } {
    const { streams } = this.streams;
    streams.refresh(0);
    const closed = CLOSE_REASONS.reduce((sum, one) => sum + streams.get(STREAM.closed[one]), 0);
    return { made: this.#written.length, open: streams.get(STREAM.connections), closed };
  }

  #sendByStream(bytes: Uint8Array): void {
    // One that the daemon has closed is found so, and the client connects again.
    if (this.#streamFd < 0 || send(this.#streamFd, bytes) < 0) {
      if (this.#streamFd >= 0) close(this.#streamFd);
      this.#streamFd = check(openSocket(AF_UNIX, SOCK_STREAM), "open");
      check(connect(this.#streamFd, unixAddress(this.streams.path)), "connect");
      this.#written.push([]);
      check(send(this.#streamFd, bytes), "send");
    }
    this.#written.at(-1)!.push(...bytes);
  }

  // A full queue is the sender's business: the daemon never had it.
  #sendUnix(listenerNumber: number, path: string, bytes: Uint8Array): void {
    const result = sendTo(this.#unixFd, bytes, unixAddress(path));
    if (result !== -EAGAIN) this.taken[listenerNumber]! += check(result, "send") >= 0 ? 1 : 0;
  }

  #send(datagram: Sent): void {
    const bytes = bytesOf(datagram);
    if (datagram.to === "stream") {
      if (bytes.length > 0) this.#sendByStream(bytes);
      return;
    }
    if (datagram.to === "unix") {
      this.#sendUnix(0, this.unix.path, bytes);
      return;
    }
    this.#peers[datagram.to].send(bytes);
    this.taken[datagram.to === "udp" ? 1 : 2]! += 1;
    if (datagram.to === "secure")
      this.trials += [60, 92].includes(bytes.length) ? 3 : [64, 96].includes(bytes.length) ? 4 : 0;
  }
}

function textBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(text.length));
  new TextEncoder().encodeInto(text, bytes);
  return bytes;
}

/** Whole frames up to the first that no frame can follow; the rest goes with its connection. */
function framesOf(bytes: readonly number[]): number {
  let frames = 0;
  for (let at = 0, size = FRAME_BYTES; at < bytes.length; at += size) {
    const isControl = bytes[at] === 0x56 && bytes[at + 1] === 0x43;
    size = isControl ? 64 : FRAME_BYTES;
    if (at + size > bytes.length) break;
    frames += 1;
    const frame = Uint8Array.from(bytes.slice(at, at + size));
    if (isControl) {
      if (["BadVersion", "BadCrc"].includes(referenceControlDatagram(frame).error ?? "")) break;
      continue;
    }
    const code = decodeFrame(new Uint32Array(frame.buffer), 0);
    if ([DECODE_BAD_MAGIC, DECODE_BAD_VERSION, DECODE_BAD_CRC].includes(code)) break;
  }
  return frames;
}

function bytesOf({ to, pid: number, nonce: count, says, ...how }: Sent): Uint8Array {
  const { damage, seal, counter } = how;
  const pid = number === 0 ? OWN : number + 1;
  const nonce = BigInt(count);
  const frame =
    says === "beat"
      ? encode({ status: "ok", payload: 0, timestamp: 5n, pid, nonce })
      : encodeControl({ kind: says, pid, nonce, intervalMs: 0, name: "web" });
  const whole = to === "secure" ? sealed(frame, pid, seal, counter) : frame;
  if (damage === "bit") whole[whole.length - 1]! ^= 1;
  if (damage === "short") return whole.slice(1);
  if (damage === "long") return Uint8Array.from([...whole, 0]);
  return damage === "empty" ? new Uint8Array(new ArrayBuffer(0)) : whole;
}

function sealed(frame: Uint8Array, pid: number, seal: number, ivCounter: number): Uint8Array {
  const iv = { ivRandom: new Uint8Array(8).fill(seal + 1), ivCounter, frame };
  if (seal === 5) return frame;
  if (seal === 4) return sealShared({ key: FOREIGN_KEY, ...iv });
  if (seal < 3) return sealShared({ key: KEYS[seal]!, ...iv });
  return sealMaster(pid, { key: deriveAgentKey(MASTER, pid), ...iv });
}

describe("received = accepted + rejected, with the kernel's drops all that was sent,", () => {
  let directory: TemporaryDirectory;
  beforeAll(() => {
    directory = new TemporaryDirectory();
  });
  afterAll(() => directory[Symbol.dispose]());

  test("over random datagrams by unix, udp, secure-udp, notify and streams at once", () => {
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 30, size: "max" }), (given, steps) => {
        using subject = new Subject(directory, given);
        const { observer, udp, secure } = subject;
        for (const one of steps) subject.run(one);
        subject.finish();
        // What the listeners count for themselves is the same.
        expect(udp.truncated).toBe(subject.rejected(1, "wrong_size"));
        expect(secure.counters.get(SECURE.truncated)).toBe(subject.rejected(2, "wrong_size"));
        expect(secure.counters.get(SECURE.decryptFailures)).toBe(subject.rejected(2, "decrypt"));
        expect(secure.counters.get(SECURE.replayRefused)).toBe(subject.rejected(2, "replay"));
        expect(secure.counters.get(SECURE.senderStateFull)).toBe(
          subject.rejected(2, "sender_table_full"),
        );
        if (subject.taken[2] === observer.accounting.received[2])
          expect(observer.drainAeadAttempts()).toBe(subject.trials);
        const { made, open, closed } = subject.connections;
        expect(open + closed).toBe(made);
        observer.tracker.checkInvariants();
        // Every other one that was accepted is a beat.
        const { taken } = NOTIFY;
        expect(
          observer.texts.counters.get(taken.beat) + observer.texts.counters.get(taken.words),
        ).toBe(observer.accounting.accepted[3]!);
        const greeted = observer.greetings.counters;
        for (const kind of ["hello", "bye"] as const)
          if (greeted.get(GREETINGS.taken[kind]) > 0) seen.add(kind);
        for (const reason of REJECT_REASONS)
          for (const listenerNumber of LISTENERS)
            if (subject.rejected(listenerNumber, reason) > 0) seen.add(reason);
      }),
      { numRuns: RUNS },
    );
    // Those that are missing take a descriptor, a sender without credentials, or two namespaces of
    // one process. A few runs need not come by all of the others.
    const unseen = REJECT_REASONS.filter((reason) => !seen.has(reason));
    expect(unseen).toContain("namespace_conflict");
    expect([seen.has("hello"), seen.has("bye")]).toEqual([true, true]);
    expect(unseen.length).toBeLessThanOrEqual(atLength(9, 3));
    if (atLength(0, 1) > 0) expect(kernelDrops).toBeGreaterThan(0);
  });
});
