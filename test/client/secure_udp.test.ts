// The client with sealed frames against the real secure listener: what an honest agent does is let
// through, once.
import { describe, expect, test } from "bun:test";
import { REJECT_REPLAY } from "../../src/base/reject_reason.ts";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { Client } from "../../src/client/client.ts";
import { connectSecureUdp, type SecureUdpOptions } from "../../src/client/mod.ts";
import { SecureSession, type SecureSessionOptions } from "../../src/client/secure_session.ts";
import type { SecureKeys } from "../../src/listener/key_ring.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { SecureUdpListener } from "../../src/listener/secure_udp.ts";
import { decode } from "../../src/wire/decode.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { receiveRows, UdpPeer } from "../listener/udp_peer.ts";
import { freeUdpPorts } from "../support/free_ports.ts";
import { settableSystem, udpEnd } from "./systems.ts";
import { UdpReceiver } from "./udp_receiver.ts";

const TERMINAL = 2n ** 64n - 1n;
const U32_MAX = 0xffff_ffff;

function key(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

class Observer implements Disposable {
  readonly listener: SecureUdpListener;

  constructor(keys: SecureKeys) {
    this.listener = new SecureUdpListener({
      name: "edge",
      address: "127.0.0.1",
      // The kernel may hand out a port again, and the nonces of an endpoint go on for as long as
      // its process lives.
      port: freeUdpPorts(1)[0]!,
      rcvbufBytes: 0,
      acceptRecovery: false,
      restartGapNs: 5e9,
      monotonicNs: () => 0,
      keys,
    });
  }

  /** Frames of the next `count` datagrams, which must all pass. */
  frames(count: number): Frame[] {
    return receiveRows(this.listener, count).map(({ verdict, frame }) => {
      expect(verdict).toBe(VERDICT_PASS);
      const decoded = decode(Uint8Array.fromHex(frame));
      if (!decoded.ok) throw new Error(decoded.error.message);
      return decoded.frame;
    });
  }

  nonces(count: number): bigint[] {
    return this.frames(count).map((frame) => frame.nonce);
  }

  get at() {
    return { host: "127.0.0.1", port: this.listener.port };
  }

  [Symbol.dispose](): void {
    this.listener.close();
  }
}

/** A client whose session and process the test decides about. */
function clientTo(
  { host, port }: { host: string; port: number },
  session: Partial<SecureSessionOptions> = {},
  system = settableSystem(),
): Client {
  return new Client(udpEnd(host, port), {
    stream: new BeatStream(),
    system,
    session: new SecureSession({ key: key(1), keyKind: "shared", ...session }),
    reconnectMs: 0,
  });
}

describe("connectSecureUdp()", () => {
  test("beats that a listener with the key lets through", () => {
    using observer = new Observer({ shared: [key(7), key(1)], master: undefined });
    using client = connectSecureUdp({ ...observer.at, key: key(1) });
    client.beat();
    client.beat("degraded", 5);
    expect(observer.frames(2)).toMatchObject([
      { status: "ok", pid: process.pid, nonce: 1n },
      { status: "degraded", pid: process.pid, nonce: 2n, payload: 5 },
    ]);
  });

  test("goes on with the nonces after close() and another connect, under another prefix", () => {
    using observer = new Observer({ shared: [key(1)], master: undefined });
    for (let round = 0; round < 4; round++) {
      using client = connectSecureUdp({ ...observer.at, key: "01".repeat(32) });
      client.beat();
      client.beat();
    }
    expect(observer.nonces(8)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
  });

  test("lets several clients of one endpoint beat in turns", () => {
    using observer = new Observer({ shared: [key(1)], master: undefined });
    const clients = [0, 1, 2].map(() => connectSecureUdp({ ...observer.at, key: key(1) }));
    for (let beat = 0; beat < 9; beat++) clients[beat % 3]!.beat();
    expect(observer.nonces(9)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]);
    for (const client of clients) client.close();
  });

  test("gives a failed result for everything that is no key", () => {
    for (const bad of [undefined, null, "", "00".repeat(31), key(1).subarray(1), 5]) {
      const options = { host: "127.0.0.1", port: 7878, key: bad } as SecureUdpOptions;
      using client = connectSecureUdp(options);
      expect(client.beat()).toMatchObject({ kind: "failed", reason: "bad_key" });
    }
    using client = connectSecureUdp(null as never);
    expect(client.crashBeat()).toMatchObject({ kind: "failed", reason: "bad_key" });
  });
});

describe("connectSecureUdp()", () => {
  test("beats with a key of this pid alone", () => {
    using observer = new Observer({ shared: [], master: key(9) });
    using client = connectSecureUdp({ ...observer.at, masterKey: key(9) });
    client.beat();
    client.crashBeat(3);
    client.beat();
    expect(observer.frames(3)).toMatchObject([
      { pid: process.pid, nonce: 1n },
      { status: "critical", nonce: TERMINAL, payload: 3 },
      { nonce: 2n },
    ]);
  });
});

describe("a sealed client", () => {
  test("is let through across prefix rotations and a new session", () => {
    using observer = new Observer({ shared: [key(1)], master: undefined });
    using client = clientTo(observer.at, { prefixIndex: U32_MAX - 1, ivCounter: U32_MAX - 1 });
    for (let beat = 0; beat < 3; beat++) client.beat();
    using other = clientTo(
      observer.at,
      { prefixIndex: U32_MAX, ivCounter: U32_MAX },
      { ...settableSystem(), pidNow: 5_001 },
    );
    for (let beat = 0; beat < 3; beat++) other.beat();
    const rows = observer.frames(6).map(({ pid, nonce }) => [pid, nonce]);
    expect(rows).toEqual([
      [5_000, 1n],
      [5_000, 2n],
      [5_000, 3n],
      [5_001, 1n],
      [5_001, 2n],
      [5_001, 3n],
    ]);
  });

  test("is let through after a fork, under the child's pid with nonces from 1", () => {
    using observer = new Observer({ shared: [], master: key(9) });
    const system = settableSystem();
    using client = clientTo(observer.at, { key: key(9), keyKind: "master" }, system);
    client.beat();
    client.beat();
    system.pidNow = 5_001;
    client.beat();
    const rows = observer.frames(3).map(({ pid, nonce }) => [pid, nonce]);
    expect(rows).toEqual([
      [5_000, 1n],
      [5_000, 2n],
      [5_001, 1n],
    ]);
  });

  test("is let through with crash beats between ordinary ones", () => {
    using observer = new Observer({ shared: [key(1)], master: undefined });
    using client = clientTo(observer.at);
    for (let round = 0; round < 3; round++) {
      client.beat();
      client.crashBeat();
      client.crashBeat();
    }
    const nonces = [1n, TERMINAL, TERMINAL, 2n, TERMINAL, TERMINAL, 3n, TERMINAL, TERMINAL];
    expect(observer.nonces(9)).toEqual(nonces);
  });

  test("seals a refused beat again: same nonce, next counter", () => {
    using receiver = new UdpReceiver();
    using client = clientTo(receiver);
    receiver.end();
    expect(client.beat().kind).toBe("sent");
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "no_observer" });
    receiver.comeBack();
    expect(client.beat().kind).toBe("sent");
    expect(client.nextNonce).toBe(3n);
    const [datagram] = receiver.receive(1);
    expect(new DataView(datagram!.buffer).getUint32(8, true)).toBe(2);
  });

  test("cannot be replayed, from wherever", () => {
    using observer = new Observer({ shared: [key(1)], master: undefined });
    using wire = new UdpReceiver();
    using client = clientTo(wire);
    client.beat();
    const [captured] = wire.receive(1);
    using peer = new UdpPeer(observer.listener);
    using elsewhere = new UdpPeer(observer.listener);
    peer.send(captured!);
    elsewhere.send(captured!);
    const verdicts = receiveRows(observer.listener, 2).map(({ verdict }) => verdict);
    expect(verdicts).toEqual([VERDICT_PASS, REJECT_REPLAY]);
  });

  test("shows its key nowhere, and leaves the caller's alone", () => {
    using wire = new UdpReceiver();
    const own = key(0xab);
    const client = connectSecureUdp({ host: wire.host, port: wire.port, key: own });
    client.beat();
    const text = `${Bun.inspect(client, { depth: 9 })}${JSON.stringify(client)}`;
    expect(text).not.toMatch(/abab|171,\s*171/i);
    client.close();
    expect(own).toEqual(key(0xab));
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "closed" });
  });
});
