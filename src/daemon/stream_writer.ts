// Writes lines to stdout or stderr without ever blocking the loop: a bounded queue before the
// thread pool. A stream that takes nothing now is asked again later, so that it does not hold a
// thread of the pool either. What it does not take is dropped in whole lines and counted (spec 12
// section 7).
import { write } from "node:fs";
import { POLLOUT } from "../../ffi/constants.ts";
import { PollSet } from "../../ffi/poll.ts";
import { block, Counters, counter } from "../base/counters.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { Deadline } from "./deadline.ts";

/** A minute of the busiest log that a person could still read. */
const QUEUE_BYTES_MAX = 256 * 1024;
/** A stream that was full is tried again after this time. */
const RETRY_NS = 50 * NS_PER_MS;
/** PIPE_BUF: a pipe that says it has room takes this much without blocking, and in one piece. */
const WRITE_BYTES_MAX = 4_096;
const LF = 0x0a;

interface StreamWriterOptions {
  /** The clock of `nextDeadlineNs` and `maintain`: observer time. */
  readonly nowNs: () => number;
  readonly fd: number;
}

export const STDERR = block({
  dropped: counter("varta_log_dropped_total", "Log lines lost because stderr did not take them.", {
    ask: (writer: { readonly dropped: number }) => writer.dropped,
  }),
});

export class StreamWriter {
  /** For the page, which shows those of stderr. */
  readonly counters = new Counters(STDERR, this);
  /** Lines that were dropped because the queue was full or the stream is gone. */
  dropped = 0;
  readonly #fd: number;
  readonly #nowNs: () => number;
  readonly #room = new PollSet(1);
  #queue: string[] = [];
  #queueBytes = 0;
  #inFlight: Buffer | undefined;
  #inFlightLines = 0;
  #retryAtNs = Number.POSITIVE_INFINITY;

  constructor(options: StreamWriterOptions) {
    this.#fd = options.fd;
    this.#room.add(options.fd, POLLOUT);
    this.#nowNs = options.nowNs;
  }

  /** Takes one line with its LF. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#queueBytes + bytes > QUEUE_BYTES_MAX) {
      this.dropped++;
      return;
    }
    this.#queue.push(line);
    this.#queueBytes += bytes;
    if (this.#inFlight === undefined) this.#start();
  }

  /** When maintain() has something to do; +Infinity if never. */
  get nextDeadlineNs(): number {
    return this.#retryAtNs;
  }

  /** Tries again after the stream was full. */
  maintain(nowNs: number): void {
    if (nowNs < this.#retryAtNs) return;
    this.#retryAtNs = Number.POSITIVE_INFINITY;
    if (this.#inFlight !== undefined) this.#writeOn();
  }

  /** It took nothing when it was asked last. */
  get isStuck(): boolean {
    return this.#retryAtNs !== Number.POSITIVE_INFINITY;
  }

  /** True if every line was written or dropped. */
  get idle(): boolean {
    return this.#inFlight === undefined;
  }

  #start(): void {
    this.#inFlight = Buffer.from(this.#queue.join(""));
    this.#inFlightLines = this.#queue.length;
    this.#queue = [];
    this.#queueBytes = 0;
    this.#writeOn();
  }

  #writeOn(): void {
    // A stream that is broken is ready, too: the write says why.
    if (this.#room.wait(0) === 0) {
      this.#retryAtNs = this.#nowNs() + RETRY_NS;
      return;
    }
    const bytes = this.#inFlight!;
    write(this.#fd, bytes, 0, pieceOf(bytes), null, (error, written) => {
      if (error) this.#failed(error);
      else if (written < bytes.length) {
        this.#inFlight = bytes.subarray(written);
        this.#writeOn();
      } else this.#finished();
    });
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (error.code === "EAGAIN") {
      this.#retryAtNs = this.#nowNs() + RETRY_NS;
      return;
    }
    this.dropped += this.#inFlightLines;
    this.#finished();
  }

  #finished(): void {
    this.#inFlight = undefined;
    this.#inFlightLines = 0;
    if (this.#queue.length > 0) this.#start();
  }
}

/** How much of `bytes` to write at once: whole lines, if the first one is short enough. */
function pieceOf(bytes: Buffer): number {
  if (bytes.length <= WRITE_BYTES_MAX) return bytes.length;
  const lineEnd = bytes.lastIndexOf(LF, WRITE_BYTES_MAX - 1) + 1;
  return lineEnd > 0 ? lineEnd : WRITE_BYTES_MAX;
}

/** What waits in it is written in the turns of the loop. */
export function writerDeadline(writer: StreamWriter): Deadline {
  return {
    nextDeadlineNs: () => writer.nextDeadlineNs,
    maintain: (nowNs) => writer.maintain(nowNs),
  };
}
