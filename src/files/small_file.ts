// A small file that is read and replaced as a whole: read within a bound by the rules of
// own_file.ts, and replaced as replaced_file.ts does it: a crash at any moment leaves the old
// content or the new one.
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { codeOf, type FileCalls } from "./append_file.ts";
import { requireOwnFile, SAFE_OPEN_FLAGS } from "./own_file.ts";
import { ReplacedFile } from "./replaced_file.ts";

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
  const file = await ReplacedFile.begin(path, calls);
  await file.write(content);
  const error = await file.commit();
  if (error !== undefined) throw error;
}
