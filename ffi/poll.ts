// poll(2) over a small, fixed-capacity set of descriptors. The loop blocks here and nowhere else.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import { resultOrErrno } from "./errno.ts";
import { POLLFD } from "./layout.ts";
import { libc } from "./libc.ts";

const FD = POLLFD.fd / 4;
const FD_STRIDE = POLLFD.size / 4;
const EVENTS = POLLFD.events / 2;
const REVENTS = POLLFD.revents / 2;
const EVENT_STRIDE = POLLFD.size / 2;

export class PollSet {
  readonly #fds: Int32Array;
  readonly #events: Int16Array;
  readonly #address: ReturnType<typeof ptr>;
  readonly #capacity: number;
  #count = 0;

  constructor(capacity: number) {
    assert(capacity > 0, "a poll set needs room for one descriptor");
    const buffer = new ArrayBuffer(capacity * POLLFD.size);
    this.#fds = new Int32Array(buffer);
    this.#events = new Int16Array(buffer);
    this.#address = ptr(buffer);
    this.#capacity = capacity;
  }

  /** Adds a descriptor and returns its index in the set. */
  add(fd: number, events: number): number {
    assert(this.#count < this.#capacity, "the poll set is sized for all descriptors");
    const index = this.#count++;
    this.#events[index * EVENT_STRIDE + EVENTS] = events;
    this.#events[index * EVENT_STRIDE + REVENTS] = 0;
    this.#fds[index * FD_STRIDE + FD] = fd;
    return index;
  }

  /**
   * Puts another descriptor at `index`; -1 takes the place out of the wait (poll skips negative
   * ones).
   */
  replace(index: number, fd: number, events = this.#events[index * EVENT_STRIDE + EVENTS]!): void {
    assert(index >= 0 && index < this.#count, "the index was given by add()");
    this.#events[index * EVENT_STRIDE + EVENTS] = events;
    this.#fds[index * FD_STRIDE + FD] = fd;
    this.#events[index * EVENT_STRIDE + REVENTS] = 0;
  }

  /**
   * Blocks until a descriptor is ready or `timeoutMs` passed; the number of ready ones, or -errno.
   */
  wait(timeoutMs: number): number {
    return resultOrErrno(libc.poll(this.#address, this.#count, timeoutMs));
  }

  /** What the last wait reported for the descriptor at `index`; 0 = nothing. */
  revents(index: number): number {
    return this.#events[index * EVENT_STRIDE + REVENTS]!;
  }
}
