import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, linkSync, lstatSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LockedError, LockFile } from "../../src/files/lock_file.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { TempDirectory } from "./temp_directory.ts";

setDefaultTimeout(TEST_MS_MAX);

const UID = process.geteuid!();
const MODULE = join(import.meta.dir, "../../src/files/lock_file.ts");

/** What `take` throws. */
function refusal(path: string): Error {
  try {
    LockFile.take(path, UID)[Symbol.dispose]();
  } catch (error) {
    return error as Error;
  }
  throw new Error("the lock was taken");
}

describe("LockFile", () => {
  test("has the pid of its holder, and no one else may open it", () => {
    using directory = new TempDirectory();
    const path = directory.join("state.lock");
    using lock = LockFile.take(path, UID);
    expect(lock.path).toBe(path);
    expect(directory.read("state.lock")).toBe(`${process.pid}\n`);
    expect(lstatSync(path).mode & 0o7777).toBe(0o600);
  });

  test("is refused to a second one, with the path and the holder's pid", () => {
    using directory = new TempDirectory();
    const path = directory.join("state.lock");
    using _ = LockFile.take(path, UID);
    const error = refusal(path) as LockedError;
    expect(error).toBeInstanceOf(LockedError);
    expect(error.message).toBe(`cannot lock ${path}: found it held by pid ${process.pid}`);
    expect(error.holderPid).toBe(process.pid);
    writeFileSync(path, "rubbish");
    expect(refusal(path).message).toEndWith("found it held by another process");
  });

  test.each([undefined, "99999\n"])(
    "holds without room for a pid, and names no other one: of a file with %j",
    (before) => {
      using directory = new TempDirectory();
      const path = directory.join("state.lock");
      if (before !== undefined) writeFileSync(path, before, { mode: 0o600 });
      const script = `
        const { LockFile } = await import(${JSON.stringify(MODULE)});
        const lock = LockFile.take(${JSON.stringify(path)}, ${UID});
        const [{ size }, { holderPid }] = [Bun.file(lock.path), refusal()];
        process.stdout.write(JSON.stringify([lock.wasLeft, size, holderPid]));
        function refusal() {
          try { LockFile.take(lock.path, ${UID}); } catch (error) { return error; }
        }`;
      const noRoom = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh"];
      const child = Bun.spawnSync([...noRoom, process.execPath, "-e", script]);
      expect(child.stderr.toString()).toBe("");
      expect(JSON.parse(child.stdout.toString())).toEqual([before !== undefined, 0, null]);
    },
  );

  test("can be had again when it was given up", () => {
    using directory = new TempDirectory();
    const path = directory.join("state.lock");
    LockFile.take(path, UID)[Symbol.dispose]();
    expect(directory.read("state.lock")).toBe("");
    using lock = LockFile.take(path, UID);
    expect(lock.wasLeft).toBe(false);
    expect(directory.read("state.lock")).toBe(`${process.pid}\n`);
  });

  test("ends with its process, however that ends, whatever pid stands in the file", async () => {
    using directory = new TempDirectory();
    const path = directory.join("state.lock");
    const script = `
      const { LockFile } = await import(${JSON.stringify(MODULE)});
      LockFile.take(${JSON.stringify(path)}, ${UID});
      console.log("held");
      setInterval(() => {}, 1_000);`;
    const holder = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
    await holder.stdout.getReader().read();
    expect(refusal(path).message).toEndWith(`held by pid ${holder.pid}`);
    holder.kill("SIGKILL");
    await holder.exited;
    expect(directory.read("state.lock")).toBe(`${holder.pid}\n`);
    using lock = LockFile.take(path, UID);
    expect(lock.wasLeft).toBe(true);
    expect(directory.read("state.lock")).toBe(`${process.pid}\n`);
  });

  test("is not held by a file that was removed: the next one has a file of its own", () => {
    using directory = new TempDirectory();
    const path = directory.join("state.lock");
    using _ = LockFile.take(path, UID);
    unlinkSync(path);
    using second = LockFile.take(path, UID);
    expect(refusal(second.path)).toBeInstanceOf(LockedError);
  });

  test("may take its file along, but not that of another one", () => {
    using directory = new TempDirectory();
    const path = directory.join("a.lock");
    LockFile.take(path, UID).remove();
    expect(existsSync(path)).toBe(false);
    const first = LockFile.take(path, UID);
    expect(first.isInPlace).toBe(true);
    unlinkSync(path);
    using _ = LockFile.take(path, UID);
    expect(first.isInPlace).toBe(false);
    first.remove();
    first.remove();
    expect(refusal(path)).toBeInstanceOf(LockedError);
  });

  test("follows no link, and takes no file with a second name, nor a directory", () => {
    using directory = new TempDirectory();
    const path = directory.join("state.lock");
    writeFileSync(directory.join("precious"), "untouched", { mode: 0o600 });
    symlinkSync("precious", path);
    expect(refusal(path).message).toContain("must not be a symlink");
    unlinkSync(path);
    linkSync(directory.join("precious"), path);
    expect(refusal(path).message).toContain("must have one hard link");
    expect(directory.read("precious")).toBe("untouched");
    expect(refusal(directory.path).message).toContain("found a directory");
  });
});
