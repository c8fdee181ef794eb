// The filter on real sockets: rubbish takes no place in the queue and its sender notices nothing,
// good frames arrive with their credentials, and what the filter dropped is estimated from what it
// let through.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { unlinkSync } from "node:fs";
import { AF_UNIX, EAGAIN, IS_LINUX, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { HEADER_LENGTH, HEADER_STRIDE, ReceiveBatch } from "../../ffi/receive_batch.ts";
import { bind, close, openSocket, sendTo, unixAddress } from "../../ffi/socket.ts";
import { attachFilter } from "../../ffi/socket_filter.ts";
import { RUBBISH_SAMPLE } from "../../src/base/limits.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import type { RubbishFilter } from "../../src/listener/rubbish_filter.ts";
import { frameFilters } from "../../src/listener/rubbish_program.ts";
import { SecureUdpListener } from "../../src/listener/secure_udp.ts";
import { UdpListener } from "../../src/listener/udp.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { encode } from "../../src/wire/encode.ts";
import { PID_MIN } from "../../src/wire/frame.ts";
import { sealMaster, sealShared } from "../../src/wire/secure_frame.ts";
import { since } from "../support/since.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { UdpPeer } from "./udp_peer.ts";

setDefaultTimeout(TEST_MS_MAX);

/** More than any queue holds. */
const RUBBISH = 3_200;
/** A sample of 50 on average; twice as many happen once in a thousand years of tests. */
const SAMPLED_MAX = (2 * RUBBISH) / RUBBISH_SAMPLE;
const GOOD = 20;

const open: Listener[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

function opened<L extends Listener & { filter: RubbishFilter }>(listener: L): L {
  open.push(listener);
  return listener;
}

function goodFrame(nonce: number): Uint8Array {
  return encode({
    status: "ok",
    pid: process.pid,
    timestamp: 1n,
    nonce: BigInt(nonce),
    payload: 0,
  });
}

function noise(size: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(size));
}

/** Everything that is received now: how many the listener passed, and how many there were. */
function drain(listener: Listener): { passed: number; received: number; pids: Set<number> } {
  const pids = new Set<number>();
  let passed = 0;
  let received = 0;
  for (;;) {
    const count = check(listener.receive(0), "receive");
    if (count === 0) return { passed, received, pids };
    received += count;
    for (let i = 0; i < count; i++) {
      if (listener.batch.verdict[i] !== VERDICT_PASS) continue;
      passed++;
      pids.add(listener.batch.peerPid[i]!);
    }
  }
}

describe.skipIf(!IS_LINUX)("the filter of a Unix listener (Linux)", () => {
  function listen(directory: TemporaryDirectory): UnixListener {
    const path = directory.at("v.sock");
    const options = { name: "main", path, mode: 0o600, gid: undefined, rcvbufBytes: 0 };
    return opened(new UnixListener({ ...options, allowList: undefined }));
  }

  test("keeps rubbish out of the queue, gives its sender no error, and passes beats whole", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    const to = unixAddress(listener.path);
    listener.filter.isCounting = true;
    expect(listener.filter.attach(RUBBISH_SAMPLE)).toBe(0);
    const found = { passed: 0, received: 0 };
    for (let i = 0; i < GOOD; i++) {
      for (let j = 0; j < RUBBISH / GOOD; j++) {
        const bytes = noise([1, 31, 32, 33][j % 4]!);
        expect(sendTo(fd, bytes, to)).toBe(bytes.length);
      }
      check(sendTo(fd, goodFrame(i + 1), to), "send");
      const { passed, received, pids } = drain(listener);
      found.received += received;
      // Of random bytes of the right size the listener reads the size alone.
      if (passed > 0) found.passed += pids.has(process.pid) ? 1 : 0;
    }
    close(fd);
    expect(found.passed).toBe(GOOD);
    expect(found.received).toBeLessThan(GOOD + SAMPLED_MAX);
    const sampled = found.received - GOOD;
    expect(listener.filter.takeCounted()).toBe(sampled);
    expect(listener.filter.takeDropped()).toBeLessThanOrEqual(sampled * (RUBBISH_SAMPLE - 1));
  });

  test("passes hello and bye of a listener that takes them, and counts what is none", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("v.sock");
    const options = { name: "main", path, mode: 0o600, gid: undefined, rcvbufBytes: 0 };
    const listener = opened(
      new UnixListener({ ...options, allowList: undefined, takesControl: true }),
    );
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    const to = unixAddress(path);
    listener.filter.isCounting = true;
    expect(listener.filter.attach(RUBBISH_SAMPLE)).toBe(0);
    const { pid } = process;
    const hello = encodeControl({ kind: "hello", pid, nonce: 1n, intervalMs: 5, name: "web-1" });
    const bye = encodeControl({ kind: "bye", pid, nonce: 2n });
    const broken = hello.slice();
    broken[40]! ^= 1;
    for (const bytes of [hello, bye, broken]) check(sendTo(fd, bytes, to), "send");
    let received = 0;
    for (let i = 0; i < RUBBISH; i++) {
      check(sendTo(fd, noise(64), to), "send");
      if (i % 8 === 0) received += check(listener.receive(0), "receive");
    }
    close(fd);
    received += check(listener.receive(0), "receive");
    expect(received).toBeGreaterThanOrEqual(3);
    expect(received).toBeLessThan(3 + SAMPLED_MAX);
    // One of the right head with a wrong CRC is received, and is rubbish still.
    expect(listener.filter.takeCounted()).toBe(received - 2);
  });

  test("is gone when it was taken off: the queue is full of rubbish at once", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    const to = unixAddress(listener.path);
    check(listener.filter.attach(RUBBISH_SAMPLE), "attach");
    listener.filter.detach();
    let result = 0;
    for (let i = 0; i < RUBBISH && result >= 0; i++) result = sendTo(fd, noise(31), to);
    close(fd);
    expect(result).toBe(-EAGAIN);
    drain(listener);
    // The sender's own buffer may end a row before the queue is full.
    expect(listener.queueFull).toBeLessThan(RUBBISH);
  });

  test("is on the new socket, too, when the file of the old one was removed", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    const to = unixAddress(listener.path);
    check(listener.filter.attach(RUBBISH_SAMPLE), "attach");
    unlinkSync(listener.path);
    listener.rebind(0);
    let received = 0;
    for (let i = 0; i < RUBBISH; i++) {
      check(sendTo(fd, noise(31), to), "send");
      if (i % 8 === 0) received += drain(listener).received;
    }
    expect(received).toBeLessThan(SAMPLED_MAX);
    listener.filter.detach();
    for (let i = 0; i < 8; i++) check(sendTo(fd, noise(31), to), "send");
    close(fd);
    expect(drain(listener).received).toBeGreaterThanOrEqual(8);
  });

  test("does not count what had been queued before it for a sample", () => {
    using directory = new TemporaryDirectory();
    const listener = listen(directory);
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    const to = unixAddress(listener.path);
    listener.filter.isCounting = true;
    for (let i = 0; i < 10; i++) check(sendTo(fd, noise(31), to), "send");
    check(listener.filter.attach(RUBBISH_SAMPLE), "attach");
    drain(listener);
    close(fd);
    expect([listener.filter.takeCounted(), listener.filter.takeDropped()]).toEqual([10, 0]);
  });
});

const UDP = { name: "edge", address: "127.0.0.1", port: 0, rcvbufBytes: 0, acceptRecovery: false };

describe.skipIf(!IS_LINUX)("the filter of a UDP listener (Linux)", () => {
  test("goes by the frame after the UDP header, and its drops are no loss", () => {
    const listener = opened(new UdpListener(UDP));
    using peer = new UdpPeer(listener);
    listener.filter.isCounting = true;
    check(listener.filter.attach(RUBBISH_SAMPLE), "attach");
    expect(drain(listener).received).toBe(0);
    for (let i = 0; i < RUBBISH; i++) peer.send(noise([0, 31, 32, 33][i % 4]!));
    for (let i = 0; i < GOOD; i++) peer.send(goodFrame(i + 1));
    const { received } = drain(listener);
    expect(received).toBeGreaterThanOrEqual(GOOD);
    expect(received).toBeLessThan(GOOD + SAMPLED_MAX);
    expect(listener.filter.takeCounted()).toBe(received - GOOD);
    expect(since(listener, "drops", listener.kernelDrops)).toBeLessThan(RUBBISH / 2);
  });

  test("passes sealed hellos of both sizes where they are taken, and else not", () => {
    for (const takesControl of [true, false]) {
      const keys = { shared: [noise(32)], master: noise(32) };
      const options = { ...UDP, keys, restartGapNs: 1e9, monotonicNs: () => 0, takesControl };
      const listener = opened(new SecureUdpListener(options));
      using peer = new UdpPeer(listener);
      listener.filter.isCounting = true;
      check(listener.filter.attach(RUBBISH_SAMPLE), "attach");
      for (let i = 0; i < GOOD; i++) peer.send(noise(92), noise(96));
      const { received } = drain(listener);
      if (takesControl) expect(received).toBe(2 * GOOD);
      else expect(received).toBeLessThan(SAMPLED_MAX);
      expect(listener.filter.takeCounted()).toBe(takesControl ? 0 : received);
    }
  });

  test("passes sealed frames of both sizes", () => {
    const key = noise(32);
    const keys = { shared: [key.slice()], master: noise(32) };
    const listener = opened(
      new SecureUdpListener({ ...UDP, keys, restartGapNs: 1e9, monotonicNs: () => 0 }),
    );
    using peer = new UdpPeer(listener);
    check(listener.filter.attach(RUBBISH_SAMPLE), "attach");
    for (let i = 0; i < RUBBISH; i++) peer.send(noise([59, 61, 63, 65][i % 4]!));
    for (let i = 1; i <= GOOD; i++) {
      const sealed = { key, ivRandom: new Uint8Array(8).fill(7), ivCounter: i };
      peer.send(
        sealShared({ ...sealed, frame: goodFrame(i) }),
        sealMaster(process.pid, { ...sealed, frame: goodFrame(i) }),
      );
    }
    const { passed, received } = drain(listener);
    expect(passed).toBe(GOOD);
    // The forged master frames are received and refused.
    expect(received).toBeLessThan(2 * GOOD + SAMPLED_MAX);
    expect(received).toBeGreaterThanOrEqual(2 * GOOD);
  });
});

test.skipIf(!IS_LINUX).each([0, 1])(
  "a socket with program %d for hellos takes them, byes and beats, and no rubbish of their size",
  (which) => {
    using directory = new TemporaryDirectory();
    const path = `${directory.path}/socket`;
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "socket");
    const sender = check(openSocket(AF_UNIX, SOCK_DGRAM), "socket");
    check(bind(fd, unixAddress(path)), "bind");
    // None of the sample passes, so that nothing comes through by luck.
    const options = { at: 0, sample: 2 ** 31, pidMin: PID_MIN, takesControl: true };
    check(attachFilter(fd, frameFilters(options)[which]!), "attach");
    const hello = encodeControl({
      kind: "hello",
      pid: process.pid,
      nonce: 1n,
      intervalMs: 1_000,
      name: "web",
    });
    const bye = encodeControl({ kind: "bye", pid: process.pid, nonce: 3n });
    const beat = encode({ status: "ok", pid: 2, timestamp: 0n, nonce: 2n, payload: 0 });
    const foreign = hello.slice();
    foreign[1] = 0x41;
    for (const bytes of [foreign, hello, beat.slice(1), beat, new Uint8Array(64), bye])
      check(sendTo(sender, bytes, unixAddress(path)), "sendto");
    const arena = new ReceiveBatch({ iovBytes: 65, stride: 128, credentials: false });
    const count = arena.receive(fd);
    const got = Array.from({ length: count }, (_, i) => {
      const length = arena.words[i * HEADER_STRIDE + HEADER_LENGTH]!;
      const at = (arena.dataWord + i * arena.dataStride) * 4;
      return arena.bytes.slice(at, at + length).toHex();
    });
    expect(got).toEqual([hello.toHex(), beat.toHex(), bye.toHex()]);
    for (const each of [fd, sender]) close(each);
  },
);
