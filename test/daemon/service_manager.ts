// A service manager's end of NOTIFY_SOCKET: a real datagram socket at a path or an abstract name,
// with the sender that the kernel attests, as NotifyAccess=main checks it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AF_UNIX, SO_PASSCRED, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import {
  CONTROL_PID,
  CONTROL_STRIDE,
  HEADER_LENGTH,
  HEADER_STRIDE,
  ReceiveBatch,
} from "../../ffi/receive_batch.ts";
import { bind, close, openSocket, sendTo, setSocketOption, unixAddress } from "../../ffi/socket.ts";
import { until } from "../support/until.ts";

export interface Message {
  readonly text: string;
  readonly pid: number;
  readonly atMs: number;
}

let abstractNames = 0;

export class ServiceManager {
  /** What NOTIFY_SOCKET says. */
  readonly name: string;
  /** All messages so far. */
  readonly messages: Message[] = [];
  readonly #directory: string;
  readonly #fd: number;
  readonly #batch = new ReceiveBatch({ iovBytes: 256, stride: 256, credentials: true });

  constructor(kind: "path" | "abstract" = "path") {
    this.#directory = mkdtempSync(join(tmpdir(), "varta-notify-"));
    this.name =
      kind === "path"
        ? join(this.#directory, "notify")
        : `@varta-notify-${process.pid}-${abstractNames++}`;
    this.#fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    check(setSocketOption(this.#fd, SO_PASSCRED, 1), "SO_PASSCRED");
    check(bind(this.#fd, unixAddress(this.name)), "bind");
  }

  /** Texts of the messages that wait now. */
  read(): string[] {
    const texts: string[] = [];
    for (;;) {
      const count = check(this.#batch.receive(this.#fd), "receive");
      if (count === 0) break;
      for (let i = 0; i < count; i++) this.messages.push(this.#message(i));
      texts.push(...this.messages.slice(-count).map(({ text }) => text));
      this.#batch.reset(count);
    }
    return texts;
  }

  /** Waits until `count` messages began with `prefix`. */
  untilTold(prefix: string, count = 1, msMax?: number): Promise<void> {
    const told = () => {
      this.read();
      return this.messages.filter(({ text }) => text.startsWith(prefix)).length >= count;
    };
    return until(`${count} messages that begin with ${prefix}`, told, msMax);
  }

  /** Puts messages of this process into the queue until it takes no more. */
  fillQueue(): void {
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    const address = unixAddress(this.name);
    const filler = new TextEncoder().encode("FILLER=1\n");
    while (sendTo(fd, filler, address) >= 0);
    close(fd);
  }

  [Symbol.dispose](): void {
    close(this.#fd);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #message(i: number): Message {
    const { words, bytes, dataWord, dataStride, controlWord } = this.#batch;
    const at = (dataWord + i * dataStride) * 4;
    const size = words[i * HEADER_STRIDE + HEADER_LENGTH]!;
    return {
      text: new TextDecoder().decode(bytes.slice(at, at + size)),
      pid: words[controlWord + i * CONTROL_STRIDE + CONTROL_PID]!,
      atMs: performance.now(),
    };
  }
}
