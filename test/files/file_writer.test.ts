import { describe, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { NS_PER_S } from "../../src/base/time.ts";
import { type FileCalls, REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { FileWriter, type FileWriterOptions } from "../../src/files/file_writer.ts";
import { since } from "../support/since.ts";
import { TempDirectory } from "./temp_directory.ts";

function openWriter(
  directory: TempDirectory,
  changes: Partial<FileWriterOptions> = {},
): Promise<FileWriter> {
  const path = directory.join("log");
  return FileWriter.open({
    path,
    bytesMax: undefined,
    syncEvery: 0,
    monotonicNs: () => 0,
    ...changes,
  });
}

/** Appends lines one by one, each with its own write. */
async function writeEach(writer: FileWriter, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    writer.append(Buffer.from(line), 1);
    await settle(writer);
  }
}

/** Starts the writer and waits until it has nothing more to do. */
async function settle(writer: FileWriter): Promise<void> {
  writer.start();
  while (writer.busy) await new Promise((resolve) => setImmediate(resolve));
}

function errorWith(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe("FileWriter", () => {
  test("writes lines in order, and close() leaves none behind", async () => {
    using directory = new TempDirectory();
    const writer = await openWriter(directory);
    const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}\n`);
    for (const line of lines) {
      writer.append(Buffer.from(line), 1);
      writer.start();
    }
    await writer.close();
    expect(directory.read("log")).toBe(lines.join(""));
    expect(since(writer, "dropped", writer.droppedLines)).toBe(0);
    expect(writer.takeError()).toBeUndefined();
  });

  test("drops whole lines beyond the queue and counts them once", async () => {
    using directory = new TempDirectory();
    const writer = await openWriter(directory, { queueBytesMax: 10 });
    writer.append(Buffer.from("one\ntwo\n"), 2);
    writer.append(Buffer.from("three\nfour\nfive\n"), 3);
    expect(since(writer, "dropped", writer.droppedLines)).toBe(3);
    expect(since(writer, "dropped", writer.droppedLines)).toBe(0);
    await writer.close();
    expect(directory.read("log")).toBe("one\ntwo\n");
  });

  test("drops what comes after close()", async () => {
    using directory = new TempDirectory();
    const writer = await openWriter(directory);
    await writer.close();
    writer.append(Buffer.from("late\n"), 1);
    expect(since(writer, "dropped", writer.droppedLines)).toBe(1);
  });

  test("drops and counts the lines of a failed write, and goes on", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { calls: disk.calls });
    disk.failWrites = true;
    await writeEach(writer, ["one\ntwo\n"]);
    expect(since(writer, "dropped", writer.droppedLines)).toBe(2);
    expect(writer.takeError()).toMatchObject({ code: "ENOSPC" });
    disk.failWrites = false;
    await writeEach(writer, ["three\n"]);
    await writer.close();
    expect(directory.read("log")).toBe("three\n");
    expect(writer.takeError()).toBeUndefined();
  });

  test("completes a short write", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { calls: disk.calls });
    disk.bytesPerWrite = 3;
    await writeEach(writer, ["one\ntwo\n"]);
    await writer.close();
    expect(directory.read("log")).toBe("one\ntwo\n");
  });

  test("ends a torn line with the next success", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { calls: disk.calls });
    disk.bytesPerWrite = 6;
    disk.writesUntilFailure = 1;
    await writeEach(writer, ["one\ntwo\nthree\n"]);
    expect(since(writer, "dropped", writer.droppedLines)).toBe(2);
    disk.bytesPerWrite = Number.POSITIVE_INFINITY;
    disk.writesUntilFailure = Number.POSITIVE_INFINITY;
    await writeEach(writer, ["four\n"]);
    await writer.close();
    expect(directory.read("log")).toBe("one\ntw\nfour\n");
  });

  test.each([
    [0, 0],
    [1, 4],
    [2, 2],
    [3, 1],
  ])("with syncEvery = %d, four writes of a line take %d syncs", async (syncEvery, syncs) => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { calls: disk.calls, syncEvery });
    await writeEach(writer, ["1\n", "2\n", "3\n", "4\n"]);
    expect(disk.syncs).toBe(syncs);
    await writer.close();
    expect(disk.syncs).toBe(syncs + 1);
  });

  test("reopen() follows a file that another program has moved away", async () => {
    using directory = new TempDirectory();
    const writer = await openWriter(directory);
    await writeEach(writer, ["one\n"]);
    renameSync(directory.join("log"), directory.join("rotated"));
    await writeEach(writer, ["two\n"]);
    writer.reopen();
    await writeEach(writer, ["three\n"]);
    await writer.close();
    expect(directory.read("rotated")).toBe("one\ntwo\n");
    expect(directory.read("log")).toBe("three\n");
  });

  test("reopen() of a path that is still its own changes nothing", async () => {
    using directory = new TempDirectory();
    const writer = await openWriter(directory);
    const { ino } = lstatSync(directory.join("log"));
    writer.reopen();
    await writeEach(writer, ["one\n"]);
    await writer.close();
    expect(lstatSync(directory.join("log")).ino).toBe(ino);
    expect(directory.read("log")).toBe("one\n");
  });
});

describe("a file that another program moves or removes", () => {
  async function timedWriter(directory: TempDirectory, changes: Partial<FileWriterOptions> = {}) {
    const clock = { ns: 0 };
    const writer = await openWriter(directory, { monotonicNs: () => clock.ns, ...changes });
    return { writer, clock };
  }

  test("is followed by a new one within a second of writing", async () => {
    using directory = new TempDirectory();
    const { writer, clock } = await timedWriter(directory);
    await writeEach(writer, ["one\n"]);
    renameSync(directory.join("log"), directory.join("moved"));
    clock.ns = NS_PER_S - 1;
    await writeEach(writer, ["two\n"]);
    expect(writer.takeReopened()).toBeUndefined();
    clock.ns = NS_PER_S;
    await writeEach(writer, ["three\n"]);
    expect(writer.takeReopened()).toEqual({ count: 1, lostLinesMax: 0 });
    expect(writer.takeReopened()).toBeUndefined();
    await writer.close();
    expect(directory.read("moved")).toBe("one\ntwo\n");
    expect(directory.read("log")).toBe("three\n");
  });

  test("takes at most the lines since the last look with it when it is removed", async () => {
    using directory = new TempDirectory();
    const { writer, clock } = await timedWriter(directory);
    await writeEach(writer, ["one\n"]);
    clock.ns = NS_PER_S;
    await writeEach(writer, ["two\n"]);
    unlinkSync(directory.join("log"));
    await writeEach(writer, ["three\n", "four\n"]);
    clock.ns = 2 * NS_PER_S;
    await writeEach(writer, ["five\n"]);
    expect(writer.takeReopened()).toEqual({ count: 1, lostLinesMax: 3 });
    await writer.close();
    expect(directory.read("log")).toBe("five\n");
  });

  test("is found in use again if logrotate has made the new one", async () => {
    using directory = new TempDirectory();
    const { writer, clock } = await timedWriter(directory);
    await writeEach(writer, ["one\n"]);
    renameSync(directory.join("log"), directory.join("log.1"));
    writeFileSync(directory.join("log"), "", { mode: 0o664 });
    const { ino } = lstatSync(directory.join("log"));
    clock.ns = NS_PER_S;
    await writeEach(writer, ["two\n"]);
    await writer.close();
    expect([directory.read("log.1"), directory.read("log")]).toEqual(["one\n", "two\n"]);
    expect(lstatSync(directory.join("log")).ino).toBe(ino);
  });

  test("keeps getting its lines while the path is another's, reported once a minute", async () => {
    using directory = new TempDirectory();
    const { writer, clock } = await timedWriter(directory);
    renameSync(directory.join("log"), directory.join("moved"));
    writeFileSync(directory.join("precious"), "untouched\n");
    linkSync(directory.join("precious"), directory.join("log"));
    let told = 0;
    for (let second = 1; second <= 61; second++) {
      clock.ns = second * NS_PER_S;
      await writeEach(writer, [`${second}\n`]);
      if (writer.takeError()?.message.includes("one hard link, found 2")) told += 1;
    }
    expect(told).toBe(2);
    expect(writer.takeReopened()).toBeUndefined();
    expect(directory.read("precious")).toBe("untouched\n");
    unlinkSync(directory.join("log"));
    clock.ns = 62 * NS_PER_S;
    await writeEach(writer, ["62\n"]);
    await writer.close();
    expect(directory.read("log")).toBe("62\n");
    expect(directory.read("moved").split("\n").length).toBe(62);
  });

  test("is not looked for while a rotation has no new file yet", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const { writer, clock } = await timedWriter(directory, { bytesMax: 4, calls: disk.calls });
    disk.failCreates = true;
    await writeEach(writer, ["one\n"]);
    writer.takeError();
    disk.failCreates = false;
    clock.ns = NS_PER_S;
    await writeEach(writer, ["two\n", "3\n"]);
    expect(writer.takeReopened()).toBeUndefined();
    await writer.close();
    expect([directory.read("log.1"), directory.read("log")]).toEqual(["one\ntwo\n", "3\n"]);
  });
});

describe("rotation", () => {
  test("keeps five rotated files and starts each file with a whole line", async () => {
    using directory = new TempDirectory();
    const writer = await openWriter(directory, { bytesMax: 8 });
    await writeEach(writer, ["a1\n", "a2\n", "a3\n", "b1234567\n", "c1234567\n"]);
    expect(directory.read("log.1")).toBe("c1234567\n");
    expect(directory.read("log.2")).toBe("b1234567\n");
    expect(directory.read("log.3")).toBe("a1\na2\na3\n");
    await writeEach(writer, ["d1234567\n", "e1234567\n", "f1234567\n", "g\n"]);
    await writer.close();
    expect(directory.read("log")).toBe("g\n");
    const rotated = [1, 2, 3, 4, 5].map((n) => directory.read(`log.${n}`)[0]);
    expect(rotated.join("")).toBe("fedcb");
    expect(readdirSync(directory.path).toSorted()).toEqual([
      "log",
      "log.1",
      "log.2",
      "log.3",
      "log.4",
      "log.5",
    ]);
    expect(lstatSync(directory.join("log")).mode & 0o7777).toBe(0o600);
    expect(writer.takeError()).toBeUndefined();
  });

  test("happens at the line that reaches the size, although many lines wait", async () => {
    using directory = new TempDirectory();
    const writer = await openWriter(directory, { bytesMax: 20 });
    writer.append(Buffer.from("line 1\nline 2\nline 3\nline 4\n"), 4);
    await writer.close();
    expect(directory.read("log.1")).toBe("line 1\nline 2\nline 3\n");
    expect(directory.read("log")).toBe("line 4\n");
  });

  test("counts from the length of an existing file", async () => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("log"), "old line\n");
    const writer = await openWriter(directory, { bytesMax: 12 });
    await writeEach(writer, ["new\n", "next\n"]);
    await writer.close();
    expect(directory.read("log.1")).toBe("old line\nnew\n");
    expect(directory.read("log")).toBe("next\n");
  });

  test("copies where a rename would cross devices", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { bytesMax: 4, calls: disk.calls });
    disk.renameError = "EXDEV";
    await writeEach(writer, ["one\n", "2\n"]);
    await writer.close();
    expect(directory.read("log.1")).toBe("one\n");
    expect(directory.read("log")).toBe("2\n");
    expect(lstatSync(directory.join("log.1")).mode & 0o7777).toBe(0o600);
  });

  test("removes a copy that could not be completed, and keeps writing to the live file", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { bytesMax: 4, calls: disk.calls });
    disk.renameError = "EXDEV";
    disk.unlinkError = "EBUSY";
    await writeEach(writer, ["one\n", "two\n"]);
    expect(writer.takeError()).toMatchObject({ code: "EBUSY" });
    await writer.close();
    expect(directory.read("log")).toBe("one\ntwo\n");
    expect(existsSync(directory.join("log.1"))).toBe(false);
  });

  test("retries only the creation of the new file", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { bytesMax: 4, calls: disk.calls });
    await writeEach(writer, ["old\n"]);
    disk.failCreates = true;
    await writeEach(writer, ["one\n", "two\n", "three\n"]);
    expect(writer.takeError()).toMatchObject({ code: "ENOSPC" });
    expect(existsSync(directory.join("log"))).toBe(false);
    disk.failCreates = false;
    await writeEach(writer, ["four\n", "5\n"]);
    await writer.close();
    expect(directory.read("log.2")).toBe("old\n");
    expect(directory.read("log.1")).toBe("one\ntwo\nthree\nfour\n");
    expect(directory.read("log")).toBe("5\n");
    expect(existsSync(directory.join("log.3"))).toBe(false);
  });

  test("that cannot rename is given up, and tried again after the next write", async () => {
    using directory = new TempDirectory();
    const disk = new FaultyDisk();
    const writer = await openWriter(directory, { bytesMax: 4, calls: disk.calls });
    disk.renameError = "EACCES";
    await writeEach(writer, ["one\n", "two\n"]);
    expect(writer.takeError()).toMatchObject({ code: "EACCES" });
    disk.renameError = undefined;
    await writeEach(writer, ["three\n", "4\n"]);
    await writer.close();
    expect(directory.read("log.1")).toBe("one\ntwo\nthree\n");
    expect(directory.read("log")).toBe("4\n");
    expect(since(writer, "dropped", writer.droppedLines)).toBe(0);
  });
});

/** The real file system, with the failures of a full or foreign disk at the test's command. */
class FaultyDisk {
  failWrites = false;
  failCreates = false;
  bytesPerWrite = Number.POSITIVE_INFINITY;
  writesUntilFailure = Number.POSITIVE_INFINITY;
  /** Failure of the rename of the live file. */
  renameError: string | undefined;
  /** Failure of the removal of the live file. */
  unlinkError: string | undefined;
  syncs = 0;

  readonly calls: FileCalls = {
    ...REAL_FILE_CALLS,
    open: async (path, flags, mode) => {
      if (this.failCreates && mode !== undefined) throw errorWith("ENOSPC");
      const handle = await REAL_FILE_CALLS.open(path, flags, mode);
      if (mode !== undefined) this.#wrap(handle);
      return handle;
    },
    rename: async (from, to) => {
      const live = String(from).endsWith("log");
      if (live && this.renameError !== undefined) throw errorWith(this.renameError);
      await REAL_FILE_CALLS.rename(from, to);
    },
    unlink: async (path) => {
      const live = String(path).endsWith("log");
      if (live && this.unlinkError !== undefined) throw errorWith(this.unlinkError);
      await REAL_FILE_CALLS.unlink(path);
    },
  };

  #wrap(handle: Awaited<ReturnType<FileCalls["open"]>>): void {
    const write = handle.write.bind(handle);
    const datasync = handle.datasync.bind(handle);
    handle.datasync = () => {
      this.syncs += 1;
      return datasync();
    };
    const faulty = async (bytes: Uint8Array, offset: number, length: number) => {
      if (this.failWrites || this.writesUntilFailure === 0) throw errorWith("ENOSPC");
      this.writesUntilFailure -= 1;
      return write(bytes, offset, Math.min(length, this.bytesPerWrite), null);
    };
    handle.write = faulty as typeof handle.write;
  }
}
