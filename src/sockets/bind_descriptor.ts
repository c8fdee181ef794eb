// The bind of a listener to its Unix socket path (spec 05 section 4). The checks are those of every socket path that we
// make; here a bind that finds the path taken looks for a stale socket and tries once more, and the file gets its group.
// Synchronous: it runs before anything else is opened, since the umask is process-wide.
import { closeSync, constants, fsyncSync, lchownSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { EADDRINUSE } from "../../ffi/constants.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { bind, unixAddress } from "../../ffi/socket.ts";
import {
  type BoundSocket,
  bindRefused,
  bindWithMode,
  boundSocket,
  checkParent,
  removeStaleSocket,
  SocketPathError,
  unlinkBoundPath,
} from "./socket_path.ts";

export interface BindPathOptions {
  readonly fd: number;
  /** SOCK_DGRAM or SOCK_STREAM, the type of `fd`. */
  readonly type: number;
  readonly path: string;
  readonly mode: number;
  readonly gid: number | undefined;
  /** False leaves out the sync of the directory, which may take long. */
  readonly syncsDirectory?: boolean;
}

/** A path that we bound, with the identity of the inode that we made. */
export interface BoundPath extends BoundSocket {
  readonly directorySynced: boolean;
}

/** Binds `fd` to `path` by the protocol; throws `SocketPathError`. The umask is restored in every case. */
export function bindSocketPath(options: BindPathOptions): BoundPath {
  const { path, mode, type } = options;
  checkParent(path);
  let result = bindOnce(options);
  if (result === -EADDRINUSE) {
    removeStaleSocket({ path, type, setBy: "--socket" });
    result = bindOnce(options);
  }
  if (result < 0) throw bindRefused(path, -result);
  const bound = boundSocket(path, mode);
  try {
    if (options.gid !== undefined) changeGroup(path, options.gid);
  } catch (error) {
    unlinkBoundPath(bound);
    throw error;
  }
  const synced = options.syncsDirectory === false || syncDirectory(dirname(path));
  return { ...bound, directorySynced: synced };
}

function bindOnce({ fd, path, mode }: BindPathOptions): number {
  return bindWithMode(mode, () => bind(fd, unixAddress(path)));
}

function changeGroup(path: string, gid: number): void {
  try {
    lchownSync(path, effectiveUid(), gid);
  } catch (error) {
    throw new SocketPathError(
      "PermissionDenied",
      `Cannot give ${path} to group ${gid}: ${error instanceof Error ? error.message : String(error)}`,
      "the daemon must be root or a member of that group",
    );
  }
}

function syncDirectory(path: string): boolean {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return true;
  } catch {
    return false;
  }
}
