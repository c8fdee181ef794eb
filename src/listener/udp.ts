// The plaintext UDP listener (spec 05 section 6): datagrams of exactly 32 bytes from any sender
// that can reach the port. Nothing vouches for the pid in them, so beats are never taken for
// attested ones; the operator may accept the risk of recovery for one listener.
import * as arena from "../../ffi/receive_batch.ts";
import type { SocketAddress } from "../../ffi/socket.ts";
import { IP_WORDS } from "../base/ip_text.ts";
import { BATCH_SIZE } from "../base/limits.ts";
import { ORIGIN_NETWORK_UNVERIFIED, ORIGIN_OPERATOR_ATTESTED } from "../base/origin.ts";
import { REJECT_WRONG_SIZE } from "../base/reject_reason.ts";
import { DATA_STRIDE_BYTES, readBytesOf, verdictOfSize } from "./data_slots.ts";
import { HeldUdpSocket } from "./held_udp_socket.ts";
import type { Listener } from "./listener.ts";
import { ReceivedBatch } from "./received_batch.ts";
import type { RubbishFilter } from "./rubbish_filter.ts";
import { frameFilters, UDP_HEADER_BYTES } from "./rubbish_program.ts";
import { readSource } from "./sources.ts";
import { PID_MIN } from "../wire/frame.ts";
import { UdpSocket, type UdpSocketOptions } from "./udp_socket.ts";

export interface UdpListenerOptions extends UdpSocketOptions {
  /** True: beats may lead to a recovery, at the operator's risk. */
  readonly acceptRecovery: boolean;
  /** Takes hellos and byes, too; it does not change. */
  readonly takesControl?: boolean;
}

export class UdpListener implements Listener {
  readonly kind = "udp";
  readonly name: string;
  readonly allowList = undefined;
  readonly batch: ReceivedBatch;
  /** Datagrams of a wrong size. */
  truncated = 0;
  readonly #held: HeldUdpSocket;
  readonly #takesControl: boolean;
  readonly #arena: arena.ReceiveBatch;

  /** Binds a socket if it is given none; throws `UdpSocketError` if it cannot. */
  constructor(options: UdpListenerOptions, socket?: UdpSocket) {
    this.name = options.name;
    const takesControl = options.takesControl === true;
    this.#takesControl = takesControl;
    this.#arena = new arena.ReceiveBatch({
      iovBytes: readBytesOf(takesControl),
      stride: DATA_STRIDE_BYTES,
      credentials: false,
      sources: true,
    });
    this.#held = new HeldUdpSocket(socket ?? new UdpSocket(options), {
      programs: (sample) =>
        frameFilters({ at: UDP_HEADER_BYTES, sample, pidMin: PID_MIN, takesControl }),
      sealed: false,
      takesControl: () => takesControl,
    });
    const hasSources = this.#arena.nameWord >= 0;
    const sources = hasSources ? new Uint32Array(BATCH_SIZE * IP_WORDS) : undefined;
    this.batch = new ReceivedBatch(this.#arena.words, sources);
    const { dataWord, dataStride } = this.#arena;
    for (let i = 0; i < this.batch.frameWord.length; i++)
      this.batch.frameWord[i] = dataWord + i * dataStride;
    this.change(options);
  }

  get address(): string {
    return this.socket.address;
  }

  get ownAddress(): SocketAddress {
    return this.socket.ownAddress;
  }

  get socket(): UdpSocket {
    return this.#held.socket;
  }

  get filter(): RubbishFilter {
    return this.#held.filter;
  }

  get fd(): number {
    return this.#held.fd;
  }

  /** Goes by other options from the next receive on; the socket is the same. */
  change({ acceptRecovery, rcvbufBytes }: UdpListenerOptions): void {
    this.batch.origin.fill(acceptRecovery ? ORIGIN_OPERATOR_ATTESTED : ORIGIN_NETWORK_UNVERIFIED);
    this.socket.changeReceiveBuffer(rcvbufBytes);
  }

  /** Receives by another socket from now on; the one before is the caller's. */
  moveTo(socket: UdpSocket): void {
    this.#held.moveTo(socket);
  }

  /** Its socket is another one's; `close` leaves it alone. */
  forsake(): void {
    this.#held.forsake();
  }

  /** The bound port, also if 0 was asked for. */
  get port(): number {
    return this.socket.port;
  }

  /** SO_RCVBUF as the kernel granted it; 0 = not set. */
  get rcvbufBytes(): number {
    return this.socket.rcvbufBytes;
  }

  receive(_nowNs: number): number {
    const count = this.#arena.receive(this.socket.fd);
    if (this.#held.filter.isCounting) this.#held.filter.count(this.#arena, count);
    const { words } = this.#arena;
    const { verdict } = this.batch;
    for (let i = 0; i < count; i++) {
      const length = words[i * arena.HEADER_STRIDE + arena.HEADER_LENGTH]!;
      const found = verdictOfSize(length, this.#takesControl);
      verdict[i] = found;
      if (found === REJECT_WRONG_SIZE) this.truncated++;
    }
    const { sources } = this.batch;
    if (sources !== undefined) for (let i = 0; i < count; i++) readSource(this.#arena, i, sources);
    return count;
  }

  /** Datagrams that the kernel dropped because the buffer was full. */
  get kernelDrops(): number {
    return this.#held.kernelDrops;
  }

  close(): void {
    this.#held.close();
  }
}
