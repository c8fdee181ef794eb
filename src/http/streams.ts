// Answers without an end, as server-sent events are: a piece is made when the one before it has
// left and there is more, and a client that would take silence for calm gets a word now and then.
// One that takes nothing is closed after a time and holds no more than a piece meanwhile.
import { SO_SNDBUF } from "../../ffi/constants.ts";
import { setSocketOption, setTcpUserTimeout } from "../../ffi/socket.ts";
import { STREAM_QUIET_NS_MAX, STREAM_UNREAD_NS_MAX } from "../base/limits.ts";
import type { Pieces } from "../base/pieces.ts";
import { NS_PER_MS } from "../base/time.ts";
import { type Connection, QUIET } from "./connection.ts";

/** What the kernel holds for a client that does not read: it may have megabytes otherwise. */
const KERNEL_BYTES_MAX = 64 * 1_024;
const NOTHING = new Uint8Array(0);

/** What the front does for them. */
interface StreamFront {
  readonly nowNs: () => number;
  /** Sends what was put when there is room. */
  send(open: Connection): void;
  /** It waits for nothing but the deadline, or its end. */
  rest(open: Connection, deadlineNs: number): void;
  /** All of the answer was sent. */
  sentAll(open: Connection): void;
}

export class Streams {
  readonly #front: StreamFront;
  /** Those that have a piece to make. */
  readonly #woken = new Set<Connection>();

  constructor(front: StreamFront) {
    this.#front = front;
  }

  get hasWork(): boolean {
    return this.#woken.size > 0;
  }

  /** The head of its answer is sent next, and then `stream`. */
  begin(open: Connection, stream: Pieces): void {
    open.stream = stream;
    open.answerEndNs = Number.POSITIVE_INFINITY;
    setSocketOption(open.fd, SO_SNDBUF, KERNEL_BYTES_MAX);
    // A machine that is gone says nothing: the kernel gives its connection up.
    if (open.address !== undefined) setTcpUserTimeout(open.fd, STREAM_UNREAD_NS_MAX / NS_PER_MS);
  }

  /** There is more of the stream of that use of `open`. */
  wake(open: Connection, serial: number): void {
    if (open.serial === serial && open.state === QUIET) this.#woken.add(open);
  }

  /** One piece for each that has one; true if there was any. */
  serve(endNs: number): boolean {
    const had = this.hasWork;
    for (const open of this.#woken) {
      this.#woken.delete(open);
      if (open.stream !== undefined && open.state === QUIET) this.goOn(open);
      if (this.#front.nowNs() >= endNs) break;
    }
    return had;
  }

  /** What it had to send has left. */
  goOn(open: Connection): void {
    const front = this.#front;
    const piece = open.stream!.next();
    if (piece === undefined || (piece === null && open.isEnding)) {
      open.endStream();
      front.sentAll(open);
    } else if (piece === null || piece === "") {
      open.state = QUIET;
      front.rest(open, front.nowNs() + STREAM_QUIET_NS_MAX);
      if (piece === "") this.#woken.add(open);
    } else {
      open.put(Buffer.from(piece), NOTHING, undefined);
      front.send(open);
    }
  }

  /** What has come for it is sent, and nothing more. */
  end(open: Connection): void {
    if (open.stream === undefined) return;
    open.isEnding = true;
    this.wake(open, open.serial);
  }

  /** Nothing came for a while. */
  keepAlive(open: Connection): void {
    open.put(Buffer.from(open.stream?.keepAlive ?? ""), NOTHING, undefined);
    this.#front.send(open);
  }

  left(open: Connection): void {
    this.#woken.delete(open);
  }
}
