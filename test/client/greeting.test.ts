// What a client says beside its beats, by a real socket.
import { describe, expect, test } from "bun:test";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { Client } from "../../src/client/client.ts";
import { connect, connectSecureUdp } from "../../src/client/mod.ts";
import { BoundReceiver, isControl } from "./bound_receiver.ts";
import { settableSystem, unixEnd } from "./systems.ts";
import { UdpReceiver } from "./udp_receiver.ts";

describe("hello and bye", () => {
  const said = (receiver: BoundReceiver) =>
    receiver.receive().map(({ bytes }) => {
      const at = new DataView(bytes.buffer, bytes.byteOffset);
      if (!isControl(bytes)) return ["beat", at.getBigUint64(16, true)];
      return [bytes[3] === 1 ? "hello" : "bye", at.getBigUint64(8, true)];
    });

  test("hello goes ahead of the first beat of each connection, and uses a number", () => {
    using receiver = new BoundReceiver();
    const client = connect(receiver.path, { reconnectMs: 0, name: "web-7", intervalMs: 500 });
    client.beat();
    client.beat();
    const first = ["hello", "beat", "beat"].map((word, at) => [word, BigInt(at + 1)]);
    expect(said(receiver)).toEqual(first);
    receiver.end();
    receiver.bind();
    // That beat has found the new observer, and its number is given already.
    client.beat();
    client.beat();
    expect(said(receiver)).toEqual([
      ["beat", 4n],
      ["hello", 5n],
      ["beat", 6n],
    ]);
    client.close();
    expect(said(receiver)).toEqual([["bye", 7n]]);
  });

  test("hello is said anew by who connects again with another name", () => {
    using receiver = new BoundReceiver();
    using client = connect(receiver.path);
    client.beat();
    expect(connect(receiver.path, { name: "web-7" })).toBe(client);
    expect(connect(receiver.path)).toBe(client);
    client.beat();
    client.beat();
    expect(said(receiver).map(([word]) => word)).toEqual(["beat", "hello", "beat", "beat"]);
  });

  test("bye is said by close() alone, once, and only after a beat", () => {
    using receiver = new BoundReceiver();
    const silent = connect(receiver.path);
    silent.close();
    const client = connect(receiver.path);
    client.beat();
    client.close();
    client.close();
    {
      using block = connect(receiver.path);
      block.beat();
    }
    expect(said(receiver).map(([word]) => word)).toEqual(["beat", "bye", "beat"]);
  });

  test("bye is never said by a forked child for its parent", () => {
    using receiver = new BoundReceiver();
    const system = settableSystem();
    const client = new Client(unixEnd(receiver.path), {
      stream: new BeatStream(),
      system,
      reconnectMs: 0,
    });
    client.beat();
    system.pidNow++;
    client.beat();
    client.close();
    expect(said(receiver).map(([word]) => word)).toEqual(["beat", "beat"]);
  });

  test("by secure UDP a beat goes before hello, and a refused one has it said again", () => {
    using receiver = new UdpReceiver();
    const { host, port } = receiver;
    using client = connectSecureUdp({ host, port, key: "01".repeat(32), name: "web-7" });
    client.beat();
    client.beat();
    const heard = (count: number) =>
      receiver.receive(count).map(({ length }) => (length === 60 ? "beat" : "hello"));
    expect(heard(3)).toEqual(["beat", "hello", "beat"]);
    receiver.end();
    expect(client.beat().kind).toBe("sent");
    expect(client.beat()).toMatchObject({ reason: "no_observer" });
    receiver.comeBack();
    client.beat();
    expect(heard(2)).toEqual(["hello", "beat"]);
  });

  test("a name that cannot be said is left out, and beats go on", () => {
    using receiver = new BoundReceiver();
    for (const name of ["two words", "77", "other", "x".repeat(41), 7]) {
      using client = connect(receiver.path, { name: name as string, warn: false });
      expect(client.beat().kind).toBe("sent");
    }
    const beats = [1n, 2n, 3n, 4n, 5n].map((nonce) => ["beat", nonce]);
    expect(said(receiver)).toEqual(beats);
  });
});
