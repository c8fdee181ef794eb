// The lock beside a socket path (spec 05 section 4.1): who has it is the one daemon that may put a
// socket there, so that no two of them find the same stale socket and replace each other's. It is
// flock(2) on a file that is never renamed, so it ends with the process; the pid in it is for
// people. Within the process it is shared: a socket that was lost is bound anew beside the old one.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { EAGAIN, IS_LINUX } from "../../ffi/constants.ts";
import { lockFile } from "../../ffi/lock.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { OwnFileError, requireOwnFile, SAFE_OPEN_FLAGS } from "../files/own_file.ts";
import { bindRefused, type SocketFile, SocketInUseError, SocketPathError } from "./socket_path.ts";

const LOCK_FILE_MODE = 0o600;
const PID_BYTES_MAX = 16;
/** The file may go between the open and the lock, with the daemon that had it. */
const TRIES_MAX = 8;

type LockedSocket = Pick<SocketFile, "path" | "setBy">;

interface Held {
  fd: number;
  readonly file: string;
  sharedBy: number;
}

const heldByPath = new Map<string, Held>();

export class PathLock {
  #held: Held | undefined;
  readonly #path: string;

  /** Throws `SocketPathError`. */
  constructor(socket: LockedSocket) {
    const { path } = socket;
    this.#path = path;
    if (!IS_LINUX) return;
    let held = heldByPath.get(path);
    if (held === undefined) {
      const file = `${path}.lock`;
      held = { fd: lockedFile(file, socket), file, sharedBy: 0 };
      heldByPath.set(path, held);
    } else if (!isAt(held.file, held.fd)) {
      // Somebody has removed it, perhaps with its directory: another daemon can lock a new one.
      const lost = held.fd;
      held.fd = lockedFile(held.file, socket);
      closeSync(lost);
    }
    held.sharedBy += 1;
    this.#held = held;
  }

  /** Idempotent. The file goes before the lock does, so that nobody locks one that is gone. */
  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    held.sharedBy -= 1;
    if (held.sharedBy > 0) return;
    heldByPath.delete(this.#path);
    try {
      if (isAt(held.file, held.fd)) unlinkSync(held.file);
    } catch {
      // A file that is gone is what is wanted, and one that stays locks nobody out.
    }
    closeSync(held.fd);
  }
}

function lockedFile(file: string, socket: LockedSocket): number {
  for (let tries = 1; ; tries++) {
    const fd = openLock(file, socket);
    try {
      const stats = fstatSync(fd);
      if (stats.nlink > 0)
        requireOwnFile(file, stats, { ownerUid: effectiveUid(), private: false });
      if (lockFile(fd) === -EAGAIN) throw inUse(socket, pidIn(fd));
      if (isAt(file, fd) || tries === TRIES_MAX) {
        ftruncateSync(fd);
        writeSync(fd, `${process.pid}\n`, 0);
        return fd;
      }
    } catch (error) {
      closeSync(fd);
      if (!(error instanceof OwnFileError)) throw error;
      const { path } = socket;
      throw new SocketPathError(
        "PermissionDenied",
        `cannot bind ${path}: its lock ${file} ${error.reason}`,
        error.hint,
      );
    }
    closeSync(fd);
  }
}

function openLock(file: string, { path }: LockedSocket): number {
  const { O_CREAT, O_RDWR } = constants;
  try {
    return openSync(file, O_RDWR | O_CREAT | SAFE_OPEN_FLAGS, LOCK_FILE_MODE);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw bindRefused(path, -errno);
  }
}

function inUse({ path, setBy }: LockedSocket, pid: string): SocketInUseError {
  const who = pid === "" ? "" : ` as pid ${pid}`;
  return new SocketInUseError(
    "AddrInUse",
    `cannot bind ${path}: another varta-watch is already running at ${path}${who}`,
    `stop it first, or give this one another path with ${setBy}`,
  );
}

function isAt(file: string, fd: number): boolean {
  const now = lstatSync(file, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(fd);
  return now?.dev === dev && now.ino === ino;
}

function pidIn(fd: number): string {
  const bytes = Buffer.alloc(PID_BYTES_MAX);
  const text = bytes.toString("latin1", 0, readSync(fd, bytes, 0, PID_BYTES_MAX, 0)).trim();
  return /^[0-9]{1,10}$/.test(text) ? text : "";
}
