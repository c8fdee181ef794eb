// One connection of the control socket: the bytes that came and are no line yet, and those of an
// answer that did not leave yet. It decides nothing: when to read, write and close is the server's
// business.
import { EAGAIN, EINTR, EPIPE } from "../../ffi/constants.ts";
import type { PeerCredentials } from "../../ffi/peer.ts";
import { StreamBuffer } from "../../ffi/stream.ts";
import type { Pieces } from "../base/pieces.ts";

/** Longest line of a request, without its end. */
export const LINE_BYTES_MAX = 64 * 1_024;
/** The next piece of an answer is made when less than this is unsent. */
const UNSENT_BYTES_MAX = 64 * 1_024;
const SEND_BYTES_MAX = 64 * 1_024;
const LF = 0x0a;

/** What all connections read and write through: the kernel copies it within the call. */
const received = new StreamBuffer(LINE_BYTES_MAX + 1);
const sent = new StreamBuffer(SEND_BYTES_MAX);
const NOTHING = new Uint8Array(0);

export const SENT_ALL = 0;
const SENT_SOME = 1;
export const SEND_FAILED = 2;

export class ControlConnection {
  readonly fd: number;
  readonly peer: PeerCredentials | undefined;
  /** Events that the server waits for. */
  events = 0;
  deadlineNs = 0;
  requests = 0;
  /** The answer under way; undefined = it waits for a line. */
  answer: Pieces | undefined;
  /** The answer has no piece now, and will say when it has. */
  isWaiting = false;
  /** The peer sends nothing more. */
  hasEnded = false;
  /** It is closed when what is unsent has left. */
  isLast = false;
  #held: Uint8Array = NOTHING;
  /** Of what is held, how many bytes have no end of a line. */
  #scanned = 0;
  #out: Uint8Array = NOTHING;

  constructor(fd: number, peer: PeerCredentials | undefined) {
    this.fd = fd;
    this.peer = peer;
  }

  /** Bytes that came and belong to no line that was taken. */
  get held(): number {
    return this.#held.length;
  }

  get unsent(): number {
    return this.#out.length;
  }

  get hasRoom(): boolean {
    return this.#out.length < UNSENT_BYTES_MAX;
  }

  /** Held bytes are more than a line may have, and no line. */
  get isTooLong(): boolean {
    return this.#scanned > LINE_BYTES_MAX;
  }

  /**
   * The peer has closed it whole, and not only its sending half: it has given up, and nothing is
   * to be done for it when a daemon that was stopped goes on.
   */
  get isGone(): boolean {
    return sent.send(this.fd, 0) === -EPIPE;
  }

  /** Reads once. False: the connection is broken. */
  receive(): boolean {
    if (this.#held.length > LINE_BYTES_MAX) return true;
    const count = received.receive(this.fd, this.#held.length);
    if (count === -EAGAIN || count === -EINTR) return true;
    if (count < 0) return false;
    if (count === 0) {
      this.hasEnded = true;
      return true;
    }
    const bytes = new Uint8Array(this.#held.length + count);
    bytes.set(this.#held);
    bytes.set(received.bytes.subarray(this.#held.length, bytes.length), this.#held.length);
    this.#held = bytes;
    return true;
  }

  /** The next whole line without its end; the end of what was sent ends one, too. */
  takeLine(): Uint8Array | undefined {
    const end = this.#held.indexOf(LF, this.#scanned);
    if (end >= 0) {
      const line = this.#held.subarray(0, end);
      this.#held = this.#held.subarray(end + 1);
      this.#scanned = 0;
      return line;
    }
    this.#scanned = this.#held.length;
    if (!this.hasEnded || this.#held.length === 0 || this.isTooLong) return undefined;
    const line = this.#held;
    this.forget();
    return line;
  }

  /** Nothing of what came is wanted any more. */
  forget(): void {
    this.#held = NOTHING;
    this.#scanned = 0;
  }

  put(text: string): void {
    const bytes = Buffer.from(text);
    this.#out = this.#out.length === 0 ? bytes : Buffer.concat([this.#out, bytes]);
  }

  /** Sends once; the rest of a short count stays. */
  flush(): number {
    if (this.#out.length === 0) return SENT_ALL;
    const size = Math.min(this.#out.length, SEND_BYTES_MAX);
    sent.bytes.set(this.#out.subarray(0, size));
    const count = sent.send(this.fd, size);
    if (count < 0) return count === -EAGAIN || count === -EINTR ? SENT_SOME : SEND_FAILED;
    this.#out = count === this.#out.length ? NOTHING : this.#out.subarray(count);
    return this.#out.length === 0 ? SENT_ALL : SENT_SOME;
  }
}
