// Writes lines to stderr without ever blocking the loop: a bounded queue in front of the thread pool. What stderr does not
// take is dropped in whole lines and counted (spec 12 section 7).
import { write } from "node:fs";
import { NS_PER_MS } from "../base/time.ts";

/** A minute of the busiest log that a person could still read. */
const QUEUE_BYTES_MAX = 256 * 1024;
/** A non-blocking stderr that was full is tried again after this time. */
const RETRY_NS = 50 * NS_PER_MS;

export interface StderrWriterOptions {
  /** The time in which `nextDeadlineNs` and `maintain` are told: observer time. */
  readonly nowNs: () => number;
  /** 2 but for tests. */
  readonly fd?: number;
}

export class StderrWriter {
  /** Lines that were dropped because the queue was full or stderr is gone. */
  dropped = 0;
  readonly #fd: number;
  readonly #nowNs: () => number;
  #queue: string[] = [];
  #queueBytes = 0;
  #inFlight: Buffer | undefined;
  #inFlightLines = 0;
  #retryAtNs = Number.POSITIVE_INFINITY;

  constructor(options: StderrWriterOptions) {
    this.#fd = options.fd ?? 2;
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

  /** Tries again after stderr was full. */
  maintain(nowNs: number): void {
    if (nowNs < this.#retryAtNs) return;
    this.#retryAtNs = Number.POSITIVE_INFINITY;
    if (this.#inFlight !== undefined) this.#writeOn();
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
    const bytes = this.#inFlight!;
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
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
