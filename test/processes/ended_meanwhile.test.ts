import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { EndedMeanwhile } from "../../src/processes/ended_meanwhile.ts";
import { TempDirectory } from "../files/temp_directory.ts";

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

function asker(directory: TempDirectory, shown: readonly number[], reader: SlowReader) {
  for (const pid of shown) mkdirSync(directory.join(`${pid}`));
  return new EndedMeanwhile(reader, () => reader.nowNs, directory.path);
}

describe("EndedMeanwhile", () => {
  test("looks at each process while there is time", () => {
    using directory = new TempDirectory();
    const reader = new SlowReader(new Map([[7, 70]]), MS);
    const ended = asker(directory, [7, 8], reader);
    // The pid of the second belongs to another process by now.
    expect([ended.hasEnded(7, 70), ended.hasEnded(8, 80)]).toEqual([false, true]);
    expect(reader.looks).toBe(2);
  });

  test("asks for the pids of the others at once, and looks at those that are not shown", () => {
    using directory = new TempDirectory();
    const live = new Map([
      [7, 70],
      [9, 90],
    ]);
    const reader = new SlowReader(live, 20 * MS);
    const ended = asker(directory, [1, 7], reader);
    ended.hasEnded(1, 1);
    expect(reader.looks).toBe(1);
    expect(ended.hasEnded(7, 70)).toBe(false);
    expect(reader.looks).toBe(1);
    // 8 is gone, and 9 is hidden.
    expect([ended.hasEnded(8, 80), ended.hasEnded(9, 90)]).toEqual([true, false]);
  });

  test("looks at each where the pids cannot be listed", () => {
    const reader = new SlowReader(new Map([[7, 70]]), 20 * MS);
    const ended = new EndedMeanwhile(reader, () => reader.nowNs, "/nonexistent");
    expect([1, 2, 7].map((pid) => ended.hasEnded(pid, 10 * pid))).toEqual([true, true, false]);
  });
});
