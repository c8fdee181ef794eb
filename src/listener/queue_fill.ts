// Whether the queue of a Unix socket was full. The kernel does not say how many datagrams wait; but
// a socket from which as many were taken as it holds, without having been seen empty, was full or
// as good as full, and its senders were refused.
import { BATCH_SIZE } from "../base/limits.ts";

export class QueueFill {
  /** Times that it was found full. */
  full = 0;
  readonly #length: number;
  #inARow = 0;

  /** `length`: datagrams that the queue holds; undefined = unknown, and never found full. */
  constructor(length: number | undefined) {
    this.#length = length ?? Number.POSITIVE_INFINITY;
  }

  /**
   * A receive took `count` datagrams of `countMax` that it could have taken, 0 if there were none;
   * true if the queue was full.
   */
  took(count: number, countMax: number = BATCH_SIZE): boolean {
    this.#inARow += count;
    const isFull = this.#inARow >= this.#length;
    if (isFull) this.full++;
    if (isFull || count < countMax) this.#inARow = 0;
    return isFull;
  }
}
