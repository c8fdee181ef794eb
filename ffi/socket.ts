// Sockets: every descriptor is close-on-exec and non-blocking from birth. Functions return a
// non-negative result or -errno; the caller decides whether that is an error.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  ENOPROTOOPT,
  FD_CLOEXEC,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  IS_DARWIN,
  IS_LINUX,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  SK_MEMINFO_DROPS,
  SK_MEMINFO_VARS,
  SO_MEMINFO,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_UN } from "./layout.ts";
import { libc } from "./libc.ts";

/**
 * A socket address for bind, connect and sendto: the bytes and the length that the kernel gets.
 */
export interface SocketAddress {
  readonly family: number;
  readonly bytes: Uint8Array;
}

// The kernel copies an option within the call, so one buffer serves all.
const optionBuffer = new ArrayBuffer(8);
const option = new Int32Array(optionBuffer);
const optionAddress = ptr(optionBuffer);
const optionLengthAddress = ptr(optionBuffer, 4);
// One larger value and its length: the memory counters of a socket, or its address.
const replyBuffer = new ArrayBuffer(64);
const reply = new Uint32Array(replyBuffer);
const REPLY_LENGTH = 15;
const replyAddress = ptr(replyBuffer);
const replyLengthAddress = ptr(replyBuffer, REPLY_LENGTH * 4);

/** New socket of `family` and `type` (SOCK_DGRAM or SOCK_STREAM); fd or -errno. */
export function openSocket(family: number, type: number): number {
  const fd = resultOrErrno(libc.socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd >= 0 && !IS_LINUX) {
    libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
    libc.fcntl(fd, F_SETFL, libc.fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
  }
  return fd;
}

/** Address of a Unix socket path, or of an abstract name where `path` begins with "@" (Linux). */
export function unixAddress(path: string): SocketAddress {
  const text = new TextEncoder().encode(path);
  assert(text.length > 0, "a socket path is not empty");
  assert(text.length < SOCKADDR_UN.pathBytes, "a socket path was checked to fit sun_path");
  const bytes = addressBytes(SOCKADDR_UN.sun_path + text.length + 1);
  putFamily(bytes, AF_UNIX);
  bytes.set(text, SOCKADDR_UN.sun_path);
  if (!path.startsWith("@") || !IS_LINUX) return { family: AF_UNIX, bytes };
  // An abstract name begins with NUL and has no terminator: its length counts.
  bytes[SOCKADDR_UN.sun_path] = 0;
  return { family: AF_UNIX, bytes: bytes.subarray(0, bytes.length - 1) };
}

/**
 * Address of an IPv4 host (4 bytes) or IPv6 host (16 bytes) and a port; `scopeId` is the interface
 * of a link-local one.
 */
export function inetAddress(host: Uint8Array, port: number, scopeId = 0): SocketAddress {
  assert(host.length === 4 || host.length === 16, "a host is 4 or 16 bytes");
  const v4 = host.length === 4;
  const bytes = addressBytes(v4 ? SOCKADDR_IN.size : SOCKADDR_IN6.size);
  putFamily(bytes, v4 ? AF_INET : AF_INET6);
  const portOffset = v4 ? SOCKADDR_IN.sin_port : SOCKADDR_IN6.sin6_port;
  bytes[portOffset] = port >>> 8;
  bytes[portOffset + 1] = port & 0xff;
  bytes.set(host, v4 ? SOCKADDR_IN.sin_addr : SOCKADDR_IN6.sin6_addr);
  if (!v4) new DataView(bytes.buffer).setUint32(SOCKADDR_IN6.sin6_scope_id, scopeId, true);
  return { family: v4 ? AF_INET : AF_INET6, bytes };
}

/** 0 or -errno. */
export function bind(fd: number, address: SocketAddress): number {
  return resultOrErrno(libc.bind(fd, address.bytes, address.bytes.length));
}

/** 0 or -errno. On a datagram socket it only sets the peer: nothing is sent. */
export function connect(fd: number, address: SocketAddress): number {
  return resultOrErrno(libc.connect(fd, address.bytes, address.bytes.length));
}

/** The port that an IPv4 or IPv6 socket is bound to, or -errno. */
export function boundPort(fd: number): number {
  reply[REPLY_LENGTH] = SOCKADDR_IN6.size;
  const result = libc.getsockname(fd, replyAddress, replyLengthAddress);
  if (result < 0) return resultOrErrno(result);
  // sin_port and sin6_port lie at the same place.
  const port = reply[SOCKADDR_IN.sin_port >>> 2]! >>> 16;
  return ((port & 0xff) << 8) | (port >>> 8);
}

/** Closes `fd`; 0 or -errno. */
export function close(fd: number): number {
  return resultOrErrno(libc.close(fd));
}

/** Sets an integer option at SOL_SOCKET; 0 or -errno. */
export function setSocketOption(fd: number, name: number, value: number): number {
  option[0] = value;
  return resultOrErrno(libc.setsockopt(fd, SOL_SOCKET, name, optionAddress, 4));
}

/** Reads an integer option at SOL_SOCKET; its value or -errno. */
export function getSocketOption(fd: number, name: number): number {
  option[0] = 0;
  option[1] = 4;
  const result = libc.getsockopt(fd, SOL_SOCKET, name, optionAddress, optionLengthAddress);
  return result < 0 ? resultOrErrno(result) : option[0]!;
}

/**
 * Keeps an IPv6 socket to IPv6, so that the same port can be bound for IPv4 too; `only` false lets
 * "::" take IPv4 whatever the system's default is. 0 or -errno.
 */
export function setIpv6Only(fd: number, only = true): number {
  option[0] = only ? 1 : 0;
  return resultOrErrno(libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, optionAddress, 4));
}

/** Small answers leave at once, also from every connection that `fd` accepts; 0 or -errno. */
export function setTcpNoDelay(fd: number): number {
  option[0] = 1;
  return resultOrErrno(libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, optionAddress, 4));
}

/** Gives a connection up whose peer has acknowledged nothing for `ms`; 0 or -errno. */
export function setTcpUserTimeout(fd: number, ms: number): number {
  if (!IS_LINUX) return 0;
  option[0] = ms;
  return resultOrErrno(libc.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, optionAddress, 4));
}

/**
 * Datagrams that the kernel could not queue on `fd` since it was opened, modulo 2^32; -errno if the
 * kernel does not say. SO_RXQ_OVFL gives the same number only with the next datagram, so never for
 * the last burst before a silence.
 */
export function kernelDrops(fd: number): number {
  if (!IS_LINUX) return -ENOPROTOOPT;
  reply[REPLY_LENGTH] = SK_MEMINFO_VARS * 4;
  const result = libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, replyAddress, replyLengthAddress);
  return result < 0 ? resultOrErrno(result) : reply[SK_MEMINFO_DROPS]!;
}

/** Sends one datagram to the connected peer without blocking; bytes sent or -errno. */
export function send(fd: number, bytes: Uint8Array): number {
  return resultOrErrno(libc.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/** Sends one datagram to `address` without blocking; bytes sent or -errno. */
export function sendTo(fd: number, bytes: Uint8Array, address: SocketAddress): number {
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  const { bytes: to } = address;
  return resultOrErrno(libc.sendto(fd, bytes, bytes.length, flags, to, to.length));
}

// A typed array that was allocated on its own buffer keeps its address (small ones may otherwise
// move when their buffer is first read).
function addressBytes(size: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(size));
}

function putFamily(bytes: Uint8Array, family: number): void {
  if (IS_DARWIN) {
    bytes[0] = bytes.length;
    bytes[1] = family;
  } else {
    bytes[0] = family & 0xff;
    bytes[1] = family >>> 8;
  }
}
