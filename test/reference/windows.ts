// The debounce windows as one would write it without a bound on time: a Map in order of firing,
// searched from end to end.
import { WINDOW_CLEAR, WINDOW_OPEN, WINDOW_RECYCLED } from "../../src/recovery/history.ts";

interface Entry {
  readonly generation: number;
  readonly firedNs: number;
}

export class WindowsTwin {
  readonly entries = new Map<number, Entry>();
  readonly #capacity: number;
  evictions = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  check(pid: number, generation: number, nowNs: number, debounceNs: number): number {
    const entry = this.entries.get(pid);
    if (entry === undefined) return WINDOW_CLEAR;
    const open = Math.max(0, nowNs - entry.firedNs) < debounceNs;
    const known = !Number.isNaN(entry.generation) && !Number.isNaN(generation);
    if (!known || entry.generation === generation) return open ? WINDOW_OPEN : WINDOW_CLEAR;
    this.entries.delete(pid);
    return open ? WINDOW_RECYCLED : WINDOW_CLEAR;
  }

  /** Fires for `pid` unless there is no room; `commit` false = the spawn failed. */
  fire(
    pid: number,
    {
      generation,
      nowNs,
      debounceNs,
      commit,
    }: {
      generation: number;
      nowNs: number;
      debounceNs: number;
      commit: boolean;
    },
  ): boolean {
    if (!this.entries.has(pid) && this.entries.size >= this.#capacity) {
      const oldest = this.#oldest();
      if (oldest === undefined) return false;
      const [oldestPid, entry] = oldest;
      if (Math.max(0, nowNs - entry.firedNs) < debounceNs) return false;
      this.entries.delete(oldestPid);
      this.evictions += 1;
    }
    if (!commit) return true;
    this.entries.delete(pid);
    this.entries.set(pid, { generation, firedNs: nowNs });
    return true;
  }

  prune(nowNs: number, ageNs: number, count: number): void {
    for (let dropped = 0; dropped < count; dropped++) {
      const oldest = this.#oldest();
      if (oldest === undefined || Math.max(0, nowNs - oldest[1].firedNs) <= ageNs) return;
      this.entries.delete(oldest[0]);
    }
  }

  #oldest(): [number, Entry] | undefined {
    let oldest: [number, Entry] | undefined;
    for (const candidate of this.entries) {
      if (oldest === undefined || candidate[1].firedNs < oldest[1].firedNs) oldest = candidate;
    }
    return oldest;
  }
}
