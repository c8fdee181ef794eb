// Whether a port could be had (spec 07 section 3.1): it is bound for a moment, and given back.
import {
  AF_INET6,
  EADDRNOTAVAIL,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../../ffi/constants.ts";
import {
  bind,
  close,
  inetAddress,
  openSocket,
  setIpv6Only,
  setSocketOption,
} from "../../../ffi/socket.ts";
import { interfaceNumber, parseIp } from "../../base/ip_address.ts";

/** Binds the address for a moment, as the start would; 0 or -errno. */
export function tryBind({
  protocol,
  host,
  port,
}: {
  protocol: string;
  host: string;
  port: number;
}): number {
  const parsed = parseIp(host);
  if (parsed === undefined) return 0;
  const scopeId = parsed.zone === "" ? 0 : interfaceNumber(parsed.zone);
  if (scopeId === undefined) return -EADDRNOTAVAIL;
  const address = inetAddress(parsed.bytes, port, scopeId);
  const fd = openSocket(address.family, protocol === "udp" ? SOCK_DGRAM : SOCK_STREAM);
  if (fd < 0) return fd;
  if (address.family === AF_INET6) setIpv6Only(fd);
  // Connections of a server that has just ended hold its port for a minute, and a start does not
  // mind.
  if (protocol === "tcp") setSocketOption(fd, SO_REUSEADDR, 1);
  const result = bind(fd, address);
  close(fd);
  return result;
}
