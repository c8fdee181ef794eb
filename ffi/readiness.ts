// Which of many descriptors are ready, at a cost that idle ones do not add to. On Linux an epoll
// descriptor, which can itself be waited for; elsewhere poll(2) over all of them, which has to be
// asked in every turn.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { EPOLL_EVENT } from "./layout.ts";
import { libcLinux } from "./libc.ts";
import { PollSet } from "./poll.ts";
import { close } from "./socket.ts";

/** Events are those of poll(2); POLLERR and POLLHUP are always reported. */
export interface Readiness {
  /** Readable when something is ready; -1 = it cannot be waited for. */
  readonly fd: number;
  /** 0 or -errno. */
  add(fd: number, events: number): number;
  change(fd: number, events: number): void;
  /** Before `fd` is closed: a child that has just been forked may still hold it open. */
  remove(fd: number): void;
  /** Looks without waiting; how many descriptors `readyFd` and `readyEvents` have, or -errno. */
  look(): number;
  readyFd(index: number): number;
  readyEvents(index: number): number;
  close(): void;
}

/**
 * `capacity` descriptors, of which `batch` are reported at a time; the others come first the next
 * time.
 */
export function openReadiness(capacity: number, batch: number): Readiness {
  return libcLinux === null ? new PolledReadiness(capacity, batch) : new EpollReadiness(batch);
}

const EVENT_STRIDE = EPOLL_EVENT.size / 4;
const EVENTS = EPOLL_EVENT.events / 4;
const DATA = EPOLL_EVENT.data / 4;

export class EpollReadiness implements Readiness {
  /** -errno if none could be opened. */
  readonly fd: number;
  readonly #batch: number;
  readonly #ready: Int32Array;
  readonly #readyAddress: ReturnType<typeof ptr>;
  readonly #event: Int32Array;
  readonly #eventAddress: ReturnType<typeof ptr>;

  constructor(batch: number) {
    assert(libcLinux !== null, "epoll is Linux's own");
    const ready = new ArrayBuffer(batch * EPOLL_EVENT.size);
    this.#batch = batch;
    this.#ready = new Int32Array(ready);
    this.#readyAddress = ptr(ready);
    const event = new ArrayBuffer(EPOLL_EVENT.size);
    this.#event = new Int32Array(event);
    this.#eventAddress = ptr(event);
    this.fd = resultOrErrno(libcLinux.epoll_create1(EPOLL_CLOEXEC));
  }

  add(fd: number, events: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, events);
  }

  change(fd: number, events: number): void {
    const result = this.#control(EPOLL_CTL_MOD, fd, events);
    assert(result === 0, "a descriptor that was added can be changed");
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  look(): number {
    return resultOrErrno(libcLinux!.epoll_wait(this.fd, this.#readyAddress, this.#batch, 0));
  }

  readyFd(index: number): number {
    return this.#ready[index * EVENT_STRIDE + DATA]!;
  }

  readyEvents(index: number): number {
    return this.#ready[index * EVENT_STRIDE + EVENTS]!;
  }

  close(): void {
    close(this.fd);
  }

  #control(operation: number, fd: number, events: number): number {
    this.#event[EVENTS] = events;
    this.#event[DATA] = fd;
    return resultOrErrno(libcLinux!.epoll_ctl(this.fd, operation, fd, this.#eventAddress));
  }
}

export class PolledReadiness implements Readiness {
  readonly fd = -1;
  readonly #batch: number;
  readonly #capacity: number;
  readonly #set: PollSet;
  readonly #fdAt: number[] = [];
  readonly #indexOf = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #ready: number[] = [];
  /** Where the next look begins, so that the first descriptors are not always the first. */
  #start = 0;

  constructor(capacity: number, batch: number) {
    this.#capacity = capacity;
    this.#batch = batch;
    this.#set = new PollSet(capacity);
  }

  add(fd: number, events: number): number {
    const free = this.#free.pop();
    const index = free ?? this.#set.add(fd, events);
    if (free !== undefined) this.#set.replace(index, fd, events);
    assert(index < this.#capacity, "the set is sized for all descriptors");
    this.#fdAt[index] = fd;
    this.#indexOf.set(fd, index);
    return 0;
  }

  change(fd: number, events: number): void {
    const index = this.#indexOf.get(fd);
    assert(index !== undefined, "a descriptor that was added can be changed");
    this.#set.replace(index, fd, events);
  }

  remove(fd: number): void {
    const index = this.#indexOf.get(fd);
    if (index === undefined) return;
    this.#indexOf.delete(fd);
    this.#fdAt[index] = -1;
    this.#set.replace(index, -1);
    this.#free.push(index);
  }

  look(): number {
    this.#ready.length = 0;
    const count = this.#set.wait(0);
    if (count <= 0) return count;
    const { length } = this.#fdAt;
    for (let i = 0; i < length && this.#ready.length < this.#batch; i++) {
      const index = (this.#start + i) % length;
      if (this.#fdAt[index] !== -1 && this.#set.revents(index) !== 0) this.#ready.push(index);
    }
    this.#start = ((this.#ready.at(-1) ?? 0) + 1) % length;
    return this.#ready.length;
  }

  readyFd(index: number): number {
    return this.#fdAt[this.#ready[index]!]!;
  }

  readyEvents(index: number): number {
    return this.#set.revents(this.#ready[index]!);
  }

  close(): void {}
}
