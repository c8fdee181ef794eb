// The bound socket under both UDP listeners (spec 05 section 6): IPv4 or IPv6, never both at once,
// so that 0.0.0.0 and :: can be bound to one port. It knows how many datagrams the kernel had to
// drop because its buffer was full: an agent whose beats end there looks silent, and only this
// number tells it from a dead one.
import {
  AF_INET6,
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  IS_LINUX,
  SOCK_DGRAM,
  SO_RCVBUF,
} from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import {
  type SocketAddress,
  bind,
  boundPort,
  close,
  getSocketOption,
  inetAddress,
  kernelDrops,
  openSocket,
  setIpv6Only,
  setSocketOption,
} from "../../ffi/socket.ts";
import { detachFilter } from "../../ffi/socket_filter.ts";
import { interfaceNumber, parseIp } from "../base/ip_address.ts";
import type { KeptSockets } from "../sockets/kept_sockets.ts";
import { bindBeside } from "../sockets/overlapping.ts";

/**
 * The kernel's own buffer is full after 280 datagrams: four milliseconds of a flood, and two cores
 * are often busy longer.
 */
const FLOOD_RCVBUF_BYTES = 4 * 1_048_576;

export interface UdpSocketOptions {
  /** Of the listener, for messages. */
  readonly name: string;
  /** An IPv4 or IPv6 literal. */
  readonly address: string;
  /** 0 = the kernel chooses one. */
  readonly port: number;
  /** Requested SO_RCVBUF; 0 = kernel default. */
  readonly rcvbufBytes: number;
  /** Those that outlive the process; undefined = none does. */
  readonly kept?: KeptSockets | undefined;
}

/** The socket could not be opened or bound; `hint` says what the operator can do. */
export class UdpSocketError extends Error {
  override readonly name = "UdpSocketError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export class UdpSocket {
  readonly fd: number;
  readonly address: string;
  readonly port: number;
  /** Where this machine reaches it. */
  readonly ownAddress: SocketAddress;
  readonly #kept: KeptSockets | undefined;
  #rcvbufBytes = 0;
  #rcvbufBytesWanted: number;
  #dropsSeen = 0;
  #closed = false;

  /**
   * Takes over the socket that was handed over for the address, or binds one. The sockets `leaving`
   * of this process are about to be closed, and are not in the way.
   */
  constructor(options: UdpSocketOptions, leaving: readonly number[] = []) {
    const address = socketAddress(options);
    this.address = options.address;
    this.#rcvbufBytesWanted = options.rcvbufBytes;
    this.#kept = options.kept;
    const taken = this.#kept?.takeUdp(options, address);
    if (taken !== undefined) {
      this.fd = taken;
      this.port = options.port;
      this.ownAddress = reachable(options);
      this.#adopt(options);
      return;
    }
    this.fd = orThrow(openSocket(address.family, SOCK_DGRAM), options);
    try {
      if (address.family === AF_INET6) orThrow(setIpv6Only(this.fd), options);
      // Before bind: a burst that waits for the port must find the large buffer.
      this.#rcvbufBytes = grantReceiveBuffer(this.fd, options.rcvbufBytes);
      const inTheWay = [...leaving, ...(this.#kept?.udpLeaving(options.port) ?? [])];
      const result = bindBeside(this.fd, inTheWay, () => bind(this.fd, address));
      orThrow(result, options);
      this.port = orThrow(boundPort(this.fd), options);
      this.ownAddress = reachable({ ...options, port: this.port });
    } catch (error) {
      close(this.fd);
      throw error;
    }
    // Of one whose port the kernel chose, no daemon that starts would know where it is.
    if (options.port !== 0) this.#kept?.keepUdp(this.fd, options);
  }

  /** SO_RCVBUF as the kernel granted it; 0 = not set. */
  get rcvbufBytes(): number {
    return this.#rcvbufBytes;
  }

  /** Asks for another buffer; 0 leaves the one that there is. */
  changeReceiveBuffer(bytes: number): void {
    if (bytes === this.#rcvbufBytesWanted) return;
    this.#rcvbufBytesWanted = bytes;
    if (bytes > 0) this.#rcvbufBytes = grantReceiveBuffer(this.fd, bytes);
  }

  /**
   * Asks for a buffer that bears a flood, if the configuration asks for none; one that would be
   * smaller is not taken.
   */
  bearFlood(): void {
    if (this.#rcvbufBytes > 0) return;
    const before = getSocketOption(this.fd, SO_RCVBUF);
    const granted = grantReceiveBuffer(this.fd, FLOOD_RCVBUF_BYTES);
    this.#rcvbufBytes = granted;
    // The kernel doubles what it is asked for.
    if (granted < before) this.#rcvbufBytes = grantReceiveBuffer(this.fd, Math.floor(before / 2));
  }

  /** Datagrams that the kernel dropped since the last call; 0 where it does not say (not Linux). */
  drainKernelDrops(): number {
    if (this.#closed) return 0;
    const drops = kernelDrops(this.fd);
    if (drops < 0) return 0;
    const since = (drops - this.#dropsSeen) >>> 0;
    this.#dropsSeen = drops;
    return since;
  }

  /** Idempotent. A socket that outlives the process is closed here alone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kept?.release(this.fd);
    close(this.fd);
  }

  /** Undoes what the daemon before has left on it; what was dropped in its time, it has counted. */
  #adopt({ rcvbufBytes }: UdpSocketOptions): void {
    // Usually there is no filter, which is no fault.
    detachFilter(this.fd);
    this.#rcvbufBytes = grantReceiveBuffer(this.fd, rcvbufBytes);
    this.#dropsSeen = Math.max(0, kernelDrops(this.fd));
  }
}

/** One that is bound to all addresses is reached by the loopback. */
function reachable(bound: UdpSocketOptions): SocketAddress {
  const isAny = parseIp(bound.address)!.bytes.every((byte) => byte === 0);
  if (!isAny) return socketAddress(bound);
  return socketAddress({ ...bound, address: bound.address.includes(":") ? "::1" : "127.0.0.1" });
}

function socketAddress(options: UdpSocketOptions): SocketAddress {
  const parsed = parseIp(options.address);
  if (parsed === undefined)
    throw new UdpSocketError(
      `${cannot(options)}: the address is no IPv4 or IPv6 literal`,
      "write an address of this machine, such as 127.0.0.1 or ::1",
    );
  const { bytes, zone } = parsed;
  if (zone === "") return inetAddress(bytes, options.port);
  const scopeId = interfaceNumber(zone);
  if (scopeId !== undefined) return inetAddress(bytes, options.port, scopeId);
  throw new UdpSocketError(
    `${cannot(options)}: this machine has no interface ${zone} with an IPv6 address`,
    `see the interfaces with: ${IS_LINUX ? "ip -6 address" : "ifconfig"}`,
  );
}

function orThrow(result: number, options: UdpSocketOptions): number {
  if (result < 0)
    throw new UdpSocketError(`${cannot(options)}: ${errnoText(-result)}`, hintFor(-result));
  return result;
}

function cannot({ name, address, port }: UdpSocketOptions): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return `cannot open listener ${name} on UDP ${host}:${port}`;
}

function hintFor(errno: number): string {
  switch (errno) {
    case EADDRINUSE:
      return `another program has the port: ${IS_LINUX ? "ss -lunp" : "lsof -nP -iUDP"} shows which`;
    case EADDRNOTAVAIL:
      return `no interface of this machine has the address: ${IS_LINUX ? "ip address" : "ifconfig"} shows them`;
    case EACCES:
      return `ports below 1024 need ${IS_LINUX ? "CAP_NET_BIND_SERVICE" : "root"}: take a higher one`;
    default:
      return "see ulimit -n, and whether the kernel has the address family";
  }
}

// Soft: a smaller buffer than asked for is no reason to stay down. The kernel caps it at
// net.core.rmem_max.
function grantReceiveBuffer(fd: number, bytes: number): number {
  if (bytes === 0 || setSocketOption(fd, SO_RCVBUF, bytes) < 0) return 0;
  return Math.max(0, getSocketOption(fd, SO_RCVBUF));
}
