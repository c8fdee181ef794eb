// The listening socket of the HTTP server within its readiness set: a few connections are taken in
// a turn, and when the system has no descriptor for one the socket leaves the set for a moment, or
// the loop would spin.
import { EAGAIN, ECONNABORTED, EINTR, POLLIN } from "../../ffi/constants.ts";
import type { Readiness } from "../../ffi/readiness.ts";
import { close } from "../../ffi/socket.ts";
import { accept, acceptedAddress } from "../../ffi/stream.ts";
import { HTTP_ACCEPT_RETRY_NS, HTTP_ACCEPTS_PER_TURN_MAX } from "../base/limits.ts";
import { type CountHttp, HTTP } from "./counters.ts";

interface AcceptorOptions {
  readonly readiness: Readiness;
  readonly count: CountHttp;
  readonly nowNs: () => number;
  /** Takes over a connection; `address` is undefined for a peer on a Unix socket. */
  readonly admit: (fd: number, address: string | undefined) => void;
}

export class Acceptor {
  readonly #options: AcceptorOptions;
  #fd: number;
  /** When accepting is tried again; +Infinity = it is not suspended. */
  #againNs = Number.POSITIVE_INFINITY;

  /** `fd` listens; it is closed with this. */
  constructor(fd: number, options: AcceptorOptions) {
    this.#options = options;
    this.#fd = fd;
    options.readiness.add(fd, POLLIN);
  }

  get fd(): number {
    return this.#fd;
  }

  get nextDeadlineNs(): number {
    return this.#againNs;
  }

  /** Takes what waits, until `endNs`, and no more than a turn may. */
  acceptSome(endNs: number): void {
    this.#acceptBatch(endNs);
  }

  /** True if more may wait, and there is time for it. */
  #acceptBatch(endNs: number): boolean {
    const { nowNs, admit } = this.#options;
    for (let i = 0; i < HTTP_ACCEPTS_PER_TURN_MAX; i++) {
      if (i > 0 && nowNs() >= endNs) return false;
      const fd = accept(this.#fd);
      if (fd >= 0) admit(fd, acceptedAddress());
      else if (fd === -EAGAIN) return false;
      else if (fd !== -EINTR && fd !== -ECONNABORTED) {
        this.#suspend();
        return false;
      }
    }
    return nowNs() < endNs;
  }

  maintain(nowNs: number): void {
    if (nowNs < this.#againNs) return;
    this.#againNs = Number.POSITIVE_INFINITY;
    this.#options.readiness.change(this.#fd, POLLIN);
  }

  /**
   * Accepts from another listening socket from now on; the one before it is closed. Who had come to
   * that one is taken, as far as `endNs` allows.
   */
  listenOn(fd: number, endNs: number): void {
    while (this.#acceptBatch(endNs));
    this.close();
    this.#fd = fd;
    this.#options.readiness.add(fd, POLLIN);
  }

  close(): void {
    this.#againNs = Number.POSITIVE_INFINITY;
    this.#options.readiness.remove(this.#fd);
    close(this.#fd);
  }

  #suspend(): void {
    const { count, nowNs, readiness } = this.#options;
    count(HTTP.dropped.accept_failed);
    readiness.change(this.#fd, 0);
    this.#againNs = nowNs() + HTTP_ACCEPT_RETRY_NS;
  }
}
