// Rotation by size: `FILE` becomes `FILE.1`, `.1` becomes `.2`, up to five old files (spec 09
// section 5). It is a resumable sequence: once the renames are done, only the creation of the new
// file is tried again, so a full disk never pushes old files out. It runs between two writes, off
// the loop thread.
import { FILE_WRITE_BYTES_MAX, ROTATED_FILES_MAX } from "../base/limits.ts";
import { AppendFile, codeOf, type OpenOptions, syncDirectory } from "./append_file.ts";

interface RotationResult {
  /** The file that receives the next records. */
  readonly file: AppendFile;
  /** Why the rotation is not complete; undefined if it is. */
  readonly error: Error | undefined;
}

export class Rotation {
  readonly #path: string;
  readonly #options: OpenOptions;
  #createWanted = false;

  constructor(path: string, options: OpenOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** True if the old files have moved up and `run` will only try to create the new one. */
  get createWanted(): boolean {
    return this.#createWanted;
  }

  /** Forgets a wanted creation, because the file was opened again by other means. */
  reset(): void {
    this.#createWanted = false;
  }

  /** Never throws. `live` is closed if another file takes its place. */
  async run(live: AppendFile): Promise<RotationResult> {
    let file = live;
    if (!this.#createWanted) {
      try {
        await this.#shift();
        file = await this.#moveAway(live);
      } catch (error) {
        return { file: live, error: error as Error };
      }
    }
    try {
      const created = await AppendFile.create(this.#path, this.#options);
      this.#createWanted = false;
      await closeQuietly(file);
      return { file: created, error: created.directorySyncError };
    } catch (error) {
      if (!this.#createWanted) await syncDirectory(this.#path, this.#options.calls);
      this.#createWanted = true;
      return { file, error: error as Error };
    }
  }

  async #shift(): Promise<void> {
    const { unlink, rename } = this.#options.calls;
    await unlessMissing(unlink(`${this.#path}.${ROTATED_FILES_MAX}`));
    for (let fileNumber = ROTATED_FILES_MAX - 1; fileNumber >= 1; fileNumber--) {
      const from = `${this.#path}.${fileNumber}`;
      await unlessMissing(rename(from, `${this.#path}.${fileNumber + 1}`));
    }
  }

  /** Gives the live file its old name; the result is open as `.1`. */
  async #moveAway(live: AppendFile): Promise<AppendFile> {
    try {
      await unlessMissing(this.#options.calls.rename(this.#path, `${this.#path}.1`));
      return live;
    } catch (error) {
      if (codeOf(error) !== "EXDEV") throw error;
    }
    return this.#copyAway(live);
  }

  /** The live path is a mount of its own: its bytes are copied, and the copy takes over. */
  async #copyAway(live: AppendFile): Promise<AppendFile> {
    const { unlink } = this.#options.calls;
    const path = `${this.#path}.1`;
    const copy = await AppendFile.create(path, this.#options);
    try {
      await copyBytes(live, copy);
      await copy.datasync();
      await unlink(this.#path);
    } catch (error) {
      await closeQuietly(copy);
      await unlessMissing(unlink(path));
      throw error;
    }
    await closeQuietly(live);
    return copy;
  }
}

/**
 * Writes all of `bytes`, completing short writes. Throws with the count of written bytes in
 * `file.sizeBytes`.
 */
export async function writeAll(file: AppendFile, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) offset += await file.write(bytes.subarray(offset));
}

async function copyBytes(from: AppendFile, to: AppendFile): Promise<void> {
  const buffer = new Uint8Array(FILE_WRITE_BYTES_MAX);
  let position = 0;
  for (;;) {
    const { bytesRead } = await from.handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    await writeAll(to, buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

async function unlessMissing(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** A file whose records are written has nothing more to lose by a failed close. */
async function closeQuietly(file: AppendFile): Promise<void> {
  await file.close().catch(() => undefined);
}
