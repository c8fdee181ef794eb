// UDP ports for a daemon that is about to be started: the configuration takes no port 0. They lie
// below those that the kernel gives to sockets without a port of their own, and no process of a
// test gets one twice, so they stay free meanwhile.
import { AF_INET, AF_INET6, EADDRINUSE, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { bind, close, inetAddress, openSocket } from "../../ffi/socket.ts";

const FIRST = 10_000;
/** The kernel's own begin at 32,768 (net.ipv4.ip_local_port_range). */
const COUNT = 22_000;
/** Test processes side by side begin far from each other. */
const STRIDE = 997;

let next = (process.pid * STRIDE) % COUNT;

/** Ports of one loopback address; all of them are different. */
export function freeUdpPorts(count: number, address: "127.0.0.1" | "::1" = "127.0.0.1"): number[] {
  return Array.from({ length: count }, () => freeUdpPort(address));
}

function freeUdpPort(address: "127.0.0.1" | "::1"): number {
  const isV4 = address === "127.0.0.1";
  const bytes = isV4
    ? Uint8Array.of(127, 0, 0, 1)
    : Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0));
  for (;;) {
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    const fd = check(openSocket(isV4 ? AF_INET : AF_INET6, SOCK_DGRAM), "open a socket");
    const result = bind(fd, inetAddress(bytes, port));
    close(fd);
    if (result === -EADDRINUSE) continue;
    check(result, "bind");
    return port;
  }
}
