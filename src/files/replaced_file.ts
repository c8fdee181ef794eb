// New content for a file, written in parts beside its name, synced and renamed over it, so that a
// crash at any moment leaves the old content or the new one. All calls are asynchronous and run on
// the runtime's thread pool; one owner calls them one at a time. A part that fails removes what was
// written, and leaves the file as it was.
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { codeOf, type FileCalls, syncDirectory } from "./append_file.ts";
import { OWN_FILE_MODE, SAFE_OPEN_FLAGS } from "./own_file.ts";

export class ReplacedFile {
  readonly #path: string;
  readonly #calls: FileCalls;
  readonly #handle: FileHandle;

  private constructor(path: string, calls: FileCalls, handle: FileHandle) {
    this.#path = path;
    this.#calls = calls;
    this.#handle = handle;
  }

  static async begin(path: string, calls: FileCalls): Promise<ReplacedFile> {
    return new ReplacedFile(path, calls, await createAnew(temporaryOf(path), calls));
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at, bytes.length - at, null)).bytesWritten;
      }
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  /**
   * The new content is the file's, and on the disk, when this resolves. An error: it is the file's,
   * and the directory could not be synced, which some file systems cannot do at all.
   */
  async commit(): Promise<Error | undefined> {
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await this.#calls.rename(temporaryOf(this.#path), this.#path);
    } catch (error) {
      await this.abandon();
      throw error;
    }
    return syncDirectory(this.#path, this.#calls);
  }

  /** The file stays as it was. */
  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await this.#calls.unlink(temporaryOf(this.#path)).catch(() => undefined);
  }
}

function temporaryOf(path: string): string {
  return `${path}.tmp`;
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
