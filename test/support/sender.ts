// The test process as an agent: frames that it spells out itself, sent under its own credentials.
import { AF_UNIX, EAGAIN, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import {
  close,
  connect,
  openSocket,
  type SocketAddress,
  send,
  sendTo,
  unixAddress,
} from "../../ffi/socket.ts";
import { encode } from "../../src/wire/encode.ts";
import type { Frame } from "../../src/wire/frame.ts";

export class Sender implements Disposable {
  readonly #fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open a socket");
  readonly #address: SocketAddress;
  #nonce = 0n;
  #isConnected = false;

  constructor(socket: string) {
    this.#address = unixAddress(socket);
  }

  /**
   * Sends by a connected socket from now on: to the one that is at the path now, whatever comes
   * there later.
   */
  connect(): void {
    check(connect(this.#fd, this.#address), "connect");
    this.#isConnected = true;
  }

  /** Sends the next beat of this process; fields may be replaced. */
  beat(fields: Partial<Frame> = {}): Promise<void> {
    this.#nonce++;
    const timestamp = BigInt(Math.round(performance.now() * 1e6));
    const frame = { status: "ok", pid: process.pid, nonce: this.#nonce, payload: 0 } as const;
    return this.send(encode({ ...frame, timestamp, ...fields }));
  }

  async beats(count: number, fields: Partial<Frame> = {}): Promise<void> {
    for (let sent = 0; sent < count; sent++) await this.beat(fields);
  }

  /** Sends bytes as they are; waits while the observer's queue is full. */
  async send(bytes: Uint8Array): Promise<void> {
    for (;;) {
      const result = this.#isConnected
        ? send(this.#fd, bytes)
        : sendTo(this.#fd, bytes, this.#address);
      if (result !== -EAGAIN) {
        check(result, "send");
        return;
      }
      await Bun.sleep(1);
    }
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }
}
