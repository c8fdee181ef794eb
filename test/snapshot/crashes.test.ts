// A daemon that is killed, or a machine that stops, at any step of a writing: the next daemon finds
// the state of before or the new one, whole, and writes the next one over whatever was left.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { type FileCalls, REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { findState } from "../../src/snapshot/found_state.ts";
import { StateWriter } from "../../src/snapshot/state_writer.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { EMPTY, MEMBER, rowsOf } from "./states.ts";

setDefaultTimeout(TEST_MS_MAX);

const UID = process.geteuid!();
/** Enough for two writes. */
const MEMBERS = 1_500;

/** The file calls of a daemon that dies before call number `deathAt`, which never ends. */
class Mortal {
  count = 0;
  readonly died = Promise.withResolvers<void>();
  readonly calls: FileCalls;
  /** What the kernel closes when a process ends. */
  readonly #closes: (() => Promise<void>)[] = [];

  constructor(deathAt: number) {
    const step = <Result>(work: () => Promise<Result>): Promise<Result> => {
      if (++this.count < deathAt) return work();
      this.died.resolve();
      return new Promise(() => {});
    };
    const real = REAL_FILE_CALLS;
    const open = async (path: string, flags: number, mode: number) => {
      const handle = await step(() => real.open(path, flags, mode));
      const { write, sync, close } = handle;
      handle.write = ((...args: Parameters<typeof write>) =>
        step(() => write.apply(handle, args))) as typeof write;
      handle.sync = () => step(() => sync.call(handle));
      handle.close = () => step(() => close.call(handle));
      this.#closes.push(() => close.call(handle));
      return handle;
    };
    this.calls = {
      ...real,
      open: open as unknown as FileCalls["open"],
      rename: (from, to) => step(() => real.rename(from, to)),
      unlink: (path) => step(() => real.unlink(path)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closes) await close().catch(() => {});
  }
}

function writerOf(path: string, calls: FileCalls, generation: number): StateWriter {
  const member = Array.from({ length: MEMBERS }, (_, pid) => ({
    ...{ ...MEMBER, pid, key: pid, generation },
  }));
  return new StateWriter({ path, calls, rows: () => rowsOf({ ...EMPTY, member }) });
}

/** Which state a daemon finds at `path`: the generation of its members. */
function foundAt(path: string): number {
  const found = findState(path, UID);
  if (found.kind !== "state") throw new Error(`found ${Bun.inspect(found)}`);
  expect(found.state.member).toHaveLength(MEMBERS);
  return found.state.member.record(0).generation;
}

describe("a writing that is cut off at any step", () => {
  test("leaves the old state or the new one, and the next writing goes through", async () => {
    const outcomes: number[] = [];
    for (let deathAt = 1; ; deathAt++) {
      using directory = new TempDirectory();
      const path = directory.join("state");
      expect(await writerOf(path, REAL_FILE_CALLS, 1).close()).toBe(true);
      await using mortal = new Mortal(deathAt);
      const writing = writerOf(path, mortal.calls, 2).close();
      const isOver = await Promise.race([writing, mortal.died.promise.then(() => "died")]);
      outcomes.push(foundAt(path));
      expect(await writerOf(path, REAL_FILE_CALLS, 3).close()).toBe(true);
      expect(foundAt(path)).toBe(3);
      expect(readdirSync(directory.path)).toEqual(["state"]);
      if (isOver === true) break;
    }
    // The new one from the rename on: of its steps the sync of the directory is left.
    const firstNew = outcomes.indexOf(2);
    expect(firstNew).toBeGreaterThan(5);
    expect(outcomes.slice(0, firstNew).every((generation) => generation === 1)).toBe(true);
    expect(outcomes.slice(firstNew).every((generation) => generation === 2)).toBe(true);
    expect(outcomes.length - firstNew).toBeGreaterThan(2);
  });
});
