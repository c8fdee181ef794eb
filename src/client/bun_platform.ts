// Lines by FFI: connected sockets of our own, which send within the call. Importing this throws
// PlatformError where the C library cannot be called.
import { readClock, clockNanoseconds, clockSeconds } from "../../ffi/clock.ts";
import {
  AF_UNIX,
  CLOCK_MONOTONIC,
  EAGAIN,
  ENOTSOCK,
  EPROTOTYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../ffi/constants.ts";
import { currentPid, effectiveUid } from "../../ffi/process.ts";
import {
  close,
  connect,
  inetAddress,
  openSocket,
  send,
  type SocketAddress,
  unixAddress,
} from "../../ffi/socket.ts";
import type { Line, LocalKind, OpenLine, Platform, UdpTarget } from "./platform.ts";

/** The longest datagram that a client sends: a sealed hello. */
const DATAGRAM_BYTES_MAX = 96;

export const bunPlatform: Platform = {
  system: {
    pid: currentPid,
    readClock: () => readClock(CLOCK_MONOTONIC),
    seconds: clockSeconds,
    nanoseconds: clockNanoseconds,
  },
  hasDatagrams: true,
  aead: undefined,
  effectiveUid,
  local,
  udp,
};

function local(path: string, kind: LocalKind): OpenLine {
  const address = unixAddress(path);
  if (kind === "stream") return (opened) => open(address, SOCK_STREAM, opened);
  if (kind === "datagram") return (opened) => open(address, SOCK_DGRAM, opened);
  return (opened) => {
    const line = open(address, SOCK_DGRAM, opened);
    return line === -EPROTOTYPE ? open(address, SOCK_STREAM, opened) : line;
  };
}

function udp({ bytes, port, scopeId }: UdpTarget): OpenLine {
  const address = inetAddress(bytes, port, scopeId);
  return (opened) => open(address, SOCK_DGRAM, opened);
}

function open(address: SocketAddress, type: number, opened: () => void): Line | number {
  const fd = openSocket(address.family, type);
  if (fd < 0) return fd;
  const result = connect(fd, address);
  if (result < 0) {
    close(fd);
    return result;
  }
  opened();
  const isStream = address.family === AF_UNIX && type === SOCK_STREAM;
  return isStream ? new StreamLine(fd) : new DatagramLine(fd);
}

class DatagramLine implements Line {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  send(datagram: Uint8Array): number {
    const result = send(this.#fd, datagram);
    // The host closed the descriptor and the number is now its own file, which must not be closed
    // here.
    if (result === -ENOTSOCK) this.#fd = -1;
    return result;
  }

  end(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }

  drop(): void {
    this.end();
  }
}

/** What a stream took only in part goes ahead of the next frame: frames are never cut. */
class StreamLine extends DatagramLine {
  readonly #rest = new Uint8Array(new ArrayBuffer(DATAGRAM_BYTES_MAX));
  #restBytes = 0;

  override send(datagram: Uint8Array): number {
    if (this.#restBytes > 0) {
      const sent = super.send(this.#rest.subarray(0, this.#restBytes));
      if (sent < 0) return sent;
      this.#rest.copyWithin(0, sent, this.#restBytes);
      this.#restBytes -= sent;
      if (this.#restBytes > 0) return -EAGAIN;
    }
    const sent = super.send(datagram);
    if (sent >= 0 && sent < datagram.length) {
      this.#rest.set(datagram.subarray(sent));
      this.#restBytes = datagram.length - sent;
    }
    return sent;
  }
}
