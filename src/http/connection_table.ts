// The connections that are open: by descriptor, by address, by who has waited longest, and by whose
// time is over. Memory of those that ended is taken over by new ones.
import { HTTP_CONNECTIONS_MAX } from "../base/limits.ts";
import { assert } from "../base/assert.ts";
import { Connection, LINGERING, READING } from "./connection.ts";

export class ConnectionTable {
  readonly #byFd = new Map<number, Connection>();
  readonly #perAddress = new Map<string, number>();
  readonly #spare: Connection[] = [];
  /** No deadline of a connection is earlier. */
  #earliestNs = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#byFd.size;
  }

  /** Not later than the earliest deadline of a connection. */
  get earliestNs(): number {
    return this.#earliestNs;
  }

  get(fd: number): Connection | undefined {
    return this.#byFd.get(fd);
  }

  /** All that are open now, whatever becomes of them meanwhile. */
  all(): Connection[] {
    return [...this.#byFd.values()];
  }

  add(fd: number, address: string | undefined): Connection {
    assert(this.size < HTTP_CONNECTIONS_MAX, "room was made for a connection");
    const opened = this.#spare.pop() ?? new Connection();
    opened.open(fd, address);
    this.#byFd.set(fd, opened);
    if (address !== undefined) this.#perAddress.set(address, this.countOf(address) + 1);
    return opened;
  }

  /** Its descriptor belongs to the caller again. */
  remove(open: Connection): void {
    const { address } = open;
    this.#byFd.delete(open.fd);
    if (address !== undefined) {
      const left = this.countOf(address) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    }
    open.abandon();
    this.#spare.push(open);
  }

  countOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }

  /** The one that has waited longest without asking for anything, of `address` if one is given. */
  longestIdle(address: string | undefined): Connection | undefined {
    let longest: Connection | undefined;
    for (const open of this.#byFd.values()) {
      if (!isIdle(open) || (address !== undefined && open.address !== address)) continue;
      if (longest === undefined || open.sinceNs < longest.sinceNs) longest = open;
    }
    return longest;
  }

  setDeadline(open: Connection, deadlineNs: number): void {
    open.deadlineNs = deadlineNs;
    if (deadlineNs < this.#earliestNs) this.#earliestNs = deadlineNs;
  }

  /**
   * Calls `expired`, which ends each of them or sets it another deadline, for those whose time is
   * over.
   */
  expire(nowNs: number, expired: (open: Connection) => void): void {
    if (nowNs < this.#earliestNs) return;
    for (const open of this.all()) if (nowNs >= open.deadlineNs) expired(open);
    this.#earliestNs = Number.POSITIVE_INFINITY;
    for (const { deadlineNs } of this.#byFd.values())
      if (deadlineNs < this.#earliestNs) this.#earliestNs = deadlineNs;
  }
}

/** It has asked for nothing that it did not get. */
export function isIdle({ state }: Connection): boolean {
  return state === READING || state === LINGERING;
}
