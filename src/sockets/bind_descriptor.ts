// The bind of a descriptor to a Unix socket path (spec 05 section 4). The checks are those of every
// socket path that the daemon makes; here a bind that finds the path taken by a stale socket makes
// one beside and renames it over that, so that the path is never without one. Synchronous: it runs
// before anything else is opened, since the umask is process-wide.
import { dirname } from "node:path";
import { EADDRINUSE } from "../../ffi/constants.ts";
import { bind, unixAddress } from "../../ffi/socket.ts";
import { syncDirectoryNow } from "../files/directory_sync.ts";
import { PathLock } from "./path_lock.ts";
import { besidePath } from "./private_name.ts";
import {
  type BoundSocket,
  bindRefused,
  bindWithMode,
  boundSocket,
  checkParent,
  type Inode,
  renameOver,
  type SocketFile,
  staleSocket,
  unlinkBoundPath,
} from "./socket_path.ts";

export interface BindDescriptorOptions extends SocketFile {
  readonly fd: number;
  /** SOCK_DGRAM or SOCK_STREAM, the type of `fd`. */
  readonly type: number;
  /** False leaves out the sync of the directory, which may take long. */
  readonly syncsDirectory?: boolean;
}

/** A path that was bound, with the identity of the inode that was made. */
export interface BoundPath extends BoundSocket {
  readonly directorySynced: boolean;
}

/**
 * Binds `fd` to `path` by the protocol; throws `SocketPathError`. The umask is restored in every
 * case.
 */
export function bindDescriptor(options: BindDescriptorOptions): BoundPath {
  const { path } = options;
  checkParent(path);
  const lock = new PathLock(options);
  try {
    const bound = bindAtPath(options);
    const synced = options.syncsDirectory === false || syncDirectoryNow(dirname(path));
    return { ...bound, lock, directorySynced: synced };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function bindAtPath(options: BindDescriptorOptions): BoundSocket {
  const { path } = options;
  let result = bindOnce(options, path);
  if (result === -EADDRINUSE) {
    const stale = staleSocket(options);
    if (stale !== undefined) return replaceSocket(options, stale);
    result = bindOnce(options, path);
  }
  if (result < 0) throw bindRefused(path, -result);
  return boundSocket(path, options);
}

function replaceSocket(options: BindDescriptorOptions, stale: Inode): BoundSocket {
  const { path } = options;
  return besidePath(options, ({ address, made }) => {
    const result = bindOnce(options, address);
    if (result < 0) throw bindRefused(path, -result);
    const bound = boundSocket(made, options);
    try {
      renameOver(bound, options, stale);
    } catch (error) {
      unlinkBoundPath(bound);
      throw error;
    }
    return { ...bound, path };
  });
}

function bindOnce({ fd, mode }: BindDescriptorOptions, address: string): number {
  return bindWithMode(mode, () => bind(fd, unixAddress(address)));
}
