// Pids that have just got a slot, until what is known of their processes beyond the beat is read
// (spec 14 section 1). Bounded: one that finds no room is looked at when it falls silent.

/** More new members than any turn brings: each batch has 64 datagrams. */
const NEWCOMERS_MAX = 16_384;

export class Newcomers {
  readonly #pids = new Uint32Array(NEWCOMERS_MAX);
  #oldest = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(pid: number): void {
    if (this.#count === NEWCOMERS_MAX) return;
    this.#pids[(this.#oldest + this.#count) % NEWCOMERS_MAX] = pid;
    this.#count += 1;
  }

  /** The pid that has waited longest; requires that there is one. It may have no slot any more. */
  take(): number {
    const pid = this.#pids[this.#oldest]!;
    this.#oldest = (this.#oldest + 1) % NEWCOMERS_MAX;
    this.#count -= 1;
    return pid;
  }
}
