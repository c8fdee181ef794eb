// One append-only file of the daemon, opened by the rules of own_file.ts and judged by its
// descriptor, created 0600 and exclusively, its parent directory synced after a creation. All calls
// are asynchronous and run on the runtime's thread pool; one owner calls them one at a time.
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import {
  foreignContent,
  linkError,
  OWN_FILE_MODE,
  requireOwnFile,
  SAFE_OPEN_FLAGS,
} from "./own_file.ts";

/** The calls that tests replace to show what a full disk or a foreign device does. */
export interface FileCalls {
  readonly open: typeof open;
  readonly lstat: typeof lstat;
  readonly rename: typeof rename;
  readonly unlink: typeof unlink;
}

export const REAL_FILE_CALLS: FileCalls = { open, lstat, rename, unlink };

export interface OpenOptions {
  readonly calls: FileCalls;
  /** Refuse a file that group or others may write. */
  readonly private?: boolean;
  /** Content that a file must have, or be empty, before anything is added to it. */
  readonly content?: Content | undefined;
  /** The caller syncs the directory of a new file, with `syncDirectory`. */
  readonly directoryLater?: boolean;
}

export interface Content {
  /** What is wanted, in words. */
  readonly name: string;
  /** Whether a file that begins with these bytes is one of the daemon. */
  readonly begins: (bytes: Buffer) => boolean;
}

/** First bytes of a file that its content is recognised by. */
const CONTENT_BYTES = 4_096;
const APPEND = constants.O_RDWR | constants.O_APPEND | SAFE_OPEN_FLAGS;
const CREATE = APPEND | constants.O_CREAT | constants.O_EXCL;

export class AppendFile {
  readonly handle: FileHandle;
  readonly dev: number;
  readonly ino: number;
  /** Bytes in the file, counted from its length when it was opened. */
  sizeBytes: number;
  /** True if this process made the file. */
  readonly created: boolean;
  /** Why the parent directory could not be synced after a creation; undefined if it could. */
  readonly directorySyncError: Error | undefined;

  private constructor(
    handle: FileHandle,
    stats: Stats,
    created: boolean,
    directorySyncError: Error | undefined,
  ) {
    this.handle = handle;
    this.dev = stats.dev;
    this.ino = stats.ino;
    this.sizeBytes = stats.size;
    this.created = created;
    this.directorySyncError = directorySyncError;
  }

  /**
   * Opens the file at `path`, creating it if there is none. Throws an Error that says what was
   * found.
   */
  static async open(path: string, options: OpenOptions): Promise<AppendFile> {
    try {
      return await AppendFile.create(path, options);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    return AppendFile.#openExisting(path, options);
  }

  /** Creates the file at `path`; fails with EEXIST if there is one. */
  static async create(path: string, options: OpenOptions): Promise<AppendFile> {
    const { calls } = options;
    const handle = await attempt(path, calls.open(path, CREATE, OWN_FILE_MODE));
    let stats: Stats | undefined;
    try {
      stats = await handle.stat();
      requireOwnFile(path, stats, rulesOf(options, stats));
    } catch (error) {
      await handle.close();
      if (stats !== undefined) await removeIfSame(path, stats, calls);
      throw error;
    }
    const isLater = options.directoryLater === true;
    return new AppendFile(
      handle,
      stats,
      true,
      isLater ? undefined : await syncDirectory(path, calls),
    );
  }

  static async #openExisting(path: string, options: OpenOptions): Promise<AppendFile> {
    // Checked first: to open a device can be an act of its own.
    const found = await options.calls.lstat(path);
    requireOwnFile(path, found, rulesOf(options, found));
    const handle = await attempt(path, options.calls.open(path, APPEND));
    try {
      const stats = await handle.stat();
      requireOwnFile(path, stats, rulesOf(options, stats));
      await requireContent(path, handle, stats, options.content);
      return new AppendFile(handle, stats, false, undefined);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Writes what it can of `bytes` and returns how much that was; throws only if it was nothing. */
  async write(bytes: Uint8Array): Promise<number> {
    const { bytesWritten } = await this.handle.write(bytes, 0, bytes.length, null);
    if (bytesWritten === 0) throw new Error("cannot write: the file takes no bytes");
    this.sizeBytes += bytesWritten;
    return bytesWritten;
  }

  datasync(): Promise<void> {
    return this.handle.datasync();
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Makes a creation or a rename in the directory of `path` durable; the error, or undefined. */
export async function syncDirectory(path: string, calls: FileCalls): Promise<Error | undefined> {
  try {
    const directory = await calls.open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/**
 * True if `path` still names the file that is open as `file`. One that was cut meanwhile counts
 * from its new length: a rotation by copy and truncate is no reason for another one.
 */
export async function isAtPath(file: AppendFile, path: string, calls: FileCalls): Promise<boolean> {
  try {
    const { dev, ino, size } = await calls.lstat(path);
    if (dev !== file.dev || ino !== file.ino) return false;
    file.sizeBytes = Math.min(file.sizeBytes, size);
    return true;
  } catch {
    return false;
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

async function attempt(path: string, opening: Promise<FileHandle>): Promise<FileHandle> {
  try {
    return await opening;
  } catch (error) {
    if (codeOf(error) !== "ELOOP") throw error;
    throw linkError(path);
  }
}

function rulesOf(options: OpenOptions, stats: Stats) {
  return { ownerUid: process.geteuid?.() ?? stats.uid, private: options.private === true };
}

async function requireContent(
  path: string,
  handle: FileHandle,
  { size }: Stats,
  content: Content | undefined,
): Promise<void> {
  if (content === undefined || size === 0) return;
  const bytes = Buffer.alloc(Math.min(size, CONTENT_BYTES));
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
  if (!content.begins(bytes.subarray(0, bytesRead))) throw foreignContent(path, content.name);
}

/** Removes a file that this process made, unless something else has taken its name. */
async function removeIfSame(path: string, made: Stats, calls: FileCalls): Promise<void> {
  const found = await calls.lstat(path).catch(() => undefined);
  if (found?.dev === made.dev && found.ino === made.ino) await calls.unlink(path);
}
