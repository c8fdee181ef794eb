import { describe, expect, test } from "bun:test";
import { chmodSync, linkSync, lstatSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { type FileCalls, REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { readSmallFile, replaceSmallFile, type SmallFile } from "../../src/files/small_file.ts";
import { TempDirectory } from "./temp_directory.ts";

function small(directory: TempDirectory, calls: FileCalls = REAL_FILE_CALLS): SmallFile {
  return { path: directory.join("state"), ownerUid: process.geteuid!(), calls };
}

const BYTES = Buffer.from("new content\n");

describe("replaceSmallFile()", () => {
  test("leaves the content, mode 0600, and nothing beside it", async () => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("state"), "old content that is longer\n");
    await replaceSmallFile(small(directory), BYTES);
    expect(directory.read("state")).toBe("new content\n");
    expect(lstatSync(directory.join("state")).mode & 0o7777).toBe(0o600);
    expect(readdirSync(directory.path)).toEqual(["state"]);
  });

  test("leaves the old content if any step fails, and nothing beside it", async () => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("state"), "old\n");
    const broken = () => Promise.reject(new Error("broken"));
    for (const calls of [
      { ...REAL_FILE_CALLS, rename: broken },
      {
        ...REAL_FILE_CALLS,
        open: (async (path: string, flags: number, mode: number) => {
          const handle = await REAL_FILE_CALLS.open(path, flags, mode);
          handle.sync = broken;
          return handle;
        }) as unknown as FileCalls["open"],
      },
    ]) {
      await expect(replaceSmallFile(small(directory, calls), BYTES)).rejects.toThrow("broken");
      expect(directory.read("state")).toBe("old\n");
      expect(readdirSync(directory.path)).toEqual(["state"]);
    }
  });

  test("removes what a kill left behind, and follows no link there", async () => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("precious"), "untouched");
    symlinkSync("precious", directory.join("state.tmp"));
    await replaceSmallFile(small(directory), BYTES);
    expect(directory.read("precious")).toBe("untouched");
    expect(readdirSync(directory.path).toSorted()).toEqual(["precious", "state"]);
  });

  test("syncs the file before the rename and the directory after it", async () => {
    using directory = new TempDirectory();
    const steps: string[] = [];
    const calls: FileCalls = {
      ...REAL_FILE_CALLS,
      open: (async (path: string, flags: number, mode: number) => {
        const handle = await REAL_FILE_CALLS.open(path, flags, mode);
        const sync = handle.sync.bind(handle);
        handle.sync = () => {
          steps.push(path === directory.path ? "sync directory" : "sync file");
          return sync();
        };
        return handle;
      }) as unknown as FileCalls["open"],
      rename: async (from, to) => {
        steps.push("rename");
        await REAL_FILE_CALLS.rename(from, to);
      },
    };
    await replaceSmallFile(small(directory, calls), BYTES);
    expect(steps).toEqual(["sync file", "rename", "sync directory"]);
  });
});

describe("readSmallFile()", () => {
  test("gives all bytes up to the bound, and undefined for a file that is missing", async () => {
    using directory = new TempDirectory();
    expect(await readSmallFile(small(directory), 10)).toBeUndefined();
    writeFileSync(directory.join("state"), "x".repeat(10), { mode: 0o600 });
    expect((await readSmallFile(small(directory), 10))!.toString()).toBe("x".repeat(10));
    await expect(readSmallFile(small(directory), 9)).rejects.toThrow("found more than 9 bytes");
  });

  test("refuses a link, a second name, a FIFO and a mode for others", async () => {
    using directory = new TempDirectory();
    const read = () => readSmallFile(small(directory), 100);
    const path = directory.join("state");
    writeFileSync(directory.join("other"), "x", { mode: 0o600 });
    symlinkSync("other", path);
    await expect(read()).rejects.toThrow();
    await REAL_FILE_CALLS.unlink(path);
    linkSync(directory.join("other"), path);
    await expect(read()).rejects.toThrow("must have one hard link");
    await REAL_FILE_CALLS.unlink(path);
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    await expect(read()).rejects.toThrow("found a FIFO");
    await REAL_FILE_CALLS.unlink(path);
    writeFileSync(path, "x");
    chmodSync(path, 0o660);
    await expect(read()).rejects.toThrow("must not be writable by others, found mode 0660");
  });
});
