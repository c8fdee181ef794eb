// The socket of a listener for UDP, with what belongs to it: the filter of the kernel, and what the
// kernel dropped. A reload gives a listener another socket, or its socket to another listener
// (spec 17 section 7.1).
import { KernelDrops } from "./kernel_drops.ts";
import { RubbishFilter, type RubbishFilterOptions } from "./rubbish_filter.ts";
import type { UdpSocket } from "./udp_socket.ts";

export class HeldUdpSocket {
  readonly filter: RubbishFilter;
  readonly #drops: KernelDrops;
  #socket: UdpSocket;
  /** It was given away. */
  #isForsaken = false;

  constructor(
    socket: UdpSocket,
    filter: Pick<RubbishFilterOptions, "programs" | "sealed" | "takesControl">,
  ) {
    this.#socket = socket;
    this.filter = new RubbishFilter({
      ...filter,
      fd: () => this.#socket.fd,
      onAttach: () => this.#drops.beforeAttach(),
    });
    this.#drops = new KernelDrops(() => this.#socket.drainKernelDrops(), this.filter);
  }

  get socket(): UdpSocket {
    return this.#socket;
  }

  /** -1 = it was given away. */
  get fd(): number {
    return this.#isForsaken ? -1 : this.#socket.fd;
  }

  /** Datagrams that the kernel dropped because the buffer was full. */
  get kernelDrops(): number {
    return this.#drops.total;
  }

  /** Another socket from now on; the one before is the caller's. */
  moveTo(socket: UdpSocket): void {
    this.#drops.look();
    this.filter.detach();
    this.#socket = socket;
  }

  /** It is another listener's: `close` leaves it alone. */
  forsake(): void {
    this.#drops.look();
    this.filter.detach();
    this.#isForsaken = true;
  }

  close(): void {
    if (!this.#isForsaken) this.#socket.close();
  }
}
