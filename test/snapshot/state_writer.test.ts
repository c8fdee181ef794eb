import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type FileCalls, REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { decodeState } from "../../src/snapshot/decoder.ts";
import type { State, StateRow } from "../../src/snapshot/records.ts";
import { StateWriter } from "../../src/snapshot/state_writer.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { EMPTY, MEMBER, MOMENT, rowsOf } from "./states.ts";

setDefaultTimeout(TEST_MS_MAX);

const MS = 1e6;

/** A writer of states of `count` members, whose turns are taken by hand. */
class Fixture implements Disposable {
  readonly directory = new TempDirectory();
  readonly path = this.directory.join("state");
  count = 0;
  nowNs = 0;
  /** Slices and other calls that did something. */
  turns = 0;
  readonly writer: StateWriter;
  /** What a look at the clock of durations costs; beats wait. */
  lookNs = 0;
  isBusy = false;
  #monotonicNs = 0;

  constructor(calls: FileCalls = REAL_FILE_CALLS, bytesMax?: number) {
    this.writer = new StateWriter({
      path: this.path,
      calls,
      rows: (isFinal) => this.#rows(isFinal),
      monotonicNs: () => (this.#monotonicNs += this.lookNs),
      isBusy: () => this.isBusy,
      ...(bytesMax === undefined ? {} : { bytesMax }),
    });
  }

  #rows(isFinal: boolean): Iterable<StateRow> {
    const member = Array.from({ length: this.count }, (_, pid) => ({ ...MEMBER, pid, key: pid }));
    return rowsOf({ ...EMPTY, moment: { ...MOMENT, isFinal }, member });
  }

  /** Takes turns, each at its deadline, until nothing is due and nothing is under way. */
  async run(): Promise<void> {
    const { writer } = this;
    const before = writer.written + writer.failures;
    while (writer.written + writer.failures === before) {
      const dueNs = writer.nextDeadlineNs();
      if (dueNs === Number.POSITIVE_INFINITY) {
        await new Promise(setImmediate);
        continue;
      }
      this.nowNs = Math.max(this.nowNs, dueNs);
      writer.maintain(this.nowNs);
      this.turns += 1;
    }
  }

  /** What is in the file. */
  state(): State {
    const decoded = decodeState(readFileSync(this.path));
    if (!decoded.ok) throw new Error(decoded.found);
    return decoded.state;
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

function failing(call: "rename" | "write", error = new Error("ENOSPC")): FileCalls {
  if (call === "rename") return { ...REAL_FILE_CALLS, rename: () => Promise.reject(error) };
  const open = async (path: string, flags: number, mode: number) => {
    const handle = await REAL_FILE_CALLS.open(path, flags, mode);
    handle.write = () => Promise.reject(error);
    return handle;
  };
  return { ...REAL_FILE_CALLS, open: open as unknown as FileCalls["open"] };
}

describe("StateWriter", () => {
  test("does nothing until something has changed", () => {
    using fixture = new Fixture();
    const { writer } = fixture;
    expect(writer.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    writer.maintain(9e9);
    expect(readdirSync(fixture.directory.path)).toEqual([]);
  });

  test("writes a change at once, and the next ones of a start soon, then every two seconds", async () => {
    using fixture = new Fixture();
    const { writer } = fixture;
    fixture.count = 3;
    fixture.nowNs = 100 * MS;
    writer.changed(0);
    await fixture.run();
    expect(fixture.state().member).toHaveLength(3);
    expect(fixture.state().moment.isFinal).toBe(false);
    expect(writer.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    let begunMs = 100;
    for (const everyMs of [250, 500, 1_000, 2_000, 2_000]) {
      begunMs += everyMs;
      writer.changed(fixture.nowNs);
      expect(writer.nextDeadlineNs()).toBe(begunMs * MS);
      fixture.count += 1;
      await fixture.run();
      expect(fixture.state().member).toHaveLength(fixture.count);
    }
    expect(readdirSync(fixture.directory.path)).toEqual(["state"]);
  });

  test("encodes slices a millisecond apart, and none while too much waits for the disk", async () => {
    using fixture = new Fixture();
    fixture.count = 5_000;
    fixture.writer.changed(0);
    // Without the disk there is room for title, moment, and sixteen sections of members.
    fixture.writer.maintain(0);
    let slices = 0;
    for (; fixture.writer.nextDeadlineNs() < Number.POSITIVE_INFINITY; slices++) {
      const dueNs = fixture.writer.nextDeadlineNs();
      expect(dueNs - fixture.nowNs).toBe(MS);
      fixture.nowNs = dueNs;
      fixture.writer.maintain(dueNs);
    }
    expect(slices).toBe(18);
    await fixture.run();
    expect(fixture.state().member).toHaveLength(5_000);
  });

  test("ends a slice after half a millisecond, and goes on with its section in the next one", async () => {
    using fixture = new Fixture();
    fixture.count = 200;
    fixture.writer.changed(0);
    await fixture.run();
    const { turns } = fixture;
    // 16 members take longer than a slice may.
    fixture.lookNs = 0.6 * MS;
    fixture.turns = 0;
    fixture.writer.changed(fixture.nowNs);
    await fixture.run();
    // The last slice of a section ends with it.
    expect(Math.abs(fixture.turns - turns - 200 / 16)).toBeLessThanOrEqual(2);
    expect(fixture.state().member).toHaveLength(200);
  });

  test("leaves eight milliseconds between two slices while beats wait", async () => {
    using fixture = new Fixture();
    fixture.count = 1_000;
    fixture.isBusy = true;
    fixture.writer.changed(0);
    const dues: number[] = [];
    for (let slice = 0; slice < 3; slice++) {
      fixture.writer.maintain(fixture.nowNs);
      const dueNs = fixture.writer.nextDeadlineNs();
      dues.push((dueNs - fixture.nowNs) / MS);
      fixture.nowNs = dueNs;
    }
    fixture.isBusy = false;
    fixture.writer.maintain(fixture.nowNs);
    dues.push((fixture.writer.nextDeadlineNs() - fixture.nowNs) / MS);
    expect(dues).toEqual([8, 8, 8, 1]);
    await fixture.writer.close();
  });

  test("notes a change that comes during a writing for the next one", async () => {
    using fixture = new Fixture();
    fixture.writer.changed(0);
    fixture.writer.maintain(0);
    fixture.writer.changed(0);
    await fixture.run();
    expect(fixture.writer.nextDeadlineNs()).toBe(250 * MS);
  });

  test.each(["rename", "write"] as const)(
    "keeps the old file if %s fails, says so once, and tries again",
    async (call) => {
      using fixture = new Fixture(failing(call));
      const { writer } = fixture;
      writeFileSync(fixture.path, "old");
      writer.changed(0);
      await fixture.run();
      expect(writer.takeError()?.message).toBe("ENOSPC");
      expect(writer.nextDeadlineNs()).toBe(2_000 * MS);
      await fixture.run();
      expect([writer.failures, writer.takeError()]).toEqual([2, undefined]);
      expect(readFileSync(fixture.path, "utf8")).toBe("old");
      expect(readdirSync(fixture.directory.path)).toEqual(["state"]);
      expect(await writer.close()).toBe(false);
    },
  );

  test("writes no file that the next daemon would not read", async () => {
    using fixture = new Fixture(REAL_FILE_CALLS, 100_000);
    fixture.count = 1_000;
    fixture.writer.changed(0);
    await fixture.run();
    expect(fixture.writer.takeError()?.message).toBe(
      `cannot write ${fixture.path}: found more than 100000 bytes`,
    );
    expect(readdirSync(fixture.directory.path)).toEqual([]);
  });

  test("writes what there is at the end, also in the middle of a writing", async () => {
    using fixture = new Fixture();
    fixture.count = 2_000;
    fixture.writer.changed(0);
    fixture.writer.maintain(0);
    fixture.writer.maintain(MS);
    fixture.writer.maintain(2 * MS);
    fixture.count = 1_500;
    expect(await fixture.writer.close()).toBe(true);
    expect(fixture.state().moment.isFinal).toBe(true);
    expect(fixture.state().member).toHaveLength(1_500);
    expect(readdirSync(fixture.directory.path)).toEqual(["state"]);
  });
});
