// Rotation of the audit log by size (spec 11 section 6), as a sequence that can stop at any step
// and go on later: the live file moves to `.1`, a new one is created, its boot record links it to
// the old one. Runs between two passes of the writer, off the loop thread. A failure never costs an
// old file more than the one whose turn it is.
import { assert } from "../base/assert.ts";
import { FILE_WRITE_BYTES_MAX, ROTATED_FILES_MAX } from "../base/limits.ts";
import {
  AppendFile,
  codeOf,
  type FileCalls,
  isAtPath,
  syncDirectory,
} from "../files/append_file.ts";
import { writeAll } from "../files/rotation.ts";
import { AUDIT_HEADER } from "./record.ts";

interface AuditRotationOptions {
  readonly path: string;
  readonly calls: FileCalls;
  /** Seals the boot record and returns it after `lead`: what the log begins with in a file. */
  readonly firstBytes: (lead: string) => Buffer;
}

interface AuditRotationResult {
  /** The file that receives the next records. */
  readonly file: AppendFile;
  /** Why the rotation is not complete, or what went wrong although it is. */
  readonly error: Error | undefined;
}

/** The new file, and what of its first bytes is not written yet. */
interface NewFile {
  readonly file: AppendFile;
  rest: Buffer;
}

type Step = "idle" | "create" | "boot";

export class AuditRotation {
  readonly #options: AuditRotationOptions;
  #step: Step = "idle";
  #newFile: NewFile | undefined;
  /** What went wrong in a step that was passed nevertheless. */
  #error: Error | undefined;

  constructor(options: AuditRotationOptions) {
    this.#options = options;
  }

  /** True if a rotation has begun and `run` will go on with it. */
  get isPending(): boolean {
    return this.#step !== "idle";
  }

  /** True between the swap and the boot record: no other record may be written. */
  get isBooting(): boolean {
    return this.#step === "boot";
  }

  /** The live file has vanished: only a new one is wanted. */
  wantNewFile(): void {
    if (this.#step === "idle") this.#step = "create";
  }

  /** The log goes on in `file`, which may be the live one, after `lead`. */
  takeOver(file: AppendFile, lead: string): void {
    assert(this.#step === "idle", "a rotation is completed first");
    this.#newFile = { file, rest: this.#options.firstBytes(lead) };
    this.#step = "boot";
  }

  /** Goes as far as it can. Never throws. `live` is closed when another file takes its place. */
  async run(live: AppendFile): Promise<AuditRotationResult> {
    let file = live;
    this.#error = undefined;
    try {
      if (this.#step === "idle") {
        file = await this.#moveAway(live);
        this.#step = "create";
      }
      if (this.#step === "create") await this.#create();
      return { file: await this.#boot(file), error: this.#error };
    } catch (error) {
      // Another program has put a file in the free place: the writer's next check decides what that
      // is.
      if (this.#step === "create" && codeOf(error) === "EEXIST") this.#step = "idle";
      return { file, error: error as Error };
    }
  }

  /** Lets go of a new file that has no boot record; the next start gives it one. */
  async close(live: AppendFile): Promise<void> {
    if (this.#newFile !== undefined && this.#newFile.file !== live)
      await this.#newFile.file.close();
  }

  /** Gives the live file its old name; the result is open as `.1`. */
  async #moveAway(live: AppendFile): Promise<AppendFile> {
    const { path, calls } = this.#options;
    if (await isMissing(path, calls)) {
      this.#error = new Error(`cannot rotate ${path}: found no file, making a new one`);
      return live;
    }
    if (!(await isAtPath(live, path, calls))) {
      throw new Error(`cannot rotate ${path}: another file has taken its place`);
    }
    // Before the rename: until the new file has its first record, a kill leaves the log without a
    // live file.
    await this.#tolerate(live.handle.sync());
    await this.#makeRoom();
    try {
      await calls.rename(path, `${path}.1`);
      return live;
    } catch (error) {
      if (codeOf(error) !== "EXDEV") throw error;
    }
    return this.#copyAway(live);
  }

  /**
   * Frees the name `.1`. Files move up only as far as to the first free name, so that a rotation
   * that fails again and again after this step does not push the old files out one by one.
   */
  async #makeRoom(): Promise<void> {
    const { path, calls } = this.#options;
    let free = 1;
    while (free <= ROTATED_FILES_MAX && !(await isMissing(`${path}.${free}`, calls))) free += 1;
    if (free > ROTATED_FILES_MAX) {
      free = ROTATED_FILES_MAX;
      await calls.unlink(`${path}.${free}`);
    }
    for (let fileNumber = free - 1; fileNumber >= 1; fileNumber--) {
      await calls.rename(`${path}.${fileNumber}`, `${path}.${fileNumber + 1}`);
    }
  }

  /** The bytes are copied, and the copy takes over. */
  async #copyAway(live: AppendFile): Promise<AppendFile> {
    const { path, calls } = this.#options;
    const copy = await AppendFile.create(`${path}.1`, { calls, private: true });
    try {
      await copyBytes(live, copy);
      await copy.handle.sync();
      await calls.unlink(path);
    } catch (error) {
      await closeQuietly(copy);
      await calls.unlink(`${path}.1`).catch(() => undefined);
      throw error;
    }
    await closeQuietly(live);
    return copy;
  }

  /** The boot record follows at once: a file without a record looks like an emptied one. */
  async #create(): Promise<void> {
    const { path, calls, firstBytes } = this.#options;
    const file = await AppendFile.create(path, { calls, private: true, directoryLater: true });
    this.#newFile = { file, rest: firstBytes(`${AUDIT_HEADER}\n`) };
    this.#step = "boot";
  }

  async #boot(old: AppendFile): Promise<AppendFile> {
    const { path, calls } = this.#options;
    const newFile = this.#newFile!;
    const { file } = newFile;
    while (newFile.rest.length > 0) {
      newFile.rest = newFile.rest.subarray(await file.write(newFile.rest));
    }
    await this.#tolerate(file.handle.sync());
    // The directory, and with it the renames.
    const directoryError = await syncDirectory(path, calls);
    if (directoryError !== undefined) this.#error = directoryError;
    if (file !== old) await closeQuietly(old);
    this.#newFile = undefined;
    this.#step = "idle";
    return file;
  }

  async #tolerate(call: Promise<void>): Promise<void> {
    try {
      await call;
    } catch (error) {
      this.#error = error as Error;
    }
  }
}

async function isMissing(path: string, calls: FileCalls): Promise<boolean> {
  try {
    await calls.lstat(path);
    return false;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return true;
    throw error;
  }
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

/** A file whose records are written has nothing more to lose by a failed close. */
async function closeQuietly(file: AppendFile): Promise<void> {
  await file.close().catch(() => undefined);
}
