// The plaintext UDP listener on real sockets of both families.
import { describe, expect, test } from "bun:test";
import { fstatSync } from "node:fs";
import { IS_LINUX } from "../../ffi/constants.ts";
import { ipText } from "../../src/base/ip_text.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { ORIGIN_NETWORK_UNVERIFIED, ORIGIN_OPERATOR_ATTESTED } from "../../src/base/origin.ts";
import { REJECT_WRONG_SIZE } from "../../src/base/reject_reason.ts";
import { VERDICT_CONTROL, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { UdpListener, type UdpListenerOptions } from "../../src/listener/udp.ts";
import { UdpSocketError } from "../../src/listener/udp_socket.ts";
import { encode } from "../../src/wire/encode.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { since } from "../support/since.ts";
import { receiveRows, UdpPeer, waitForDatagram } from "./udp_peer.ts";

const DEFAULTS = { name: "net", address: "127.0.0.1", port: 0, rcvbufBytes: 0 };

function open(options: Partial<UdpListenerOptions> = {}) {
  const listener = new UdpListener({ ...DEFAULTS, acceptRecovery: false, ...options });
  const peer = new UdpPeer(listener);
  return {
    listener,
    peer,
    [Symbol.dispose]() {
      peer[Symbol.dispose]();
      listener.close();
    },
  };
}

function frame(pid: number): Uint8Array {
  return encode({ status: "ok", pid, timestamp: 1n, nonce: 1n, payload: 0 });
}

describe("a plaintext UDP listener", () => {
  for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    test(`takes frames sent to ${address}`, () => {
      using net = open({ address });
      expect(net.listener.port).toBeGreaterThan(0);
      net.peer.send(frame(2), frame(3));
      expect(receiveRows(net.listener, 2)).toEqual(
        [2, 3].map((pid) => ({
          verdict: VERDICT_PASS,
          origin: ORIGIN_NETWORK_UNVERIFIED,
          peerPid: 0,
          frame: frame(pid).toHex(),
        })),
      );
    });

  test("takes 64 bytes for a hello where it takes hellos, and for a wrong size where not", () => {
    for (const takesControl of [true, false]) {
      using net = open({ takesControl });
      const bye = encodeControl({ kind: "bye", pid: 7, nonce: 1n });
      net.peer.send(bye.subarray(0, 63), bye, frame(2));
      const verdicts = receiveRows(net.listener, 3).map(({ verdict }) => verdict);
      const ofBye = takesControl ? VERDICT_CONTROL : REJECT_WRONG_SIZE;
      expect(verdicts).toEqual([REJECT_WRONG_SIZE, ofBye, VERDICT_PASS]);
      expect(net.listener.truncated).toBe(takesControl ? 1 : 2);
    }
  });

  test.skipIf(!IS_LINUX).each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
  ])("says where each datagram to %s comes from, batch after batch", (address, source) => {
    using net = open({ address });
    for (let round = 0; round < 2; round++) {
      net.peer.send(frame(2), frame(3));
      receiveRows(net.listener, 2);
      expect(ipText(net.listener.batch.sources!, 0)).toBe(source);
    }
  });

  test("refuses every size but 32 and counts it, even if a frame comes first", () => {
    using net = open();
    const long = Uint8Array.from([...frame(2), 0]);
    const datagrams = [0, 1, 31].map((size) => frame(2).subarray(0, size));
    net.peer.send(...datagrams, long, new Uint8Array(60), new Uint8Array(9_000), frame(9));
    const rows = receiveRows(net.listener, 7);
    expect(rows.map(({ verdict }) => verdict)).toEqual([
      ...new Array(6).fill(REJECT_WRONG_SIZE),
      VERDICT_PASS,
    ]);
    expect(since(net.listener, "truncated", net.listener.truncated)).toBe(6);
    expect(since(net.listener, "truncated", net.listener.truncated)).toBe(0);
  });

  test("marks beats as the operator's risk only if the operator took it", () => {
    using net = open({ acceptRecovery: true });
    net.peer.send(frame(2));
    expect(receiveRows(net.listener, 1)[0]!.origin).toBe(ORIGIN_OPERATOR_ATTESTED);
  });

  test("takes at most a batch at a time and gives 0 when there is nothing", () => {
    using net = open();
    expect(net.listener.receive(0)).toBe(0);
    for (let pid = 2; pid < 2 + BATCH_SIZE + 3; pid++) net.peer.send(frame(pid));
    waitForDatagram(net.listener.fd);
    expect(net.listener.receive(0)).toBe(BATCH_SIZE);
    expect(net.listener.receive(0)).toBe(3);
    expect(net.listener.receive(0)).toBe(0);
  });

  test("reports the buffer that the kernel granted; 0 if none was asked for", () => {
    using plain = open();
    using sized = open({ rcvbufBytes: 65_536 });
    expect(plain.listener.rcvbufBytes).toBe(0);
    expect(sized.listener.rcvbufBytes).toBeGreaterThanOrEqual(65_536);
  });

  test("close() is idempotent and frees the port", () => {
    using net = open();
    const { port, fd } = net.listener;
    net.listener.close();
    net.listener.close();
    expect(() => fstatSync(fd)).toThrow("EBADF");
    expect(since(net.listener, "drops", net.listener.kernelDrops)).toBe(0);
    using again = open({ port });
    expect(again.listener.port).toBe(port);
  });
});

describe.skipIf(!IS_LINUX)("drainKernelDrops() (Linux)", () => {
  test("counts every datagram that found the buffer full, at once", () => {
    using net = open({ rcvbufBytes: 1 });
    const sent = 200;
    for (let i = 0; i < sent; i++) net.peer.send(frame(2));
    waitForDatagram(net.listener.fd);
    let received = 0;
    for (;;) {
      const count = net.listener.receive(0);
      if (count === 0) break;
      received += count;
    }
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(sent);
    expect(since(net.listener, "drops", net.listener.kernelDrops)).toBe(sent - received);
    expect(since(net.listener, "drops", net.listener.kernelDrops)).toBe(0);
  });

  test("counts on where it stopped", () => {
    using net = open({ rcvbufBytes: 1 });
    let dropped = 0;
    for (let i = 0; i < 40; i++) {
      net.peer.send(frame(2));
      dropped += since(net.listener, "drops", net.listener.kernelDrops);
    }
    waitForDatagram(net.listener.fd);
    const received = net.listener.receive(0);
    expect(received + dropped).toBe(40);
    expect(dropped).toBeGreaterThan(0);
  });
});

describe("a UDP listener that cannot be opened", () => {
  test("names the listener, the place and the cause, with a hint", () => {
    using net = open();
    const { port } = net.listener;
    expect(refusal({ port })).toEqual({
      message: `cannot open listener net on UDP 127.0.0.1:${port}: EADDRINUSE (address already in use)`,
      hint: "another program has the port: ss -lunp shows which",
    });
    expect(refusal({ address: "192.0.2.1" })).toEqual({
      message: "cannot open listener net on UDP 192.0.2.1:0: EADDRNOTAVAIL (address not available)",
      hint: "no interface of this machine has the address: ip address shows them",
    });
    expect(refusal({ address: "fe80::1%nosuch0" }).message).toBe(
      "cannot open listener net on UDP [fe80::1%nosuch0]:0: this machine has no interface nosuch0 with an IPv6 address",
    );
    expect(refusal({ address: "localhost" }).message).toContain("no IPv4 or IPv6 literal");
  });

  test("leaves no descriptor behind", () => {
    using net = open();
    const { port } = net.listener;
    const before = openDescriptors();
    for (let i = 0; i < 20; i++) refusal({ port });
    expect(openedSince(before)).toEqual([]);
  });
});

test("0.0.0.0 and :: can have the same port", () => {
  using four = open({ address: "0.0.0.0" });
  using six = open({ address: "::", port: four.listener.port });
  using toFour = new UdpPeer({ address: "127.0.0.1", port: four.listener.port });
  using toSix = new UdpPeer({ address: "::1", port: four.listener.port });
  toFour.send(frame(4));
  toSix.send(frame(6));
  expect(receiveRows(four.listener, 1)[0]!.frame).toBe(frame(4).toHex());
  expect(receiveRows(six.listener, 1)[0]!.frame).toBe(frame(6).toHex());
  expect([four.listener.receive(0), six.listener.receive(0)]).toEqual([0, 0]);
});

function refusal(options: Partial<UdpListenerOptions>) {
  try {
    open(options)[Symbol.dispose]();
  } catch (error) {
    if (error instanceof UdpSocketError) return { message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error("the listener was opened");
}
