// The simulated sockets and what is on its way to them. Nothing is lost unseen: a datagram is
// delayed, duplicated or overtaken, and a full socket refuses its sender. Each socket exists twice,
// for the daemon and for the model, and both copies get the same datagrams and the same failures in
// the same order.
import { BATCH_SIZE } from "../../src/base/limits.ts";
import type { SimulatedProcess } from "./process_table.ts";

export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly controlTruncated: boolean;
  /** Undefined = the kernel attached none. UDP has none. */
  readonly credentials: Credentials | undefined;
  /**
   * The process that the credentials name at the moment of the send; undefined = there is none, or
   * over UDP.
   */
  readonly sender?: SimulatedProcess | undefined;
  /** True time at which the daemon sent it to itself: nothing is to come of it. */
  readonly selfBeatNs?: number;
}

/**
 * Whether the process that is to send a datagram is still there: one that ended in its send sends
 * nothing.
 */
export type CanSend = (datagram: Datagram) => boolean;

export interface LinkOptions {
  readonly name: string;
  readonly kind: "unix" | "udp";
  /** UDP: the operator lets agents of this listener be recovered. */
  readonly acceptRecovery: boolean;
  /** Unix: the kernel says of each datagram whether its sender is there. */
  readonly kernelVouches: boolean;
  /** Unix: senders may state the pid that they have in a container. */
  readonly containers: boolean;
  /** Unix: the uids that are accepted, undefined = all. */
  readonly allowUids: readonly number[] | undefined;
  /** Unix: datagrams that the socket holds; undefined = that is not known. */
  readonly queueLength: number | undefined;
}

/** The receiving end of one socket. */
export class SocketQueue {
  readonly #canSend: CanSend;
  #queue: Datagram[] = [];
  #late: { takesLeft: number; readonly datagram: Datagram }[] = [];
  #failures: number[] = [];

  constructor(canSend: CanSend) {
    this.#canSend = canSend;
  }

  get length(): number {
    return this.#queue.length + this.#late.length;
  }

  push(datagram: Datagram): void {
    if (!this.#canSend(datagram)) return;
    if (datagram.sender !== undefined) datagram.sender.hasSent = true;
    this.#queue.push(datagram);
  }

  /** Arrives after so many more receives: while the daemon is at work. */
  pushLate(datagram: Datagram, takes: number): void {
    this.#late.push({ takesLeft: takes, datagram });
  }

  /** The next `count` receives fail with `errno` and take nothing. */
  failNext(count: number, errno: number): void {
    for (let i = 0; i < count; i++) this.#failures.push(errno);
  }

  /** Up to a batch of datagrams, or -errno. */
  take(): Datagram[] | number {
    for (const late of this.#late) late.takesLeft -= 1;
    for (const late of this.#late) if (late.takesLeft <= 0) this.push(late.datagram);
    this.#late = this.#late.filter((late) => late.takesLeft > 0);
    const errno = this.#failures.shift();
    if (errno !== undefined) return -errno;
    return this.#queue.splice(0, BATCH_SIZE);
  }
}

/** One listener's socket, both copies of it, and the datagrams in transit. */
export class Link {
  readonly options: LinkOptions;
  /** Whether the process that sent a datagram, or is to send it, is there. */
  readonly canSend: CanSend;
  readonly daemonEnd: SocketQueue;
  readonly modelEnd: SocketQueue;
  /**
   * The filter that the daemon put on: one in so many datagrams that are no frames passes; 0 =
   * there is none.
   */
  filterSample = 0;
  readonly #transit: { readonly dueNs: number; readonly datagram: Datagram }[] = [];

  constructor(options: LinkOptions, canSend: CanSend) {
    this.options = options;
    this.canSend = canSend;
    this.daemonEnd = new SocketQueue(canSend);
    this.modelEnd = new SocketQueue(canSend);
  }

  get isFull(): boolean {
    const { queueLength = 16_384 } = this.options;
    return this.daemonEnd.length + this.#transit.length >= queueLength;
  }

  /**
   * False if the queue is full: the sender sees EAGAIN. True times; what is due at once is in the
   * queue at once.
   */
  send(datagram: Datagram, dueNs: number, nowNs: number): boolean {
    if (this.isFull) return false;
    let at = this.#transit.length;
    while (at > 0 && this.#transit[at - 1]!.dueNs > dueNs) at -= 1;
    this.#transit.splice(at, 0, { dueNs, datagram });
    if (dueNs <= nowNs) this.deliver(nowNs);
    return true;
  }

  sendLate(datagram: Datagram, takes: number): void {
    this.daemonEnd.pushLate(datagram, takes);
    this.modelEnd.pushLate(datagram, takes);
  }

  failNext(count: number, errno: number): void {
    this.daemonEnd.failNext(count, errno);
    this.modelEnd.failNext(count, errno);
  }

  /** Puts what is due into the socket; returns the number of datagrams. */
  deliver(trueNs: number): number {
    let count = 0;
    while (count < this.#transit.length && this.#transit[count]!.dueNs <= trueNs) count += 1;
    for (const { datagram } of this.#transit.splice(0, count)) {
      this.daemonEnd.push(datagram);
      this.modelEnd.push(datagram);
    }
    return count;
  }

  /** When the next datagram arrives; Infinity = nothing is on its way. */
  get nextArrivalNs(): number {
    return this.#transit[0]?.dueNs ?? Number.POSITIVE_INFINITY;
  }
}
