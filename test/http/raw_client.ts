// A client that sends bytes as they are, and counts the answers of a connection. It waits for the
// kernel, never for time.
import { connect, type Socket } from "node:net";

export interface RawAddress {
  readonly port?: number;
  /** The address that it comes from; of 127.0.0.0/8 any can be had. */
  readonly from?: string;
  readonly path?: string;
}

export class RawClient {
  /** All that came, as Latin-1. */
  received = "";
  /** The server sends nothing more, or has cut the connection. */
  hasEnded = false;
  readonly #socket: Socket;

  static async open({ port, from, path }: RawAddress): Promise<RawClient> {
    const socket =
      path !== undefined
        ? connect({ path, allowHalfOpen: true } as never)
        : connect({ port: port!, host: "127.0.0.1", ...(from && { localAddress: from }) } as never);
    const client = new RawClient(socket);
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
    });
    for (const event of ["end", "close", "error"])
      socket.on(event, () => {
        this.hasEnded = true;
      });
  }

  send(text: string): void {
    this.#socket.write(text, "latin1");
  }

  /** Says that nothing more comes; answers are still read. */
  end(text: string): void {
    this.#socket.end(text, "latin1");
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Status codes of the answers, in order. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 ([0-9]{3}) /g)].map(([, code]) => Number(code));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

export function request(path: string, fields = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;
}
