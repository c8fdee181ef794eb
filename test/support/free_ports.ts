// UDP ports that were free a moment ago: the configuration takes no port 0.
import { AF_INET, AF_INET6, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { bind, boundPort, close, inetAddress, openSocket } from "../../ffi/socket.ts";

/** Ports of one loopback address; all of them are different. */
export function freeUdpPorts(count: number, address: "127.0.0.1" | "::1" = "127.0.0.1"): number[] {
  const isV4 = address === "127.0.0.1";
  const bytes = isV4
    ? Uint8Array.of(127, 0, 0, 1)
    : Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0));
  const fds = Array.from({ length: count }, () =>
    check(openSocket(isV4 ? AF_INET : AF_INET6, SOCK_DGRAM), "open a socket"),
  );
  const ports = fds.map((fd) => {
    check(bind(fd, inetAddress(bytes, 0)), "bind");
    return check(boundPort(fd), "read the port");
  });
  for (const fd of fds) close(fd);
  return ports;
}
