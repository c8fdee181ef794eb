// The secure UDP listener on real sockets: every step of its algorithm, its counters, and its place
// under an observer.
import { describe, expect, test } from "bun:test";
import { IS_LINUX } from "../../ffi/constants.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { IP_WORDS, ipText } from "../../src/base/ip_text.ts";
import {
  ORIGIN_KEY_ATTESTED,
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_OPERATOR_ATTESTED,
} from "../../src/base/origin.ts";
import {
  REJECT_DECRYPT,
  REJECT_REPLAY,
  REJECT_SENDER_TABLE_FULL,
  REJECT_WRONG_SIZE,
} from "../../src/base/reject_reason.ts";
import { SECURE } from "../../src/listener/counters.ts";
import type { SecureKeys } from "../../src/listener/key_ring.ts";
import { VERDICT_CONTROL, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { SecureUdpListener, type SecureUdpListenerOptions } from "../../src/listener/secure_udp.ts";
import { UdpSocketError } from "../../src/listener/udp_socket.ts";
import { encode } from "../../src/wire/encode.ts";
import { NONCE_TERMINAL } from "../../src/wire/frame.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import { sealMaster, sealShared } from "../../src/wire/secure_frame.ts";
import { counted, since } from "../support/since.ts";
import { receiveRows, UdpPeer, waitForDatagram } from "./udp_peer.ts";

const GAP = 5e9;
const TTL = 600e9;
const IV_A = new Uint8Array(8).fill(0xa1);
const IV_B = new Uint8Array(8).fill(0xb2);

function key(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

/** A listener on the loopback with a clock of its own, and a sender to it. */
class Net implements Disposable {
  readonly listener: SecureUdpListener;
  readonly peer: UdpPeer;
  instantNs = 0;

  constructor(keys: SecureKeys, options: Partial<SecureUdpListenerOptions> = {}) {
    this.listener = new SecureUdpListener({
      name: "secure",
      address: "127.0.0.1",
      port: 0,
      rcvbufBytes: 0,
      acceptRecovery: false,
      restartGapNs: GAP,
      monotonicNs: () => this.instantNs,
      keys,
      ...options,
    });
    this.peer = new UdpPeer(this.listener);
  }

  /** Sends datagrams and gives the verdict on each. */
  verdicts(nowNs: number, ...datagrams: readonly Uint8Array[]): number[] {
    this.peer.send(...datagrams);
    return receiveRows(this.listener, datagrams.length, nowNs).map(({ verdict }) => verdict);
  }

  [Symbol.dispose](): void {
    this.peer[Symbol.dispose]();
    this.listener.close();
  }
}

function frame(pid: number, nonce: bigint | number, timestamp = 1n): Uint8Array {
  const status = nonce === NONCE_TERMINAL ? "critical" : "ok";
  return encode({ status, pid, timestamp, nonce: BigInt(nonce), payload: 0 });
}

/** Sealed with the shared key of fill `fill`; the nonce of the frame is 1 + its counter. */
function shared(fill: number, pid: number, ivCounter: number, ivRandom = IV_A): Uint8Array {
  return sealShared({ key: key(fill), ivRandom, ivCounter, frame: frame(pid, ivCounter + 1) });
}

function byMaster(fill: number, pid: number, ivCounter: number): Uint8Array {
  const agentKey = deriveAgentKey(key(fill), pid);
  const sealed = { key: agentKey, ivRandom: IV_A, ivCounter, frame: frame(pid, ivCounter + 1) };
  return sealMaster(pid, sealed);
}

describe("a hello or a bye", () => {
  const KEYS = { shared: [key(1)], master: key(9) };
  const takesControl = true;

  function bye(pid: number): Uint8Array {
    return encodeControl({ kind: "bye", pid, nonce: 9n });
  }

  function sealedBye(pid: number, ivCounter: number, ivRandom = IV_A): Uint8Array {
    return sealShared({ key: key(1), ivRandom, ivCounter, frame: bye(pid) });
  }

  test("is opened under both kinds of key, where hellos are taken", () => {
    using net = new Net(KEYS, { takesControl });
    const own = { key: deriveAgentKey(key(9), 3), ivRandom: IV_A, ivCounter: 0, frame: bye(3) };
    const datagrams = [sealedBye(2, 0), sealMaster(3, own)];
    expect(datagrams.map(({ length }) => length)).toEqual([92, 96]);
    net.peer.send(...datagrams);
    const rows = receiveRows(net.listener, 2);
    expect(rows.map(({ verdict }) => verdict)).toEqual([VERDICT_CONTROL, VERDICT_CONTROL]);
    const { batch } = net.listener;
    const at = batch.frameWord[1]! * 4;
    expect(batch.bytes.subarray(at, at + 64)).toEqual(bye(3));
    expect(ipText(batch.addresses!, IP_WORDS)).toBe("127.0.0.1");
    using plain = new Net({ shared: [key(1)], master: key(9) });
    expect(plain.verdicts(0, ...datagrams)).toEqual([REJECT_WRONG_SIZE, REJECT_WRONG_SIZE]);
  });

  test("is let through once, by the counter of a session that is known", () => {
    using net = new Net({ shared: [key(1)], master: undefined }, { takesControl });
    const first = sealedBye(2, 1);
    expect(net.verdicts(0, shared(1, 2, 0), first, first)).toEqual([
      VERDICT_PASS,
      VERDICT_CONTROL,
      REJECT_REPLAY,
    ]);
    // It begins no session: it has no clock to show that it is not an old one.
    const other = new Uint8Array(8).fill(0x77);
    expect(net.verdicts(GAP * 10, sealedBye(2, 5, other))).toEqual([REJECT_REPLAY]);
    expect(net.verdicts(GAP * 10, shared(1, 2, 2), sealedBye(2, 3))).toEqual([
      VERDICT_PASS,
      VERDICT_CONTROL,
    ]);
  });

  test("of a sender that is not known begins its state, and says nothing of its nonces", () => {
    using net = new Net({ shared: [key(1)], master: undefined }, { takesControl });
    const hello = { kind: "hello", pid: 2, nonce: 900n, intervalMs: 0, name: "far" } as const;
    const sealed = { key: key(1), ivRandom: IV_A, ivCounter: 0, frame: encodeControl(hello) };
    const other = new Uint8Array(8).fill(0x77);
    expect(net.verdicts(0, sealShared(sealed), shared(1, 2, 0, other))).toEqual([
      VERDICT_CONTROL,
      VERDICT_PASS,
    ]);
  });

  test("that is broken inside is the observer's to refuse, and leaves no trace", () => {
    using net = new Net({ shared: [key(1)], master: undefined }, { takesControl });
    const broken = bye(2);
    broken[60]! ^= 1;
    const sealed = { key: key(1), ivRandom: IV_A, ivCounter: 7, frame: broken };
    expect(net.verdicts(0, sealShared(sealed), sealedBye(2, 0))).toEqual([
      VERDICT_CONTROL,
      VERDICT_CONTROL,
    ]);
  });
});

describe("opening", () => {
  for (const address of ["127.0.0.1", "::1"])
    test(`puts the plaintext where the batch points, with no peer (${address})`, () => {
      using net = new Net({ shared: [key(1)], master: key(9) }, { address });
      net.peer.send(shared(1, 2, 0), byMaster(9, 3, 0));
      const row = { verdict: VERDICT_PASS, origin: ORIGIN_KEY_ATTESTED, peerPid: 0 };
      expect(receiveRows(net.listener, 2)).toEqual([
        { ...row, frame: frame(2, 1).toHex() },
        { ...row, frame: frame(3, 1).toHex() },
      ]);
      const { addresses } = net.listener.batch;
      expect([0, IP_WORDS].map((at) => ipText(addresses!, at))).toEqual([address, address]);
    });

  test("calls them what it is told to, as a daemon that has the options alone", () => {
    const keyOrigin = ORIGIN_NETWORK_UNVERIFIED;
    using net = new Net({ shared: [key(1)], master: undefined }, { keyOrigin });
    net.peer.send(shared(1, 2, 0));
    expect(receiveRows(net.listener, 1)[0]!.origin).toBe(ORIGIN_NETWORK_UNVERIFIED);
  });

  test("marks beats as the operator's risk only if the operator took it", () => {
    using net = new Net({ shared: [key(1)], master: undefined }, { acceptRecovery: true });
    net.peer.send(shared(1, 2, 0));
    expect(receiveRows(net.listener, 1)[0]!.origin).toBe(ORIGIN_OPERATOR_ATTESTED);
  });

  test("refuses every size but 60 and 64 without trying a key", () => {
    using net = new Net({ shared: [key(1)], master: key(9) });
    const good = shared(1, 2, 0);
    const sizes = [0, 32, 59, 61, 63, 65, 66, 128, 9_000];
    const wrong = sizes.map((size) => {
      const bytes = new Uint8Array(size);
      bytes.set(good.subarray(0, size));
      return bytes;
    });
    const verdicts = net.verdicts(0, ...wrong);
    expect(verdicts).toEqual(sizes.map(() => REJECT_WRONG_SIZE));
    expect(counted(net.listener.counters, SECURE.truncated)).toBe(sizes.length);
    expect(counted(net.listener.counters, SECURE.aeadAttempts)).toBe(0);
    expect(net.verdicts(0, good)).toEqual([VERDICT_PASS]);
  });

  test("refuses what no key opens, and leaves nothing where the plaintext would be", () => {
    using net = new Net({ shared: [key(1)], master: key(9) });
    net.peer.send(shared(1, 2, 0), shared(1, 3, 0));
    receiveRows(net.listener, 2);
    const forged = shared(1, 2, 1);
    forged[59]! ^= 1;
    net.peer.send(forged, byMaster(8, 3, 0));
    for (const row of receiveRows(net.listener, 2))
      expect(row).toMatchObject({ verdict: REJECT_DECRYPT, frame: "00".repeat(32) });
    expect(counted(net.listener.counters, SECURE.decryptFailures)).toBe(2);
    expect(net.listener.senderCount).toBe(2);
  });

  test("refuses an agent that seals another's pid with its own key, whatever pid it writes in front", () => {
    using net = new Net({ shared: [], master: key(9) });
    const own = deriveAgentKey(key(9), 3);
    const stolen = { key: own, ivRandom: IV_A, ivCounter: 0, frame: frame(2, 1) };
    const renamed = sealMaster(3, stolen);
    renamed.set([2, 0, 0, 0]);
    expect(net.verdicts(0, sealMaster(3, stolen), renamed)).toEqual([
      REJECT_DECRYPT,
      REJECT_DECRYPT,
    ]);
    expect(net.listener.senderCount).toBe(0);
  });

  test("never tries the master key on 60 bytes, nor its derived keys", () => {
    using net = new Net({ shared: [], master: key(9) });
    const derived = deriveAgentKey(key(9), 2);
    const bare = sealShared({ key: derived, ivRandom: IV_A, ivCounter: 0, frame: frame(2, 1) });
    expect(net.verdicts(0, bare, shared(9, 2, 0))).toEqual([REJECT_DECRYPT, REJECT_DECRYPT]);
    expect(counted(net.listener.counters, SECURE.aeadAttempts)).toBe(0);
  });

  test("ignores the pid in front of 64 bytes that a shared key opens: the pid inside counts", () => {
    using net = new Net({ shared: [key(1)], master: key(9) });
    const [own, other] = [0, 1].map((counter) => {
      const bytes = Uint8Array.from([0, 0, 0, 0, ...shared(1, 2, counter)]);
      bytes[0] = counter === 0 ? 2 : 77;
      return bytes;
    });
    net.peer.send(own!, other!);
    const rows = receiveRows(net.listener, 2);
    expect(rows.map(({ verdict }) => verdict)).toEqual([VERDICT_PASS, VERDICT_PASS]);
    expect(rows[1]!.frame).toBe(frame(2, 2).toHex());
    expect(net.listener.senderCount).toBe(1);
  });

  test("opens a full batch and what follows, each frame with its own bytes", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    const pids = Array.from({ length: BATCH_SIZE + 5 }, (_, i) => 2 + i);
    net.peer.send(...pids.map((pid) => shared(1, pid, 0)));
    const rows = receiveRows(net.listener, pids.length);
    expect(rows.map((row) => row.frame)).toEqual(pids.map((pid) => frame(pid, 1).toHex()));
  });
});

describe("the number of trials", () => {
  const KEYS = () => ({ shared: [key(1), key(2), key(3)], master: undefined });
  const WITH_MASTER = () => ({ ...KEYS(), master: key(9) });

  function attempts(keys: SecureKeys, datagram: Uint8Array): number {
    using net = new Net(keys);
    net.verdicts(0, datagram);
    return counted(net.listener.counters, SECURE.aeadAttempts);
  }

  test("is the number of shared keys for 60 bytes: first, middle, last or no key", () => {
    for (const fill of [1, 2, 3, 4]) {
      expect(attempts(KEYS(), shared(fill, 2, 0))).toBe(3);
      expect(attempts(WITH_MASTER(), shared(fill, 2, 0))).toBe(3);
    }
  });

  test("is one more for 64 bytes if there is a master key, whatever opens them", () => {
    const inFront = (bytes: Uint8Array) => Uint8Array.from([2, 0, 0, 0, ...bytes]);
    for (const fill of [1, 2, 3, 4]) {
      expect(attempts(KEYS(), inFront(shared(fill, 2, 0)))).toBe(3);
      expect(attempts(WITH_MASTER(), inFront(shared(fill, 2, 0)))).toBe(4);
    }
    expect(attempts(WITH_MASTER(), byMaster(9, 2, 0))).toBe(4);
    expect(attempts(WITH_MASTER(), byMaster(8, 2, 0))).toBe(4);
    expect(attempts({ shared: [], master: key(9) }, byMaster(9, 2, 0))).toBe(1);
  });

  test("does not depend on the derived key being ready", () => {
    using net = new Net({ shared: [], master: key(9) });
    net.verdicts(0, byMaster(9, 2, 0));
    net.verdicts(0, byMaster(9, 2, 1));
    expect(counted(net.listener.counters, SECURE.aeadAttempts)).toBe(2);
    expect(counted(net.listener.counters, SECURE.aeadAttempts)).toBe(0);
  });
});

describe("replay", () => {
  test("is refused from any source port, and counted", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    using elsewhere = new UdpPeer(net.listener);
    const captured = shared(1, 2, 0);
    expect(net.verdicts(0, captured, captured)).toEqual([VERDICT_PASS, REJECT_REPLAY]);
    elsewhere.send(captured);
    expect(receiveRows(net.listener, 1)[0]!.verdict).toBe(REJECT_REPLAY);
    expect(counted(net.listener.counters, SECURE.replayRefused)).toBe(2);
    expect(counted(net.listener.counters, SECURE.replayRefused)).toBe(0);
  });

  test("is refused under every key of the listener: the pid inside is the identity", () => {
    using net = new Net({ shared: [key(1), key(2)], master: key(9) });
    net.verdicts(0, shared(1, 2, 7));
    expect(net.verdicts(0, shared(2, 2, 7), byMaster(9, 2, 7))).toEqual([
      REJECT_REPLAY,
      REJECT_REPLAY,
    ]);
  });

  test("state is not touched by a frame that is authentic and no frame", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    const broken = frame(2, 1);
    broken[31]! ^= 1;
    const sealed = sealShared({ key: key(1), ivRandom: IV_A, ivCounter: 5, frame: broken });
    net.peer.send(sealed, sealed);
    for (const row of receiveRows(net.listener, 2))
      expect(row).toMatchObject({ verdict: VERDICT_PASS, frame: broken.toHex(), peerPid: 0 });
    expect(net.listener.senderCount).toBe(0);
    expect(net.verdicts(0, shared(1, 2, 3))).toEqual([VERDICT_PASS]);
  });

  test("a recycled pid is let in after the gap", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    const old = sealShared({ key: key(1), ivRandom: IV_A, ivCounter: 9, frame: frame(2, 500) });
    const restarted = shared(1, 2, 0, IV_B);
    expect(net.verdicts(1, old)).toEqual([VERDICT_PASS]);
    expect(net.verdicts(GAP, restarted)).toEqual([REJECT_REPLAY]);
    expect(net.verdicts(GAP + 1, restarted)).toEqual([VERDICT_PASS]);
  });

  test("of a terminal frame is refused, also after the gap", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    const last = sealShared({
      key: key(1),
      ivRandom: IV_B,
      ivCounter: 0,
      frame: frame(2, NONCE_TERMINAL, 50n),
    });
    const others = [0xc3, 0xd4].map((fill, i) => {
      const ivRandom = new Uint8Array(8).fill(fill);
      return sealShared({ key: key(1), ivRandom, ivCounter: 0, frame: frame(2, 10 + i) });
    });
    expect(net.verdicts(0, shared(1, 2, 0), last, ...others)).toEqual(
      new Array(4).fill(VERDICT_PASS),
    );
    expect(net.verdicts(3 * GAP, last)).toEqual([REJECT_REPLAY]);
  });
});

describe("the sender table", () => {
  test("full refuses the unknown and goes on with the known", () => {
    using net = new Net({ shared: [key(1)], master: undefined }, { senderStates: 2 });
    expect(net.verdicts(0, shared(1, 2, 0), shared(1, 3, 0), shared(1, 4, 0))).toEqual([
      VERDICT_PASS,
      VERDICT_PASS,
      REJECT_SENDER_TABLE_FULL,
    ]);
    expect(net.verdicts(0, shared(1, 3, 1))).toEqual([VERDICT_PASS]);
    expect(counted(net.listener.counters, SECURE.senderStateFull)).toBe(1);
    expect(counted(net.listener.counters, SECURE.replayRefused)).toBe(0);
  });

  test("of the default size has room for 1,024 senders", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    let refused = 0;
    for (let pid = 2; pid < 2 + 1_030; pid++)
      if (net.verdicts(0, shared(1, pid, 0))[0] !== VERDICT_PASS) refused++;
    expect(refused).toBe(6);
    expect(net.listener.senderCount).toBe(1_024);
  });

  test("is swept for a newcomer once a sender has been silent for ten minutes", () => {
    using net = new Net({ shared: [key(1)], master: undefined }, { senderStates: 2 });
    net.verdicts(0, shared(1, 2, 0));
    net.instantNs = 1;
    net.verdicts(0, shared(1, 3, 0));
    net.instantNs = TTL - 1;
    expect(net.verdicts(0, shared(1, 4, 0))).toEqual([REJECT_SENDER_TABLE_FULL]);
    net.instantNs = TTL;
    expect(net.verdicts(0, shared(1, 4, 0), shared(1, 5, 0), shared(1, 3, 1))).toEqual([
      VERDICT_PASS,
      REJECT_SENDER_TABLE_FULL,
      VERDICT_PASS,
    ]);
  });

  test("is swept once a minute even with room, at the top of a batch", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    net.verdicts(0, shared(1, 2, 0));
    net.instantNs = TTL - 1;
    net.verdicts(0, shared(1, 3, 0));
    expect(net.listener.senderCount).toBe(2);
    net.instantNs = TTL + 59e9;
    net.verdicts(0, shared(1, 3, 1));
    expect(net.listener.senderCount).toBe(2);
    net.instantNs = TTL + 60e9;
    net.verdicts(0, shared(1, 3, 2));
    expect(net.listener.senderCount).toBe(1);
  });

  test("ages by the listener's own clock, not by the observer's", () => {
    using net = new Net({ shared: [key(1)], master: undefined }, { senderStates: 1 });
    net.verdicts(0, shared(1, 2, 0));
    expect(net.verdicts(10 * TTL, shared(1, 3, 0))).toEqual([REJECT_SENDER_TABLE_FULL]);
  });
});

describe("keys", () => {
  test("are overwritten by close(), which can be called again", () => {
    const keys = { shared: [key(1)], master: key(9) };
    const net = new Net(keys);
    net[Symbol.dispose]();
    net.listener.close();
    for (const wiped of [...keys.shared, keys.master]) expect(wiped).toEqual(new Uint8Array(32));
  });

  test("are overwritten if the socket cannot be bound, and not in the error", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    const keys = { shared: [key(0xab)], master: key(0xcd) };
    let error: unknown;
    try {
      new Net(keys, { port: net.listener.port })[Symbol.dispose]();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UdpSocketError);
    expect(Bun.inspect(error)).not.toMatch(/abab|cdcd|171, 171|205, 205/i);
    for (const wiped of [...keys.shared, keys.master]) expect(wiped).toEqual(new Uint8Array(32));
  });

  test("never show when the listener is printed", () => {
    using net = new Net({ shared: [key(0xab)], master: key(0xcd) });
    net.verdicts(0, byMaster(0xcd, 2, 0));
    const text = `${Bun.inspect(net.listener, { depth: 10 })}${JSON.stringify(net.listener)}`;
    expect(text).not.toMatch(/abab|cdcd|171,\s*171|205,\s*205/i);
  });
});

test.skipIf(!IS_LINUX)("drainKernelDrops() counts what found the buffer full (Linux)", () => {
  using net = new Net({ shared: [key(1)], master: undefined }, { rcvbufBytes: 1 });
  const sent = Array.from({ length: 50 }, (_, counter) => shared(1, 2, counter));
  net.peer.send(...sent);
  waitForDatagram(net.listener.fd);
  const received = net.listener.receive(0);
  expect(since(net.listener, "drops", net.listener.kernelDrops)).toBe(sent.length - received);
  expect(received).toBeLessThan(sent.length);
});

describe("a flood of forgeries", () => {
  /** As many as the buffer of the socket holds for sure. */
  const ROUND = 64;

  function forgeries(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => crypto.getRandomValues(new Uint8Array(60)));
  }

  test("is refused without trials, and a known sender loses no beat in it", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    expect(net.verdicts(0, shared(1, 2, 0))).toEqual([VERDICT_PASS]);
    let counter = 1;
    for (let round = 0; round < 20; round++, counter++) {
      net.peer.send(...forgeries(ROUND));
      receiveRows(net.listener, ROUND);
      expect(net.verdicts(0, shared(1, 2, counter))).toEqual([VERDICT_PASS]);
    }
    expect(counted(net.listener.counters, SECURE.decryptFailures)).toBe(20 * ROUND);
    const untried = counted(net.listener.counters, SECURE.untried);
    expect(untried).toBeGreaterThan(10 * ROUND);
    expect(counted(net.listener.counters, SECURE.aeadAttempts)).toBe(
      20 * ROUND - untried + counter,
    );
  });

  test.skipIf(!IS_LINUX)(
    "makes the listener ask for a larger buffer, if nobody did (Linux)",
    () => {
      using net = new Net({ shared: [key(1)], master: undefined });
      using configured = new Net({ shared: [key(1)], master: undefined }, { rcvbufBytes: 40_000 });
      const { rcvbufBytes } = configured.listener;
      expect(net.listener.rcvbufBytes).toBe(0);
      for (const each of [net, configured])
        for (let round = 0; round < 10; round++) {
          each.peer.send(...forgeries(ROUND));
          receiveRows(each.listener, ROUND);
        }
      expect(net.listener.rcvbufBytes).toBeGreaterThan(rcvbufBytes);
      expect(configured.listener.rcvbufBytes).toBe(rcvbufBytes);
    },
  );

  test("from one port leaves another its place for a new sender", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    for (let round = 0; round < 10; round++) {
      net.peer.send(...forgeries(ROUND));
      receiveRows(net.listener, ROUND);
    }
    expect(net.verdicts(0, shared(1, 3, 0))).toEqual([REJECT_DECRYPT]);
    using other = new UdpPeer(net.listener);
    other.send(shared(1, 3, 0));
    expect(receiveRows(net.listener, 1)[0]!.verdict).toBe(VERDICT_PASS);
  });

  test("of recorded beats costs no more than one of forged ones", () => {
    using net = new Net({ shared: [key(1)], master: undefined });
    const recorded = [shared(1, 2, 0), shared(1, 2, 1)];
    net.verdicts(0, ...recorded);
    for (let round = 0; round < 20; round++) {
      net.peer.send(...Array.from({ length: ROUND }, () => recorded[1]!));
      receiveRows(net.listener, ROUND);
    }
    expect(counted(net.listener.counters, SECURE.untried)).toBeGreaterThan(10 * ROUND);
  });
});

describe("a pid that is watched and not silent", () => {
  test("lets no sender begin again by silence alone, until its stall was reported", () => {
    let isBeating = true;
    const options = { isBeating: () => isBeating };
    using net = new Net({ shared: [key(1)], master: undefined }, options);
    net.verdicts(0, shared(1, 2, 5));
    // Recorded under a prefix of before: it arrives at the very moment of the deadline.
    const recorded = shared(1, 2, 0, IV_B);
    expect(net.verdicts(GAP, recorded)).toEqual([REJECT_REPLAY]);
    isBeating = false;
    expect(net.verdicts(GAP, recorded)).toEqual([VERDICT_PASS]);
  });
});
