// One connection of the HTTP server: the bytes that came and are no request yet, and those of an
// answer that did not leave yet. Its memory is taken over by the next connection. It decides
// nothing: when to read, write and close is its front's business.
import { EAGAIN, EINTR } from "../../ffi/constants.ts";
import { shutdownWrite, StreamBuffer } from "../../ffi/stream.ts";
import { assert } from "../base/assert.ts";
import type { Pieces } from "../base/pieces.ts";
import { HTTP_HEAD_BYTES_MAX } from "../base/limits.ts";
import { HeadScanner } from "./request.ts";

/**
 * Bytes of one send, and sends to one connection in a turn: a page of 10,000 agents takes seven
 * turns.
 */
const HTTP_SEND_BYTES_MAX = 64 * 1_024;
const HTTP_SENDS_PER_TURN_MAX = 4;

/**
 * Waits for a request; for its page; for room to write; for the end of what the client still sends.
 */
export const READING = 0;
export const WAITING = 1;
export const WRITING = 2;
export const LINGERING = 3;
/** It follows something, and there is nothing new. */
export const QUIET = 4;

export const FLUSH_DONE = 0;
const FLUSH_BLOCKED = 1;
export const FLUSH_FAILED = 2;

/** What answers leave through: the kernel copies them within the call. */
const sendBuffer = new StreamBuffer(HTTP_SEND_BYTES_MAX);
const NOTHING = new Uint8Array(0);

export class Connection {
  fd = -1;
  /** Undefined = a peer on a Unix socket. */
  address: string | undefined;
  /** Differs between one use of this object and the next. */
  serial = 0;
  state = READING;
  /** Events that the front waits for. */
  events = 0;
  deadlineNs = 0;
  /** Since when it waits for a request. */
  sinceNs = 0;
  /** End of the time for the answer under way. */
  answerEndNs = 0;
  requests = 0;
  /** The turn in which its last request was taken. */
  servedTurn = -1;
  /** The peer sends nothing more. */
  hasEnded = false;
  /** The answer under way is the last one. */
  isLast = false;
  /** The client waits for the end of the connection, and sends nothing that closing could reset. */
  endsAtOnce = false;
  /** What follows the head of the answer under way, as long as there is more of it. */
  stream: Pieces | undefined;
  /** The stream is not to go on with what comes. */
  isEnding = false;
  /** Bytes thrown away since it was ended. */
  lingeredBytes = 0;
  readonly #scanner = new HeadScanner();
  readonly #in = new StreamBuffer(HTTP_HEAD_BYTES_MAX);
  #inSize = 0;
  #outHead: Uint8Array = NOTHING;
  #outBody: Uint8Array = NOTHING;
  #outSent = 0;
  #whenSent: (() => void) | undefined;

  open(fd: number, address: string | undefined): void {
    this.fd = fd;
    this.address = address;
    this.serial++;
    this.state = READING;
    this.requests = 0;
    this.servedTurn = -1;
    this.hasEnded = false;
    this.isLast = false;
    this.endsAtOnce = false;
    this.isEnding = false;
    this.lingeredBytes = 0;
    this.#scanner.reset();
    this.#inSize = 0;
  }

  /** Drops what was to be sent; the descriptor is closed by the caller. */
  abandon(): void {
    this.fd = -1;
    this.serial++;
    this.endStream();
    this.#release();
  }

  endStream(): void {
    const { stream } = this;
    this.stream = undefined;
    stream?.end?.();
  }

  /** Bytes that came and belong to no request that was taken. */
  get buffered(): number {
    return this.#inSize;
  }

  get isFull(): boolean {
    return this.#inSize === HTTP_HEAD_BYTES_MAX;
  }

  /** Reads once. False: the connection is broken. */
  receive(): boolean {
    const count = this.#in.receive(this.fd, this.#inSize);
    if (count === -EAGAIN || count === -EINTR) return true;
    if (count < 0) return false;
    if (count === 0) this.hasEnded = true;
    this.#inSize += count;
    return true;
  }

  /** Reads once and keeps nothing. False: there is nothing more to wait for. */
  discard(): boolean {
    this.#inSize = 0;
    if (!this.receive() || this.hasEnded) return false;
    this.lingeredBytes += this.#inSize;
    return true;
  }

  /** True: a whole head is there; false: more must come; undefined: it is no head. */
  scan(): boolean | undefined {
    return this.#scanner.scan(this.#in.bytes, this.#inSize);
  }

  /** The head that `scan` found, as Latin-1 text; what follows it is kept. */
  takeHead(): string {
    const { bytes } = this.#in;
    const size = this.#scanner.scanned;
    const head = Buffer.from(bytes.buffer, 0, size).toString("latin1");
    bytes.copyWithin(0, size, this.#inSize);
    this.#inSize -= size;
    this.#scanner.reset();
    return head;
  }

  /** `whenSent` is called once, also if the connection ends before. */
  put(head: Uint8Array, body: Uint8Array, whenSent: (() => void) | undefined): void {
    assert(this.#outHead.length === 0, "an answer follows the end of the one before");
    this.#outHead = head;
    this.#outBody = body;
    this.#outSent = 0;
    this.#whenSent = whenSent;
  }

  /** Sends what the kernel takes, and no more than a turn may. */
  flush(): number {
    for (let sends = 0; sends < HTTP_SENDS_PER_TURN_MAX; sends++) {
      const size = this.#fill();
      const sent = sendBuffer.send(this.fd, size);
      if (sent < 0) return sent === -EAGAIN || sent === -EINTR ? FLUSH_BLOCKED : FLUSH_FAILED;
      // A short count: the rest is sent from here when there is room again.
      this.#outSent += sent;
      if (this.#outSent === this.#outHead.length + this.#outBody.length) {
        this.#release();
        return FLUSH_DONE;
      }
      if (sent < size) return FLUSH_BLOCKED;
    }
    return FLUSH_BLOCKED;
  }

  /** Ends the sending side: the peer sees that the answer was the last one. */
  endWriting(): void {
    shutdownWrite(this.fd);
  }

  /** Copies what comes next of head and body into the buffer that is sent; how much. */
  #fill(): number {
    const { bytes } = sendBuffer;
    const headLeft = Math.max(0, this.#outHead.length - this.#outSent);
    if (headLeft > 0) bytes.set(this.#outHead.subarray(this.#outSent));
    const bodyStart = Math.max(0, this.#outSent - this.#outHead.length);
    const body = this.#outBody.subarray(bodyStart, bodyStart + bytes.length - headLeft);
    bytes.set(body, headLeft);
    return headLeft + body.length;
  }

  #release(): void {
    const whenSent = this.#whenSent;
    this.#whenSent = undefined;
    this.#outHead = NOTHING;
    this.#outBody = NOTHING;
    whenSent?.();
  }
}
