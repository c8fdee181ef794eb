// Where a client beats to: a Unix socket path, or an IP address and a port. Whatever the caller
// passes becomes an endpoint; one that cannot be reached knows what its beats say. Names are never
// looked up: that would block.
import { interfaceNumber, parseIp } from "../base/ip_address.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { BAD_ADDRESS, BAD_PATH, type Failed } from "./beat_result.ts";
import type { LocalKind, OpenLine, Platform, UdpTarget } from "./platform.ts";

const PORT_MAX = 65_535;

export interface Endpoint {
  readonly transport: "unix" | "udp";
  /** For people: a path, or HOST:PORT. */
  readonly name: string;
  /** The same for every spelling of one UDP address. */
  readonly streamName: string;
  /** Null if there is no such address; beats then give `fault`. */
  readonly open: OpenLine | null;
  readonly fault: Failed;
}

export function unixEndpoint(platform: Platform, kind: LocalKind, path: unknown): Endpoint {
  const name = typeof path === "string" ? path : "";
  const open = isSocketPath(name) ? platform.local(name, kind) : null;
  return { transport: "unix", name, streamName: name, open, fault: BAD_PATH };
}

export function udpEndpoint(platform: Platform, host: unknown, port: unknown): Endpoint {
  const hostText = typeof host === "string" ? host : "";
  const portNumber = isPort(port) ? port : 0;
  const name = `${hostText.includes(":") ? `[${hostText}]` : hostText}:${portNumber}`;
  const target = portNumber === 0 ? undefined : udpTarget(hostText, portNumber);
  const streamName = `udp ${target === undefined ? name : streamNameOf(target)}`;
  const open = target === undefined ? null : platform.udp(target);
  return { transport: "udp", name, streamName, open, fault: BAD_ADDRESS };
}

/** `endpoint` as one that cannot be reached, for the reason `fault`. */
export function unusable(endpoint: Endpoint, fault: Failed): Endpoint {
  return { ...endpoint, open: null, fault };
}

function udpTarget(host: string, port: number): UdpTarget | undefined {
  const parsed = parseIp(host);
  if (parsed === undefined) return undefined;
  const scopeId = parsed.zone === "" ? 0 : scopeOf(parsed.zone);
  return scopeId === undefined ? undefined : { host, bytes: parsed.bytes, scopeId, port };
}

function streamNameOf({ bytes, scopeId, port }: UdpTarget): string {
  return `${Buffer.from(bytes).toString("hex")}%${scopeId}:${port}`;
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
