// Addresses of the configuration: IP literals, whether they are loopback, and the `listen` string
// of the metrics server (spec 07 sections 2.4 and 2.8). Names are never looked up.
import { isIP } from "node:net";
import { SOCKET_PATH_BYTES_MAX } from "../../base/limits.ts";
import { type Form, scalar } from "./form.ts";

export const PORT_MAX = 65_535;

export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** True for 127.0.0.0/8, ::1 and the IPv4-mapped form of the former. `address` is an IP literal. */
export function isLoopbackAddress(address: string): boolean {
  if (isIP(address) === 4) return address.startsWith("127.");
  const text = canonicalAddress(address);
  return text === "::1" || text.startsWith("::ffff:7f");
}

/**
 * One spelling per address, so that two spellings of one address are seen as the same: ::1, not
 * 0:0::1.
 */
export function canonicalAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  const zone = address.indexOf("%");
  if (zone !== -1) return address;
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

type MetricsAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The `listen` key of a server. */
export const listen: Form<string, MetricsAddress> = scalar<string, MetricsAddress>({
  name: "text",
  kind: "string",
  want: 'an address such as "127.0.0.1:9469", "[::1]:9469" or "unix:/run/varta/metrics.sock"',
  json: { type: "string" },
  parse: (value) =>
    typeof value === "string" && parseListen(value) !== undefined ? value : undefined,
  resolved: (text) => parseListen(text)!,
  shown: listenText,
});

/** Undefined if `text` is not `IP:port`, `[IPv6]:port` or `unix:/path`. */
export function parseListen(text: string): MetricsAddress | undefined {
  if (text.startsWith("unix:")) return parseUnixListen(text.slice("unix:".length));
  const match = /^(?:\[([^\]]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2]!;
  const port = Number(match[3]);
  if (isIP(host) !== (match[1] === undefined ? 4 : 6) || port > PORT_MAX) return undefined;
  return { kind: "tcp", host, port };
}

/** The `listen` string of an address. */
export function listenText(address: MetricsAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

function parseUnixListen(path: string): MetricsAddress | undefined {
  const fits = Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX;
  if (!path.startsWith("/") || path.includes("\0") || !fits) return undefined;
  return { kind: "unix", path };
}
