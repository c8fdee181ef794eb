// Descriptors that are kept open for one purpose: to be closed when there is no other left, so that
// a small file can be opened, read and closed again. Who a process is must be known at that very
// moment, and not when scrapers or recovery commands have given theirs back.
import { closeSync, openSync } from "node:fs";

/** A process descriptor, and the file of the process that is read beside it. */
const SPARE_COUNT = 2;

export class SpareDescriptors {
  readonly #fds: number[] = [];

  constructor() {
    this.#refill();
  }

  /**
   * The result of `attempt`, which leaves nothing open; made once more, with the spare ones closed,
   * if it `isShort`.
   */
  use<Result>(attempt: () => Result, isShort: (result: Result) => boolean): Result {
    const result = attempt();
    if (!isShort(result)) return result;
    for (const fd of this.#fds.splice(0)) closeSync(fd);
    try {
      return attempt();
    } finally {
      this.#refill();
    }
  }

  /** What cannot be had now is tried again when the spare ones are needed next. */
  #refill(): void {
    try {
      while (this.#fds.length < SPARE_COUNT) this.#fds.push(openSync("/dev/null", "r"));
    } catch {
      // Another open was faster: there are fewer for a while.
    }
  }
}
