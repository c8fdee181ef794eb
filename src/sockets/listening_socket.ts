// A stream socket that listens when it is made, at an IP literal or at a path. The caller closes
// it.
import { AF_INET6, SOCK_STREAM, SO_REUSEADDR } from "../../ffi/constants.ts";
import { SystemError } from "../../ffi/errno.ts";
import {
  bind,
  boundPort,
  close,
  inetAddress,
  openSocket,
  type SocketAddress,
  setIpv6Only,
  setSocketOption,
  setTcpNoDelay,
  unixAddress,
} from "../../ffi/socket.ts";
import { listen } from "../../ffi/stream.ts";
import { assert } from "../base/assert.ts";
import { interfaceNumber, parseIp } from "../base/ip_address.ts";
import { bindBeside } from "./overlapping.ts";

/**
 * Throws `SystemError` that names the failed call. `port` 0 lets the kernel choose; `::` takes
 * IPv4, too. The sockets `leaving` of this process are about to be closed, and are not in the way.
 */
export function listenTcp(
  { host, port }: { readonly host: string; readonly port: number },
  backlog: number,
  leaving: readonly number[] = [],
): { fd: number; port: number } {
  const address = tcpAddress(host, port);
  const fd = orThrow(openSocket(address.family, SOCK_STREAM), "socket");
  try {
    // A restart must not wait for the connections of the daemon before it.
    orThrow(setSocketOption(fd, SO_REUSEADDR, 1), "SO_REUSEADDR");
    if (address.family === AF_INET6) orThrow(setIpv6Only(fd, false), "IPV6_V6ONLY");
    orThrow(setTcpNoDelay(fd), "TCP_NODELAY");
    // The kernel looks at both calls whether somebody is in the way.
    const bindAndListen = () => {
      orThrow(bind(fd, address), "bind");
      return orThrow(listen(fd, backlog), "listen");
    };
    bindBeside(fd, leaving, bindAndListen);
    return { fd, port: orThrow(boundPort(fd), "getsockname") };
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** The descriptor of a socket that listens at `path`, or -errno. */
export function listenUnix(path: string, backlog: number): number {
  const address = unixAddress(path);
  const fd = openSocket(address.family, SOCK_STREAM);
  if (fd < 0) return fd;
  const bound = bind(fd, address);
  const result = bound < 0 ? bound : listen(fd, backlog);
  if (result >= 0) return fd;
  close(fd);
  return result;
}

function tcpAddress(host: string, port: number): SocketAddress {
  const parsed = parseIp(host);
  assert(parsed !== undefined, "the configuration has checked that the address is an IP literal");
  const scopeId = parsed.zone === "" ? 0 : (interfaceNumber(parsed.zone) ?? 0);
  return inetAddress(parsed.bytes, port, scopeId);
}

function orThrow(result: number, call: string): number {
  if (result < 0) throw new SystemError(call, -result);
  return result;
}
