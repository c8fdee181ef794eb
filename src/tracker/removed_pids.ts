// Pids that the tracker dropped by eviction or retirement, for those who keep something per pid (spec 03 section 6.3).
// A bounded stack, last in first out. A consumer must check that the pid is not tracked again before it drops anything.

export class RemovedPids {
  readonly #pids: Uint32Array;
  #count = 0;

  constructor(capacity: number) {
    this.#pids = new Uint32Array(capacity);
  }

  /** False if the stack is full: the pid is not remembered. */
  push(pid: number): boolean {
    if (this.#count === this.#pids.length) return false;
    this.#pids[this.#count] = pid;
    this.#count += 1;
    return true;
  }

  /** The youngest removed pid, or -1. */
  pop(): number {
    if (this.#count === 0) return -1;
    this.#count -= 1;
    return this.#pids[this.#count]!;
  }
}
