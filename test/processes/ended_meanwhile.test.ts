import { describe, expect, test } from "bun:test";
import { EndedMeanwhile } from "../../src/processes/ended_meanwhile.ts";

const MS = 1e6;

/** A reader that takes `lookNs` for each process, and knows those that `live` with their starts. */
class SlowReader {
  looks = 0;
  nowNs = 0;
  readonly #live: ReadonlyMap<number, number>;
  readonly #lookNs: number;

  constructor(live: ReadonlyMap<number, number>, lookNs: number) {
    this.#live = live;
    this.#lookNs = lookNs;
  }

  hasEnded(pid: number, startTime: number): boolean {
    this.looks += 1;
    this.nowNs += this.#lookNs;
    return this.#live.get(pid) !== startTime;
  }
}

describe("EndedMeanwhile", () => {
  test("looks at each process while there is time", () => {
    const reader = new SlowReader(new Map([[7, 70]]), MS);
    const ended = new EndedMeanwhile(reader, () => reader.nowNs);
    // The pid of the second belongs to another process by now.
    expect([ended.hasEnded(7, 70), ended.hasEnded(8, 80)]).toEqual([false, true]);
    expect(reader.looks).toBe(2);
  });

  test("asks of the others only whether anybody has their pids", async () => {
    const gone = Bun.spawn(["true"]);
    await gone.exited;
    const reader = new SlowReader(new Map([[7, 70]]), 20 * MS);
    const ended = new EndedMeanwhile(reader, () => reader.nowNs);
    expect(ended.hasEnded(7, 70)).toBe(false);
    expect([ended.hasEnded(process.pid, 90), ended.hasEnded(gone.pid, 80)]).toEqual([false, true]);
    expect(reader.looks).toBe(1);
  });
});
