// What the loop waits for (spec 12 section 1): the sockets of listeners, the connections of the
// servers, the runtime's events and the ends of processes. A reload that opens or closes one of
// them makes another set.
import { POLLIN } from "../../ffi/constants.ts";
import { PollSet } from "../../ffi/poll.ts";
import type { Listener } from "../listener/listener.ts";

interface WaitSetOptions {
  readonly listeners: readonly Listener[];
  readonly servers: readonly { readonly canBeWaitedFor: boolean; readonly fd: number }[];
  /** Descriptor of the runtime's event loop; -1 = not found. */
  readonly runtimeFd: number;
  /** Readable when the process of a member has ended; -1 = that is not followed. */
  readonly endsFd: number;
}

const NONE = -1;

export class WaitSet {
  readonly #poll: PollSet;
  readonly #listeners: readonly Listener[];
  readonly #servers: WaitSetOptions["servers"];
  readonly #runtimeIndex: number;
  readonly #endsIndex: number;
  /** Of each server; NONE = it is asked in every turn. */
  readonly #serverIndexes: readonly number[];
  /** For the socket that a listener had before; NONE = such a listener never has one. */
  readonly #formerIndexes: readonly number[];

  constructor({ listeners, servers, runtimeFd, endsFd }: WaitSetOptions) {
    const poll = new PollSet(2 * listeners.length + servers.length + 2);
    const place = (fd: number | undefined): number =>
      fd === undefined ? NONE : poll.add(fd, POLLIN);
    this.#poll = poll;
    this.#listeners = listeners;
    this.#servers = servers;
    for (const { fd } of listeners) poll.add(fd, POLLIN);
    this.#formerIndexes = listeners.map(({ formerFd }) => place(formerFd));
    this.#runtimeIndex = runtimeFd < 0 ? NONE : place(runtimeFd);
    this.#serverIndexes = servers.map(({ canBeWaitedFor, fd }) =>
      canBeWaitedFor ? place(fd) : NONE,
    );
    this.#endsIndex = endsFd < 0 ? NONE : place(endsFd);
  }

  /** Waits; the number of what is ready, or -errno. */
  wait(timeoutMs: number): number {
    const servers = this.#servers;
    for (let i = 0; i < servers.length; i++) {
      const index = this.#serverIndexes[i]!;
      if (index !== NONE) this.#poll.replace(index, servers[i]!.fd);
    }
    return this.#poll.wait(timeoutMs);
  }

  get isRuntimeReady(): boolean {
    return this.#isReady(this.#runtimeIndex);
  }

  get isEndsReady(): boolean {
    return this.#isReady(this.#endsIndex);
  }

  /** True also if that cannot be known. */
  mayServerBeReady(server: number): boolean {
    const index = this.#serverIndexes[server]!;
    return index === NONE || this.#poll.revents(index) !== 0;
  }

  /**
   * Takes the sockets of a listener as they are now: it may have been bound again, and one that is
   * suspended is left out.
   */
  refresh(place: number, isSuspended: boolean): void {
    const listener = this.#listeners[place]!;
    this.#poll.replace(place, isSuspended ? -1 : listener.fd);
    const former = this.#formerIndexes[place]!;
    if (former !== NONE) this.#poll.replace(former, isSuspended ? -1 : listener.formerFd!);
  }

  #isReady(index: number): boolean {
    return index !== NONE && this.#poll.revents(index) !== 0;
  }
}
