// A bound UDP socket that gives back what it received, byte for byte; it can end and come back at
// the same port.
import { POLLIN, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { PollSet } from "../../ffi/poll.ts";
import { HEADER_LENGTH, HEADER_STRIDE, ReceiveBatch } from "../../ffi/receive_batch.ts";
import { bind, close, inetAddress, openSocket } from "../../ffi/socket.ts";
import { parseIp } from "../../src/base/ip_address.ts";
import { freeUdpPorts } from "../support/free_ports.ts";

const PATIENCE_MS = 5_000;

export class UdpReceiver implements Disposable {
  readonly host: string;
  readonly port: number;
  readonly #batch = new ReceiveBatch({ iovBytes: 65, stride: 128, credentials: false });
  #fd = -1;

  constructor(host: "127.0.0.1" | "::1" = "127.0.0.1") {
    this.host = host;
    // Never one that this process has had: the nonces of an endpoint go on for as long as its
    // process lives.
    this.port = freeUdpPorts(1, host)[0]!;
    this.#bind(this.port);
  }

  /** Closes the socket, as an observer that ends. */
  end(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }

  /** Binds the same port again. */
  comeBack(): void {
    this.#bind(this.port);
  }

  /** The next `count` datagrams; fails after five seconds of silence. */
  receive(count: number): Uint8Array[] {
    const datagrams: Uint8Array[] = [];
    const poll = new PollSet(1);
    poll.add(this.#fd, POLLIN);
    while (datagrams.length < count) {
      if (poll.wait(PATIENCE_MS) !== 1) throw new Error("nothing came within five seconds");
      datagrams.push(...this.waiting());
    }
    return datagrams;
  }

  /** What waits now. */
  waiting(): Uint8Array[] {
    const { words, bytes, dataWord, dataStride } = this.#batch;
    const count = check(this.#batch.receive(this.#fd), "receive");
    return Array.from({ length: count }, (_, i) => {
      const at = (dataWord + i * dataStride) * 4;
      return bytes.slice(at, at + words[i * HEADER_STRIDE + HEADER_LENGTH]!);
    });
  }

  [Symbol.dispose](): void {
    this.end();
  }

  #bind(port: number): void {
    const address = inetAddress(parseIp(this.host)!.bytes, port);
    this.#fd = check(openSocket(address.family, SOCK_DGRAM), "open");
    check(bind(this.#fd, address), "bind");
  }
}
