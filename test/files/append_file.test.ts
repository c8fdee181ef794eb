import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { AppendFile, isAtPath, REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { TempDirectory } from "./temp_directory.ts";

setDefaultTimeout(TEST_MS_MAX);

const OPTIONS = { calls: REAL_FILE_CALLS };

describe("AppendFile.open()", () => {
  test("creates a missing file with mode 0600", async () => {
    using directory = new TempDirectory();
    const file = await AppendFile.open(directory.join("log"), OPTIONS);
    expect(file.created).toBe(true);
    expect(file.sizeBytes).toBe(0);
    expect(file.directorySyncError).toBeUndefined();
    expect(lstatSync(directory.join("log")).mode & 0o7777).toBe(0o600);
    await file.close();
  });

  test("appends to an existing file and counts from its length", async () => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("log"), "old\n", { mode: 0o644 });
    const file = await AppendFile.open(directory.join("log"), OPTIONS);
    expect(file.created).toBe(false);
    expect(file.sizeBytes).toBe(4);
    expect(await file.write(Buffer.from("new\n"))).toBe(4);
    expect(file.sizeBytes).toBe(8);
    expect(directory.read("log")).toBe("old\nnew\n");
    await file.close();
  });

  test("refuses a symlink, also one that leads nowhere", async () => {
    using directory = new TempDirectory();
    symlinkSync(directory.join("target"), directory.join("log"));
    const opening = AppendFile.open(directory.join("log"), OPTIONS);
    await expect(opening).rejects.toThrow("must not be a symlink");
    writeFileSync(directory.join("target"), "");
    await expect(AppendFile.open(directory.join("log"), OPTIONS)).rejects.toThrow("symlink");
  });

  test("refuses what is not a regular file", async () => {
    using directory = new TempDirectory();
    expect(Bun.spawnSync(["mkfifo", directory.join("fifo")]).exitCode).toBe(0);
    const opening = AppendFile.open(directory.join("fifo"), OPTIONS);
    await expect(opening).rejects.toThrow("must be a regular file");
    mkdirSync(directory.join("dir"));
    const ofDirectory = AppendFile.open(directory.join("dir"), OPTIONS);
    await expect(ofDirectory).rejects.toThrow("must be a regular file, found a directory");
    const ofDevice = AppendFile.open("/dev/null", OPTIONS);
    await expect(ofDevice).rejects.toMatchObject({
      message: "cannot open /dev/null: must be a regular file, found a device",
      hint: "name a file; to read on as it is written: tail -F FILE",
    });
  });

  test("refuses a file with a second name and leaves it as it is", async () => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("precious"), "untouched");
    linkSync(directory.join("precious"), directory.join("log"));
    const opening = AppendFile.open(directory.join("log"), OPTIONS);
    await expect(opening).rejects.toThrow("must have one hard link, found 2");
    expect(directory.read("precious")).toBe("untouched");
  });

  test.each([0o660, 0o602, 0o666])("refuses mode %o if it is to be private", async (mode) => {
    using directory = new TempDirectory();
    writeFileSync(directory.join("log"), "");
    chmodSync(directory.join("log"), mode);
    const opening = AppendFile.open(directory.join("log"), { ...OPTIONS, private: true });
    await expect(opening).rejects.toThrow("must not be writable by others");
    // As logrotate makes it for a group.
    const file = await AppendFile.open(directory.join("log"), OPTIONS);
    await file.close();
  });

  test("adds nothing to content that is not recognised", async () => {
    using directory = new TempDirectory();
    const content = { name: "numbers", begins: (bytes: Buffer) => bytes[0] === 0x31 };
    for (const [text, isOurs] of [
      ["", true],
      ["1\n", true],
      ["# a configuration\n", false],
    ] as const) {
      writeFileSync(directory.join("log"), text);
      const opening = AppendFile.open(directory.join("log"), { ...OPTIONS, content });
      if (isOurs) await (await opening).close();
      else await expect(opening).rejects.toThrow("found other content, want numbers");
      expect(readFileSync(directory.join("log"), "latin1")).toBe(text);
    }
  });

  test.skipIf(process.geteuid?.() !== 0)(
    "refuses a file of another user (skipped unless root, who can make one)",
    async () => {
      using directory = new TempDirectory();
      writeFileSync(directory.join("log"), "");
      chownSync(directory.join("log"), 12345, 12345);
      const opening = AppendFile.open(directory.join("log"), OPTIONS);
      await expect(opening).rejects.toThrow("must belong to uid 0, found uid 12345");
    },
  );

  test("fails as the system says in a missing directory", async () => {
    using directory = new TempDirectory();
    const opening = AppendFile.open(directory.join("no/log"), OPTIONS);
    await expect(opening).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("isAtPath() counts a file that was cut from its new length", async () => {
  using directory = new TempDirectory();
  const file = await AppendFile.open(directory.join("log"), OPTIONS);
  await file.write(Buffer.from("1234567890"));
  truncateSync(directory.join("log"), 4);
  expect(await isAtPath(file, directory.join("log"), REAL_FILE_CALLS)).toBe(true);
  expect(file.sizeBytes).toBe(4);
  await file.close();
});

test("isAtPath() says whether the path still names the file", async () => {
  using directory = new TempDirectory();
  const file = await AppendFile.open(directory.join("log"), OPTIONS);
  expect(await isAtPath(file, directory.join("log"), REAL_FILE_CALLS)).toBe(true);
  await REAL_FILE_CALLS.rename(directory.join("log"), directory.join("moved"));
  expect(await isAtPath(file, directory.join("log"), REAL_FILE_CALLS)).toBe(false);
  writeFileSync(directory.join("log"), "");
  expect(await isAtPath(file, directory.join("log"), REAL_FILE_CALLS)).toBe(false);
  await file.close();
});
