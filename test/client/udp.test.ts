// The client over plain UDP, against bound sockets: what the network does to beats, and what the
// caller gets.
import { describe, expect, test } from "bun:test";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { Client } from "../../src/client/client.ts";
import { connectUdp, type UdpOptions } from "../../src/client/mod.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { UdpListener } from "../../src/listener/udp.ts";
import { decode } from "../../src/wire/decode.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { receiveRows } from "../listener/udp_peer.ts";
import { fixedSystem, settableSystem, udpEnd } from "./systems.ts";
import { isControl } from "./bound_receiver.ts";
import { UdpReceiver } from "./udp_receiver.ts";

const TERMINAL = 2n ** 64n - 1n;

function frames(receiver: UdpReceiver, count: number): Frame[] {
  const beats = receiver.receive(count).filter((bytes) => !isControl(bytes));
  return beats.map((bytes) => {
    const decoded = decode(bytes);
    if (!decoded.ok) throw new Error(decoded.error.message);
    return decoded.frame;
  });
}

function nonces(receiver: UdpReceiver, count: number): bigint[] {
  return frames(receiver, count).map((frame) => frame.nonce);
}

function parts(stream = new BeatStream(), system = settableSystem()) {
  return { stream, system, reconnectMs: 0 };
}

describe("connectUdp()", () => {
  for (const host of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    test(`sends 32 bytes that a listener passes (${host})`, () => {
      const address = host === "::1" ? host : "127.0.0.1";
      const listener = new UdpListener({
        name: "lab",
        address,
        port: 0,
        rcvbufBytes: 0,
        acceptRecovery: false,
      });
      using client = connectUdp({ host, port: listener.port });
      expect(client.beat("degraded", 7).kind).toBe("sent");
      const [row] = receiveRows(listener, 1);
      listener.close();
      expect(row!.verdict).toBe(VERDICT_PASS);
      const decoded = decode(Uint8Array.fromHex(row!.frame));
      expect(decoded).toMatchObject({
        frame: { status: "degraded", pid: process.pid, nonce: 1n, payload: 7 },
      });
      expect(client.endpoint).toBe(`${host.includes(":") ? `[${host}]` : host}:${listener.port}`);
    });

  test("counts nonces from 1 on, also through close() and another connect, however the host is spelled", () => {
    using receiver = new UdpReceiver();
    const { port } = receiver;
    const first = connectUdp({ host: "127.0.0.1", port });
    first.beat();
    first.close();
    using second = connectUdp({ host: "::ffff:7f00:1", port });
    second.beat();
    second.beat();
    // And the bye of the first.
    expect(nonces(receiver, 4)).toEqual([1n, 2n, 3n]);
  });

  test("starts nonces and a socket of its own for a new pid", () => {
    using receiver = new UdpReceiver();
    const system = settableSystem();
    system.pidNow = 4_000;
    const { host, port } = receiver;
    using client = new Client(udpEnd(host, port), parts(new BeatStream(), system));
    client.beat();
    client.beat();
    system.pidNow = 4_001;
    client.beat();
    expect(frames(receiver, 3).map((frame) => [frame.pid, frame.nonce])).toEqual([
      [4_000, 1n],
      [4_000, 2n],
      [4_001, 1n],
    ]);
    expect(client.counters.connects).toBe(2);
  });
});

describe("client.beat() to a port where no process listens", () => {
  test("is told of an earlier beat's refusal, is dropped, and keeps its nonce and its socket", () => {
    using receiver = new UdpReceiver();
    using client = connectUdp({ host: receiver.host, port: receiver.port });
    receiver.end();
    // The kernel takes the first one: only its answer says that no process was there.
    expect(client.beat().kind).toBe("sent");
    expect(client.beat()).toEqual({
      kind: "dropped",
      reason: "no_observer",
      text: "Beat dropped: no observer listens there",
    });
    expect(client.nextNonce).toBe(2n);
    receiver.comeBack();
    expect(client.beat().kind).toBe("sent");
    expect(client.beat().kind).toBe("sent");
    expect(nonces(receiver, 2)).toEqual([2n, 3n]);
    expect(client.counters).toEqual({
      sent: 3,
      dropped: 1,
      queueFull: 0,
      noObserver: 1,
      failed: 0,
      connects: 1,
    });
  });

  test("does not cost the crash beat its only chance", () => {
    using receiver = new UdpReceiver();
    using client = connectUdp({ host: receiver.host, port: receiver.port });
    receiver.end();
    client.beat();
    receiver.comeBack();
    expect(client.crashBeat(9).kind).toBe("sent");
    expect(frames(receiver, 1)).toMatchObject([
      { status: "critical", nonce: TERMINAL, payload: 9 },
    ]);
  });
});

describe("client.beat() by UDP with the wrong things", () => {
  test("fails on every host and port that cannot be one, and never throws", () => {
    const garbage: unknown[] = [
      { host: "localhost", port: 7878 },
      { host: "", port: 7878 },
      { host: "127.0.0.1:7878", port: 7878 },
      { host: "[::1]", port: 7878 },
      { host: "fe80::1%nosuch0", port: 7878 },
      ...[0, -1, 65_536, 0.5, Number.NaN, "7878", null, undefined, {}].map((port) => ({
        host: "127.0.0.1",
        port,
      })),
      ...[5, null, Symbol(), 1n].map((host) => ({ host, port: 7878 })),
      undefined,
      null,
      "127.0.0.1:7878",
      Symbol(),
    ];
    for (const options of garbage) {
      using client = connectUdp(options as UdpOptions);
      expect(client.beat()).toMatchObject({ kind: "failed", reason: "bad_address" });
      expect(client.crashBeat()).toMatchObject({ kind: "failed", reason: "bad_address" });
    }
  });

  test("fails with the system's reason where an address may not be used", () => {
    using client = connectUdp({ host: "255.255.255.255", port: 7878 });
    expect(client.beat()).toMatchObject({ kind: "failed", reason: "EACCES" });
  });

  test("fails in a process with pid 1, and after close()", () => {
    using receiver = new UdpReceiver();
    const endpoint = udpEnd(receiver.host, receiver.port);
    const system = fixedSystem(1, 0, 0);
    using client = new Client(endpoint, { ...parts(), system });
    expect(client.beat()).toMatchObject({ kind: "failed", reason: "reserved_pid" });
    client.close();
    expect(client.beat()).toMatchObject({ kind: "dropped", reason: "closed" });
    expect(receiver.waiting()).toEqual([]);
  });
});
