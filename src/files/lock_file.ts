// A file whose lock says that something belongs to this process (spec 18 section 1): a state file,
// a socket path. What holds is flock(2), which ends with the process however that ends; the pid in
// the file is for messages alone. Only who has the lock may remove the file, and before it gives
// the lock up; whoever has it open by then opens again.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { EAGAIN } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { lockFile } from "../../ffi/lock.ts";
import { openOwnFile, requireOwnFile } from "./own_file.ts";

/** How often the file may be replaced by another program while it is being locked. */
const TRIES_MAX = 8;
/** A pid and a newline. */
const HOLDER_BYTES_MAX = 16;

/** No room, none for this user, a file longer than this process may write, a device that fails. */
const NO_ROOM: readonly string[] = ["ENOSPC", "EDQUOT", "EFBIG", "EIO"];

/** Another process has the lock. */
export class LockedError extends Error {
  override readonly name = "LockedError";
  readonly path: string;
  /** NaN = it is not known. */
  readonly holderPid: number;

  constructor(path: string, holderPid: number) {
    const holder = Number.isNaN(holderPid) ? "another process" : `pid ${holderPid}`;
    super(`cannot lock ${path}: found it held by ${holder}`);
    this.path = path;
    this.holderPid = holderPid;
  }
}

export class LockFile implements Disposable {
  readonly path: string;
  /** The one before it did not give it up: it was killed. */
  readonly wasLeft: boolean;
  #fd: number;

  /**
   * Locks the file at `path`, which is made if there is none. Throws `LockedError` if another
   * process has it, else an Error that says what was found.
   */
  static take(path: string, ownerUid: number): LockFile {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const fd = openOwn(path, ownerUid);
      if (hasLock(path, fd)) return new LockFile(path, fd);
    }
    throw new Error(`cannot lock ${path}: another program replaces it all the time`);
  }

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    this.wasLeft = fstatSync(fd).size > 0;
    noteHolder(fd);
  }

  /** False: somebody has removed the file, and another process can lock a new one. */
  get isInPlace(): boolean {
    return this.#fd >= 0 && isAt(this.path, this.#fd);
  }

  /** Gives it up; the file stays, without a holder. */
  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    ftruncateSync(this.#fd, 0);
    closeSync(this.#fd);
    this.#fd = -1;
  }

  /** Gives it up, and the file with it. */
  remove(): void {
    try {
      if (this.isInPlace) unlinkSync(this.path);
    } catch {
      // A file that is gone is what is wanted, and one that stays locks nobody out.
    }
    this[Symbol.dispose]();
  }
}

/** True if `fd` is locked and still the file at `path`; else it is closed. */
function hasLock(path: string, fd: number): boolean {
  let isKept = false;
  try {
    const result = lockFile(fd);
    if (result === -EAGAIN) throw new LockedError(path, holderOf(fd));
    check(result, `cannot lock ${path}`);
    // Another program may have removed the file before it was locked: the next one would lock
    // another file under the same name.
    isKept = isAt(path, fd);
    return isKept;
  } finally {
    if (!isKept) closeSync(fd);
  }
}

function isAt(path: string, fd: number): boolean {
  const { dev, ino } = fstatSync(fd);
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.dev === dev && found.ino === ino;
}

function openOwn(path: string, ownerUid: number): number {
  const fd = openOwnFile(path, constants.O_RDWR | constants.O_CREAT, ownerUid);
  try {
    const stats = fstatSync(fd);
    // One that was removed meanwhile is found not to be in its place.
    if (stats.nlink > 0) requireOwnFile(path, stats, { ownerUid, private: true });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * A disk without room has none for a pid, either, and that is no reason to forget a state, or to
 * bind no socket: whoever is refused does not learn by whom then.
 */
function noteHolder(fd: number): void {
  const text = `${process.pid}\n`;
  try {
    // What is there is written over: to cut it first would give its place away.
    writeSync(fd, text, 0);
    ftruncateSync(fd, text.length);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!NO_ROOM.includes(code)) throw error;
    // The pid of one before it says nothing true.
    ftruncateSync(fd, 0);
  }
}

function holderOf(fd: number): number {
  const bytes = Buffer.alloc(HOLDER_BYTES_MAX);
  const text = bytes.toString("latin1", 0, readSync(fd, bytes, 0, bytes.length, 0));
  const [, pid] = /^([0-9]{1,10})\n$/.exec(text) ?? [];
  return pid === undefined ? Number.NaN : Number(pid);
}
