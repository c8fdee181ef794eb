// The bytes of an IP literal, as a socket address holds them. Names are never looked up.
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

interface IpBytes {
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  /** What follows "%" in an IPv6 literal: the interface, by name or number; "" = none. */
  readonly zone: string;
}

/**
 * Undefined if `text` is no IPv4 or IPv6 literal. An IPv4 address as IPv6 (::ffff:127.0.0.1) is
 * IPv4.
 */
export function parseIp(text: string): IpBytes | undefined {
  const family = isIP(text);
  if (family === 0) return undefined;
  if (family === 4) return { bytes: Uint8Array.from(text.split("."), Number), zone: "" };
  const [address = "", zone = ""] = text.split("%");
  const bytes = ipv6Bytes(address);
  return isMapped(bytes) ? { bytes: bytes.slice(12), zone: "" } : { bytes, zone };
}

/**
 * The number of the interface that the zone of a link-local address names; undefined if there is
 * none with IPv6.
 */
export function interfaceNumber(zone: string): number | undefined {
  if (/^[0-9]{1,9}$/.test(zone)) return Number(zone);
  const linkLocal = networkInterfaces()[zone]?.find((entry) => entry.family === "IPv6");
  return linkLocal?.scopeid;
}

function ipv6Bytes(address: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const [head = "", tail] = address.split("::");
  const start = groupBytes(head);
  bytes.set(start);
  if (tail !== undefined) {
    const end = groupBytes(tail);
    bytes.set(end, bytes.length - end.length);
  }
  return bytes;
}

/** Bytes of groups between colons; the last group may be an IPv4 address. */
function groupBytes(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}

function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  );
}
