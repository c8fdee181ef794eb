// A small file that is read and replaced as a whole: read within a bound by the rules of
// own_file.ts, and written beside its name, synced and renamed over it, so that a crash at any
// moment leaves the old content or the new one.
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { codeOf, type FileCalls, syncDirectory } from "./append_file.ts";
import { OWN_FILE_MODE, requireOwnFile, SAFE_OPEN_FLAGS } from "./own_file.ts";

export interface SmallFile {
  readonly path: string;
  readonly ownerUid: number;
  readonly calls: FileCalls;
}

/**
 * The content, of at most `bytesMax` bytes; undefined = there is no file. Throws an Error that says
 * what was found.
 */
export async function readSmallFile(
  { path, ownerUid, calls }: SmallFile,
  bytesMax: number,
): Promise<Buffer | undefined> {
  let handle: FileHandle;
  try {
    handle = await calls.open(path, constants.O_RDONLY | SAFE_OPEN_FLAGS);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    requireOwnFile(path, await handle.stat(), { ownerUid, private: true });
    const bytes = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
      length += bytesRead;
      if (length > bytesMax)
        throw new Error(`cannot read ${path}: found more than ${bytesMax} bytes`);
      if (bytesRead === 0) return bytes.subarray(0, length);
    }
  } finally {
    await handle.close();
  }
}

/** Replaces the content for good: it is on the disk when this resolves. */
export async function replaceSmallFile(
  { path, calls }: SmallFile,
  content: Uint8Array,
): Promise<void> {
  const temporary = `${path}.tmp`;
  const handle = await createAnew(temporary, calls);
  try {
    try {
      for (let at = 0; at < content.length; ) {
        at += (await handle.write(content, at, content.length - at, null)).bytesWritten;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await calls.rename(temporary, path);
  } catch (error) {
    await calls.unlink(temporary).catch(() => undefined);
    throw error;
  }
  const error = await syncDirectory(path, calls);
  if (error !== undefined) throw error;
}

/** One that a killed daemon left is removed; a link is removed and not followed. */
async function createAnew(path: string, calls: FileCalls): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | SAFE_OPEN_FLAGS;
  try {
    return await calls.open(path, flags, OWN_FILE_MODE);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  await calls.unlink(path);
  return calls.open(path, flags, OWN_FILE_MODE);
}
