// The lock beside a socket path (spec 05 section 4.1): who has it is the one daemon that may put a
// socket there, so that no two of them find the same stale socket and replace each other's. Within
// the process it is shared: a socket that was lost is bound anew beside the old one.
import { IS_LINUX } from "../../ffi/constants.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { LockedError, LockFile } from "../files/lock_file.ts";
import { OwnFileError } from "../files/own_file.ts";
import { bindRefused, type SocketFile, SocketInUseError, SocketPathError } from "./socket_path.ts";

type LockedSocket = Pick<SocketFile, "path" | "setBy">;

interface Held {
  lock: LockFile;
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
      held = { lock: lockBeside(socket), sharedBy: 0 };
      heldByPath.set(path, held);
    } else if (!held.lock.isInPlace) {
      // Its file went, perhaps with its directory.
      const lost = held.lock;
      held.lock = lockBeside(socket);
      lost[Symbol.dispose]();
    }
    held.sharedBy += 1;
    this.#held = held;
  }

  /** Idempotent. The file goes with it: a socket leaves nothing behind. */
  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    held.sharedBy -= 1;
    if (held.sharedBy > 0) return;
    heldByPath.delete(this.#path);
    held.lock.remove();
  }
}

function lockBeside(socket: LockedSocket): LockFile {
  try {
    return LockFile.take(`${socket.path}.lock`, effectiveUid());
  } catch (error) {
    throw refusal(socket, error);
  }
}

function refusal({ path, setBy }: LockedSocket, error: unknown): unknown {
  if (error instanceof LockedError) {
    const who = Number.isNaN(error.holderPid) ? "" : ` as pid ${error.holderPid}`;
    return new SocketInUseError(
      "AddrInUse",
      `cannot bind ${path}: another varta-watch is already running at ${path}${who}`,
      `stop it first, or give this one another path with ${setBy}`,
    );
  }
  if (error instanceof OwnFileError)
    return new SocketPathError(
      "PermissionDenied",
      `cannot bind ${path}: its lock ${path}.lock ${error.reason}`,
      error.hint,
    );
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? error : bindRefused(path, -errno);
}
