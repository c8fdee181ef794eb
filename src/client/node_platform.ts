// Lines by the sockets of the runtime (Node, Deno): streams and UDP. It connects and sends in its
// own time, so a failure is told by the next beat. Nothing here keeps a process alive.
import { createCipheriv, getCiphers } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, isIPv6, type Socket } from "node:net";
import { constants } from "node:os";
import { EAGAIN, ECONNREFUSED, EINPROGRESS, EIO, ENOTCONN } from "../../ffi/constants.ts";
import type { Aead } from "../wire/secure_frame.ts";
import type { Line, OpenLine, Platform, UdpTarget } from "./platform.ts";

const CIPHER = "chacha20-poly1305";
const TAG_BYTES = 16;

let reading: readonly [number, number] = [0, 0];

export const nodePlatform: Platform = {
  system: {
    pid: () => process.pid,
    readClock: () => {
      reading = process.hrtime();
      return 0;
    },
    seconds: () => reading[0],
    nanoseconds: () => reading[1],
  },
  hasDatagrams: false,
  aead: getCiphers().includes(CIPHER) ? seal : undefined,
  effectiveUid: () => process.geteuid?.() ?? 0,
  local: (path) => streamLine(path),
  udp,
};

function streamLine(path: string): OpenLine {
  // As in an address by FFI: "@" begins an abstract name.
  const name = path.startsWith("@") ? `\0${path.slice(1)}` : path;
  return (opened) => new StreamLine(connect({ path: name }), opened);
}

function udp({ host, port }: UdpTarget): OpenLine {
  return (opened) =>
    new UdpLine(createSocket(isIPv6(host) ? "udp6" : "udp4"), { host, port, opened });
}

class StreamLine implements Line {
  readonly #socket: Socket;
  #isOpen = false;
  /** Error number of its end; 0 = it has not ended. */
  #ended = 0;

  constructor(socket: Socket, opened: () => void) {
    this.#socket = socket;
    socket.unref();
    // Nothing comes back; the end is only seen by who reads.
    socket.resume();
    socket.once("connect", () => {
      this.#isOpen = true;
      opened();
    });
    socket.on("error", (error) => this.#end(errnoOf(error)));
    socket.on("end", () => this.#end(ENOTCONN));
    socket.on("close", () => this.#end(ENOTCONN));
  }

  send(datagram: Uint8Array): number {
    if (this.#ended !== 0) return -this.#ended;
    if (!this.#isOpen) return -EINPROGRESS;
    // The runtime keeps what the kernel did not take; one frame at most may wait there.
    if (this.#socket.writableLength > 0) return -EAGAIN;
    this.#socket.write(Buffer.from(datagram));
    return this.#ended === 0 ? datagram.length : -this.#ended;
  }

  end(): void {
    this.#socket.end();
  }

  drop(): void {
    this.#socket.destroy();
  }

  #end(errnoNumber: number): void {
    if (this.#ended === 0) this.#ended = errnoNumber;
  }
}

class UdpLine implements Line {
  readonly #socket: UdpSocket;
  #isOpen = false;
  #ended = 0;
  /** What was refused is an earlier beat, and the socket is good. */
  #wasRefused = false;
  #unanswered = 0;

  constructor(
    socket: UdpSocket,
    { host, port, opened }: { host: string; port: number; opened: () => void },
  ) {
    this.#socket = socket;
    socket.unref();
    socket.on("error", (error) => this.#failed(error));
    socket.connect(port, host, (error?: Error | null) => {
      if (error) {
        this.#failed(error);
        return;
      }
      this.#isOpen = true;
      opened();
    });
  }

  send(datagram: Uint8Array): number {
    if (this.#ended !== 0) return -this.#ended;
    if (!this.#isOpen) return -EINPROGRESS;
    if (this.#wasRefused) {
      this.#wasRefused = false;
      return -ECONNREFUSED;
    }
    if (this.#waiting() > 0) return -EAGAIN;
    this.#unanswered++;
    this.#socket.send(Buffer.from(datagram), (error) => {
      this.#unanswered--;
      if (error) this.#failed(error);
    });
    return datagram.length;
  }

  /** What the kernel has not taken yet; Deno does not say, so of it what it has not answered. */
  #waiting(): number {
    const socket: Partial<UdpSocket> = this.#socket;
    return socket.getSendQueueCount?.() ?? this.#unanswered;
  }

  end(): void {
    if (this.#ended === 0) this.#ended = ENOTCONN;
    try {
      this.#socket.close();
    } catch {
      // It was closed before.
    }
  }

  drop(): void {
    this.end();
  }

  #failed(error: Error): void {
    const errnoNumber = errnoOf(error);
    if (errnoNumber === ECONNREFUSED && this.#isOpen) this.#wasRefused = true;
    else if (this.#ended === 0) this.#ended = errnoNumber;
  }
}

/** The runtimes name an error by its code, such as "ENOENT"; their numbers differ. */
function errnoOf(error: unknown): number {
  const { code } = error as { readonly code?: unknown };
  const numbers: Readonly<Record<string, number>> = constants.errno;
  return numbers[String(code)] ?? EIO;
}

function seal({ key, nonce, additional, text }: Parameters<Aead>[0]): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  if (additional !== undefined) cipher.setAAD(additional, { plaintextLength: text.length });
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}
