// The descriptors that the service manager keeps for the next start of the daemon (spec 05 section
// 9): FDSTORE=1 puts a copy of one there, FDSTOREREMOVE=1 takes it out again. Nothing blocks: what
// its queue has no room for is sent later, in the same order.
import { EAGAIN, ENOBUFS } from "../../ffi/constants.ts";
import { sendDescriptor } from "../../ffi/descriptors.ts";
import { close, sendTo } from "../../ffi/socket.ts";
import { assert } from "../base/assert.ts";
import { NS_PER_MS } from "../base/time.ts";
import { type NotifySocket, openNotifySocket } from "./notify_socket.ts";

/** What the service manager takes for a name. */
export const FDNAME_BYTES_MAX = 255;
const RETRY_NS = 50 * NS_PER_MS;

interface Order {
  readonly name: string;
  /** Undefined = it is to be taken out. */
  readonly fd: number | undefined;
}

const encoder = new TextEncoder();

export class FdStore {
  readonly #socket: NotifySocket;
  /** What was not sent yet. */
  #waiting: Order[] = [];
  #nextTryNs = 0;

  /** Undefined = there is no service manager, or it cannot be reached. */
  static open(env: Readonly<Record<string, string | undefined>>): FdStore | undefined {
    const name = env["NOTIFY_SOCKET"];
    const socket = name === undefined ? "" : openNotifySocket(name);
    return typeof socket === "string" ? undefined : new FdStore(socket);
  }

  private constructor(socket: NotifySocket) {
    this.#socket = socket;
  }

  /** `fd` must stay open until it was sent, or is removed. */
  add(name: string, fd: number): void {
    assert(isFdName(name), "the name is one that the service manager takes");
    this.#give({ name, fd });
  }

  /** Takes out what has the name. */
  remove(name: string): void {
    const added = this.#waiting.findIndex((order) => order.name === name && order.fd !== undefined);
    if (added >= 0) this.#waiting.splice(added, 1);
    else this.#give({ name, fd: undefined });
  }

  /** It was sent that something of this name is to be kept. */
  has(name: string): boolean {
    return this.#waiting.every((order) => order.name !== name);
  }

  nextDeadlineNs(): number {
    return this.#waiting.length === 0 ? Number.POSITIVE_INFINITY : this.#nextTryNs;
  }

  maintain(nowNs: number): void {
    if (this.#waiting.length === 0 || nowNs < this.#nextTryNs) return;
    this.#nextTryNs = nowNs + RETRY_NS;
    this.flush();
  }

  /** Sends what the service manager has room for. */
  flush(): void {
    let sent = 0;
    while (sent < this.#waiting.length && this.#send(this.#waiting[sent]!)) sent++;
    this.#waiting.splice(0, sent);
  }

  close(): void {
    close(this.#socket.fd);
  }

  #give(order: Order): void {
    this.#waiting.push(order);
    this.flush();
  }

  /** False = there is no room for it now. What is refused for another reason is given up. */
  #send({ name, fd }: Order): boolean {
    const { fd: from, address } = this.#socket;
    const text = fd === undefined ? "FDSTOREREMOVE=1" : "FDSTORE=1";
    const bytes = encoder.encode(`${text}\nFDNAME=${name}\n`);
    const result =
      fd === undefined
        ? sendTo(from, bytes, address)
        : sendDescriptor(from, bytes, { address, passed: fd });
    return result !== -EAGAIN && result !== -ENOBUFS;
  }
}

/** ASCII without control characters and colons. */
function isFdName(name: string): boolean {
  return name.length <= FDNAME_BYTES_MAX && /^[\x20-\x39\x3b-\x7e]+$/.test(name);
}
