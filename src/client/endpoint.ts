// Where a client beats to: a Unix socket path, or an IP address and a port. Whatever the caller
// passes becomes an endpoint; one that cannot be reached knows what its beats say. Names are never
// looked up: that would block.
import { inetAddress, type SocketAddress, unixAddress } from "../../ffi/socket.ts";
import { interfaceNumber, parseIp } from "../base/ip_address.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { BAD_ADDRESS, BAD_PATH, type Failed } from "./beat_result.ts";

const PORT_MAX = 65_535;

export interface Endpoint {
  readonly transport: "unix" | "udp";
  /** For people: a path, or HOST:PORT. */
  readonly name: string;
  /** The same for every spelling of one UDP address. */
  readonly streamName: string;
  /** Null if there is no such address; beats then give `fault`. */
  readonly address: SocketAddress | null;
  readonly fault: Failed;
}

export function unixEndpoint(path: unknown): Endpoint {
  const name = typeof path === "string" ? path : "";
  const address = isSocketPath(name) ? unixAddress(name) : null;
  return { transport: "unix", name, streamName: name, address, fault: BAD_PATH };
}

export function udpEndpoint(host: unknown, port: unknown): Endpoint {
  const hostText = typeof host === "string" ? host : "";
  const portNumber = isPort(port) ? port : 0;
  const name = `${hostText.includes(":") ? `[${hostText}]` : hostText}:${portNumber}`;
  const address = portNumber === 0 ? null : udpAddress(hostText, portNumber);
  const streamName = `udp ${address === null ? name : address.bytes.toHex()}`;
  return { transport: "udp", name, streamName, address, fault: BAD_ADDRESS };
}

/** `endpoint` as one that cannot be reached, for the reason `fault`. */
export function unusable(endpoint: Endpoint, fault: Failed): Endpoint {
  return { ...endpoint, address: null, fault };
}

function udpAddress(host: string, port: number): SocketAddress | null {
  const parsed = parseIp(host);
  if (parsed === undefined) return null;
  if (parsed.zone === "") return inetAddress(parsed.bytes, port);
  const scopeId = scopeOf(parsed.zone);
  return scopeId === undefined ? null : inetAddress(parsed.bytes, port, scopeId);
}

function scopeOf(zone: string): number | undefined {
  try {
    return interfaceNumber(zone);
  } catch {
    // A sandbox without netlink: the runtime cannot list interfaces, and a host must not die of
    // that.
    return undefined;
  }
}

function isPort(port: unknown): port is number {
  return typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= PORT_MAX;
}

function isSocketPath(path: string): boolean {
  if (path === "" || path.includes("\0")) return false;
  return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX;
}
