// Stream sockets: listening, accepting, and moving bytes without blocking. Every accepted
// descriptor is close-on-exec and non-blocking from birth. Functions return a non-negative result
// or -errno.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import {
  AF_INET,
  AF_INET6,
  F_DUPFD_CLOEXEC,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  FIONREAD,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  SHUT_RD,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_UN } from "./layout.ts";
import { libc, libcDarwin, libcLinux } from "./libc.ts";

// The address of the peer that was accepted last: the longest kind is that of a Unix socket. Its
// length follows.
const PEER_BYTES = Math.ceil(SOCKADDR_UN.size / 4) * 4;
const peerBuffer = new ArrayBuffer(PEER_BYTES + 4);
const peer = new Uint8Array(peerBuffer);
const peerFamily = new Uint16Array(peerBuffer, 0, 1);
const peerLength = new Uint32Array(peerBuffer, PEER_BYTES, 1);
const peerAddress = ptr(peerBuffer);
const peerLengthAddress = ptr(peerBuffer, PEER_BYTES);

/** Turns a bound socket into one that accepts; 0 or -errno. */
export function listen(fd: number, backlog: number): number {
  return resultOrErrno(libc.listen(fd, backlog));
}

/** The next connection that waits at `fd`; its descriptor, or -errno (-EAGAIN: none waits). */
export function accept(fd: number): number {
  peerLength[0] = PEER_BYTES;
  if (libcLinux !== null) {
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    return resultOrErrno(libcLinux.accept4(fd, peerAddress, peerLengthAddress, flags));
  }
  const made = resultOrErrno(libcDarwin!.accept(fd, peerAddress, peerLengthAddress));
  if (made < 0) return made;
  libc.fcntl(made, F_SETFD, FD_CLOEXEC);
  libc.fcntl(made, F_SETFL, libc.fcntl(made, F_GETFL, 0) | O_NONBLOCK);
  return made;
}

/**
 * The IP address of the peer that accept() gave last, IPv4 also where it came over IPv6; undefined
 * = a Unix socket.
 */
export function acceptedAddress(): string | undefined {
  const family = libcLinux === null ? peer[1]! : peerFamily[0]!;
  if (family === AF_INET) return dotted(SOCKADDR_IN.sin_addr);
  if (family !== AF_INET6) return undefined;
  const at = SOCKADDR_IN6.sin6_addr;
  const words = Array.from(
    { length: 8 },
    (_, i) => (peer[at + 2 * i]! << 8) | peer[at + 2 * i + 1]!,
  );
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  if (isMapped) return dotted(at + 12);
  return new URL(`http://[${words.map((word) => word.toString(16)).join(":")}]/`).hostname.slice(
    1,
    -1,
  );
}

function dotted(at: number): string {
  return `${peer[at]}.${peer[at + 1]}.${peer[at + 2]}.${peer[at + 3]}`;
}

/** The same connection at the lowest free number, if that is lower; `fd` is then closed. */
export function lowered(fd: number): number {
  const lower = libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (lower < 0) return fd;
  libc.close(Math.max(fd, lower));
  return Math.min(fd, lower);
}

/**
 * Ends the receiving side: what the peer sends from now on fails there, and what has come can be
 * read. 0 or -errno.
 */
export function shutdownRead(fd: number): number {
  return resultOrErrno(libc.shutdown(fd, SHUT_RD));
}

const unread = new Int32Array(new ArrayBuffer(4));
const unreadAddress = ptr(unread.buffer);

/** Bytes that have come by a connection and were not read; -errno on failure. Linux only. */
export function unreadBytes(fd: number): number {
  const result = resultOrErrno(libcLinux!.ioctl(fd, FIONREAD, unreadAddress));
  return result < 0 ? result : unread[0]!;
}

/** Ends the sending side, which the peer sees; 0 or -errno. */
export function shutdownWrite(fd: number): number {
  return resultOrErrno(libc.shutdown(fd, SHUT_WR));
}

/** Memory that stream sockets are read into and written from; the kernel is given its address. */
export class StreamBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #address: number;

  constructor(size: number) {
    const buffer = new ArrayBuffer(size);
    this.bytes = new Uint8Array(buffer);
    this.#address = Number(ptr(buffer));
  }

  /**
   * Reads what has come into the bytes from `start` to the end; how many, 0 = the peer has ended,
   * or -errno.
   */
  receive(fd: number, start: number): number {
    const { length } = this.bytes;
    assert(start < length, "a read has room for a byte");
    return resultOrErrno(
      libc.recv(fd, (this.#address + start) as never, length - start, MSG_DONTWAIT),
    );
  }

  /** Sends the first `size` bytes; how many the kernel took, or -errno (-EAGAIN: none now). */
  send(fd: number, size: number): number {
    assert(size <= this.bytes.length, "only bytes of the buffer are sent");
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return resultOrErrno(libc.send(fd, this.#address as never, size, flags));
  }
}
