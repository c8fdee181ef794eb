// Sockets on a real kernel: flags from birth, addresses, sending without blocking.
import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  EINVAL,
  ENOENT,
  ENOTSOCK,
  IS_LINUX,
  O_NONBLOCK,
  SO_PASSCRED,
  SO_RCVBUF,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { HEADER_LENGTH, HEADER_STRIDE, ReceiveBatch } from "../../ffi/receive_batch.ts";
import {
  bind,
  boundPort,
  close,
  connect,
  getSocketOption,
  inetAddress,
  kernelDrops,
  openSocket,
  send,
  sendTo,
  setIpv6Only,
  setSocketOption,
  unixAddress,
} from "../../ffi/socket.ts";

const O_CLOEXEC = 0o2000000;
const MORE_THAN_ANY_QUEUE = 2_000;

describe("openSocket()", () => {
  test.skipIf(!IS_LINUX)("is non-blocking and close-on-exec from birth (Linux /proc)", () => {
    for (const [family, type] of [
      [AF_UNIX, SOCK_DGRAM],
      [AF_UNIX, SOCK_STREAM],
      [AF_INET, SOCK_DGRAM],
    ] as const) {
      const fd = check(openSocket(family, type), "open");
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
      close(fd);
      const flags = Number.parseInt(/flags:\s*(\d+)/.exec(info)![1]!, 8);
      expect(flags & O_NONBLOCK).toBe(O_NONBLOCK);
      expect(flags & O_CLOEXEC).toBe(O_CLOEXEC);
    }
  });

  test("gives -errno for a family that does not exist", () => {
    expect(openSocket(9_999, SOCK_DGRAM)).toBeLessThan(0);
  });
});

describe("unixAddress()", () => {
  test.skipIf(!IS_LINUX)("is the family, the path and a NUL (Linux)", () => {
    expect([...unixAddress("/a").bytes]).toEqual([1, 0, 0x2f, 0x61, 0]);
  });

  test.skipIf(!IS_LINUX)("turns @ into the abstract name, without a final NUL (Linux)", () => {
    expect([...unixAddress("@a").bytes]).toEqual([1, 0, 0, 0x61]);
  });

  test("refuses what the caller should have checked", () => {
    expect(() => unixAddress("")).toThrow("a socket path is not empty");
    expect(unixAddress("x".repeat(103)).bytes.length).toBeGreaterThan(103);
    expect(() => unixAddress("x".repeat(108))).toThrow("was checked to fit");
  });
});

describe("inetAddress()", () => {
  test.skipIf(!IS_LINUX)("has port and address in network byte order (Linux)", () => {
    const v4 = inetAddress(Uint8Array.of(127, 0, 0, 1), 0x1f90);
    expect([...v4.bytes]).toEqual([2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    const loopback = new Uint8Array(16);
    loopback[15] = 1;
    const v6 = inetAddress(loopback, 0x0102);
    expect(v6.family).toBe(AF_INET6);
    expect(v6.bytes.length).toBe(28);
    expect([...v6.bytes.subarray(0, 4)]).toEqual([10, 0, 1, 2]);
    expect([...v6.bytes.subarray(8, 24)]).toEqual([...loopback]);
  });

  test("carries a datagram over the loopback interface", () => {
    using pair = new Sockets(AF_INET, SOCK_DGRAM);
    const host = Uint8Array.of(127, 0, 0, 1);
    check(bind(pair.receiver, inetAddress(host, 0)), "bind");
    const port = check(boundPort(pair.receiver), "port");
    expect(sendTo(pair.sender, bytesOf(7, 8, 9), inetAddress(host, port))).toBe(3);
    expect(received(pair.receiver)).toEqual([[7, 8, 9]]);
  });
});

describe("IPv6 sockets", () => {
  test.skipIf(!IS_LINUX)("carry the interface of a link-local address (Linux)", () => {
    const { bytes } = inetAddress(new Uint8Array(16), 1, 0x0102_0304);
    expect([...bytes.subarray(24)]).toEqual([4, 3, 2, 1]);
  });

  test("leave the port to IPv4 after setIpv6Only()", () => {
    using six = new Sockets(AF_INET6, SOCK_DGRAM);
    using four = new Sockets(AF_INET, SOCK_DGRAM);
    check(setIpv6Only(six.receiver), "IPV6_V6ONLY");
    check(bind(six.receiver, inetAddress(new Uint8Array(16), 0)), "bind");
    const port = check(boundPort(six.receiver), "port");
    expect(bind(four.receiver, inetAddress(new Uint8Array(4), port))).toBe(0);
    expect(bind(four.sender, inetAddress(new Uint8Array(4), port))).toBe(-EADDRINUSE);
  });

  test("are what setIpv6Only() wants", () => {
    using pair = new Sockets(AF_UNIX, SOCK_DGRAM);
    expect(setIpv6Only(pair.receiver)).toBeLessThan(0);
  });
});

describe("boundPort() and kernelDrops()", () => {
  test("are -errno for what is no socket", () => {
    const file = openSync("/dev/null", "r");
    expect(boundPort(file)).toBe(-ENOTSOCK);
    expect(kernelDrops(file)).toBeLessThan(0);
    closeSync(file);
  });

  test("are 0 for a socket that is not bound and dropped nothing", () => {
    using pair = new Sockets(AF_INET, SOCK_DGRAM);
    expect(boundPort(pair.receiver)).toBe(0);
    if (IS_LINUX) expect(kernelDrops(pair.receiver)).toBe(0);
  });
});

describe("Unix datagrams", () => {
  test("arrive by send() after connect(), and by sendTo()", () => {
    using pair = new Sockets(AF_UNIX, SOCK_DGRAM);
    const address = unixAddress(pair.path);
    expect(bind(pair.receiver, address)).toBe(0);
    expect(sendTo(pair.sender, bytesOf(1, 2), address)).toBe(2);
    expect(connect(pair.sender, address)).toBe(0);
    expect(send(pair.sender, bytesOf(3))).toBe(1);
    expect(received(pair.receiver)).toEqual([[1, 2], [3]]);
  });

  test("are refused with EAGAIN when the queue is full, without blocking", () => {
    using pair = new Sockets(AF_UNIX, SOCK_DGRAM);
    check(bind(pair.receiver, unixAddress(pair.path)), "bind");
    check(connect(pair.sender, unixAddress(pair.path)), "connect");
    const datagram = bytesOf(1);
    let result = 1;
    for (let i = 0; i < MORE_THAN_ANY_QUEUE && result === 1; i++)
      result = send(pair.sender, datagram);
    expect(result).toBe(-EAGAIN);
  });

  test("find a missing path, a dead one, and one in use", () => {
    using pair = new Sockets(AF_UNIX, SOCK_DGRAM);
    const address = unixAddress(pair.path);
    expect(connect(pair.sender, address)).toBe(-ENOENT);
    check(bind(pair.receiver, address), "bind");
    expect(bind(pair.sender, address)).toBe(-EADDRINUSE);
    pair.closeReceiver();
    expect(connect(pair.sender, address)).toBe(-ECONNREFUSED);
  });

  test("do not go to a file that is no socket", () => {
    const file = openSync("/dev/null", "w");
    expect(send(file, bytesOf(1))).toBe(-ENOTSOCK);
    closeSync(file);
  });
});

describe("socket options", () => {
  test("are set and read", () => {
    using pair = new Sockets(AF_UNIX, SOCK_DGRAM);
    expect(setSocketOption(pair.receiver, SO_RCVBUF, 16_384)).toBe(0);
    // Linux reports twice what was asked for.
    expect(getSocketOption(pair.receiver, SO_RCVBUF)).toBe(IS_LINUX ? 32_768 : 16_384);
    expect(getSocketOption(-1, SO_RCVBUF)).toBeLessThan(0);
    expect(setSocketOption(pair.receiver, 9_999, 1)).toBeLessThan(0);
  });

  test.skipIf(!IS_LINUX)("ask for credentials (Linux)", () => {
    using pair = new Sockets(AF_UNIX, SOCK_DGRAM);
    expect(getSocketOption(pair.receiver, SO_PASSCRED)).toBe(0);
    expect(setSocketOption(pair.receiver, SO_PASSCRED, 1)).toBe(0);
    expect(getSocketOption(pair.receiver, SO_PASSCRED)).toBe(1);
  });

  test("EINVAL is told apart from other errors", () => {
    using pair = new Sockets(AF_INET, SOCK_DGRAM);
    const address = inetAddress(Uint8Array.of(127, 0, 0, 1), 9);
    const short = { family: AF_INET, bytes: address.bytes.subarray(0, 8) };
    expect(bind(pair.receiver, short)).toBe(-EINVAL);
  });
});

/** Two sockets and a path for them, gone at the end of the test. */
class Sockets {
  receiver: number;
  readonly sender: number;
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "varta-socket-"));

  constructor(family: number, type: number) {
    this.receiver = check(openSocket(family, type), "open");
    this.sender = check(openSocket(family, type), "open");
    this.path = join(this.#directory, "varta.sock");
  }

  closeReceiver(): void {
    if (this.receiver >= 0) close(this.receiver);
    this.receiver = -1;
  }

  [Symbol.dispose](): void {
    this.closeReceiver();
    close(this.sender);
    rmSync(this.#directory, { recursive: true });
  }
}

function bytesOf(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(values.length));
  bytes.set(values);
  return bytes;
}

function received(fd: number): number[][] {
  const batch = new ReceiveBatch({ iovBytes: 33, stride: 64, credentials: false });
  const count = check(batch.receive(fd), "receive");
  return Array.from({ length: count }, (_, i) => {
    const at = (batch.dataWord + i * batch.dataStride) * 4;
    const size = batch.words[i * HEADER_STRIDE + HEADER_LENGTH]!;
    return [...batch.bytes.subarray(at, at + size)];
  });
}
