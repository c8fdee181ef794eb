// A bound datagram socket with the receive arena of the daemon: what an observer would see, byte
// for byte.
import { existsSync, mkdtempSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AF_UNIX, POLLIN, SO_PASSCRED, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { PollSet } from "../../ffi/poll.ts";
import {
  CONTROL_GID,
  CONTROL_PID,
  CONTROL_STRIDE,
  CONTROL_UID,
  HEADER_FLAGS,
  HEADER_LENGTH,
  HEADER_STRIDE,
  ReceiveBatch,
} from "../../ffi/receive_batch.ts";
import { bind, close, openSocket, setSocketOption, unixAddress } from "../../ffi/socket.ts";
import { decode } from "../../src/wire/decode.ts";
import type { Frame } from "../../src/wire/frame.ts";

export interface Received {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly flags: number;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export class BoundReceiver {
  readonly path: string;
  readonly #directory: string;
  readonly #batch = new ReceiveBatch({ iovBytes: 33, stride: 64, credentials: true });
  #fd = -1;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "varta-receiver-"));
    this.path = join(this.#directory, "varta.sock");
    this.bind();
  }

  get fd(): number {
    return this.#fd;
  }

  bind(): void {
    this.#fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    check(setSocketOption(this.#fd, SO_PASSCRED, 1), "SO_PASSCRED");
    check(bind(this.#fd, unixAddress(this.path)), "bind");
  }

  /** Closes the socket, as an observer that ends: the path goes too. */
  end(): void {
    this.abandon();
    if (existsSync(this.path)) unlinkSync(this.path);
  }

  /** Closes the socket and leaves its path, as an observer that was killed. */
  abandon(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }

  /** Everything that waits now. */
  receive(): Received[] {
    const all: Received[] = [];
    for (;;) {
      const count = check(this.#batch.receive(this.#fd), "receive");
      if (count === 0) return all;
      for (let i = 0; i < count; i++) all.push(this.#slot(i));
      this.#batch.reset(count);
    }
  }

  /** Everything that waits, once there is something; fails after five seconds of silence. */
  receiveSome(): Received[] {
    const poll = new PollSet(1);
    poll.add(this.#fd, POLLIN);
    if (poll.wait(5_000) !== 1) throw new Error("nothing was received within five seconds");
    return this.receive();
  }

  /** The frames that wait now, decoded; a hello or a bye is none. */
  frames(): Frame[] {
    return this.receive()
      .filter(({ bytes }) => !isControl(bytes))
      .map((received) => frameOf(received));
  }

  [Symbol.dispose](): void {
    this.end();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #slot(i: number): Received {
    const { words, bytes, dataWord, dataStride, controlWord } = this.#batch;
    const size = words[i * HEADER_STRIDE + HEADER_LENGTH]!;
    const at = (dataWord + i * dataStride) * 4;
    const control = controlWord + i * CONTROL_STRIDE;
    return {
      bytes: bytes.slice(at, at + size),
      size,
      flags: words[i * HEADER_STRIDE + HEADER_FLAGS]!,
      pid: words[control + CONTROL_PID]!,
      uid: words[control + CONTROL_UID]!,
      gid: words[control + CONTROL_GID]!,
    };
  }
}

/** A hello or a bye: "VC". */
export function isControl(bytes: Uint8Array): boolean {
  return bytes[1] === 0x43;
}

export function frameOf(received: Received): Frame {
  const decoded = decode(received.bytes);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.frame;
}
