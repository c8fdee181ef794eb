// Accepting on IPv4, IPv6 and Unix sockets, and bytes through a full buffer.
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { AF_INET, AF_INET6, EAGAIN, SOCK_STREAM } from "../../ffi/constants.ts";
import {
  bind,
  boundPort,
  close,
  connect,
  inetAddress,
  openSocket,
  setIpv6Only,
  type SocketAddress,
  unixAddress,
} from "../../ffi/socket.ts";
import { accept, acceptedAddress, listen, shutdownWrite, StreamBuffer } from "../../ffi/stream.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const open: number[] = [];
afterEach(() => open.splice(0).forEach(close));

function opened(fd: number): number {
  expect(fd).toBeGreaterThanOrEqual(0);
  open.push(fd);
  return fd;
}

/** Two ends of a connection to `at`; `to` is the address that a client connects to. */
function pair(at: SocketAddress, to: (port: number) => SocketAddress): [number, number] {
  const server = opened(openSocket(at.family, SOCK_STREAM));
  if (at.family === AF_INET6) expect(setIpv6Only(server, false)).toBe(0);
  expect(bind(server, at)).toBe(0);
  expect(listen(server, 8)).toBe(0);
  expect(accept(server)).toBe(-EAGAIN);
  const target = to(boundPort(server));
  const client = opened(openSocket(target.family, SOCK_STREAM));
  connect(client, target);
  return [client, opened(accept(server))];
}

const FOUR = Uint8Array.of(127, 0, 0, 1);
const SIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const ANY_SIX = new Uint8Array(16);

describe("accept()", () => {
  test("says who came, IPv4 also over IPv6", () => {
    pair(inetAddress(FOUR, 0), (port) => inetAddress(FOUR, port));
    expect(acceptedAddress()).toBe("127.0.0.1");
    pair(inetAddress(SIX, 0), (port) => inetAddress(SIX, port));
    expect(acceptedAddress()).toBe("::1");
    pair(inetAddress(ANY_SIX, 0), (port) => inetAddress(FOUR, port));
    expect(acceptedAddress()).toBe("127.0.0.1");
    expect(AF_INET).not.toBe(AF_INET6);
  });

  test("knows no address of a peer on a Unix socket", () => {
    using directory = new TemporaryDirectory();
    const address = unixAddress(directory.at("s"));
    pair(address, () => address);
    expect(acceptedAddress()).toBeUndefined();
  });

  test("gives descriptors that no child inherits and that never block", () => {
    const [, server] = pair(inetAddress(FOUR, 0), (port) => inetAddress(FOUR, port));
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${server}`, "utf8"));
    expect(Number.parseInt(flags![1]!, 8) & 0o2004000).toBe(0o2004000);
  });
});

describe("StreamBuffer", () => {
  test("reports a short send, and loses no byte", () => {
    const [client, server] = pair(inetAddress(FOUR, 0), (port) => inetAddress(FOUR, port));
    const out = new StreamBuffer(65_536);
    out.bytes.forEach((_, i) => {
      out.bytes[i] = i * 31;
    });
    let sent = 0;
    for (;;) {
      const count = out.send(server, 65_536);
      if (count === -EAGAIN) break;
      sent += count;
      if (count < 65_536) break;
    }
    expect(shutdownWrite(server)).toBe(0);
    const back = new StreamBuffer(50_000);
    let received = 0;
    for (;;) {
      const count = back.receive(client, 1);
      if (count <= 0) break;
      for (let i = 0; i < count; i++) {
        if (back.bytes[1 + i] !== ((((received + i) % 65_536) * 31) & 0xff))
          throw new Error(`byte ${received + i} is wrong`);
      }
      received += count;
    }
    expect(received).toBe(sent);
    expect(back.receive(client, 0)).toBe(0);
  });
});
