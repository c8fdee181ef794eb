// The bind of a descriptor to a Unix socket path (spec 05 section 4). The checks are those of every
// socket path that the daemon makes; here a bind that finds the path taken looks for a stale socket
// and tries once more. Synchronous: it runs before anything else is opened, since the umask is
// process-wide.
import { dirname } from "node:path";
import { EADDRINUSE } from "../../ffi/constants.ts";
import { bind, unixAddress } from "../../ffi/socket.ts";
import { syncDirectoryNow } from "../files/directory_sync.ts";
import {
  type BoundSocket,
  bindRefused,
  bindWithMode,
  boundSocket,
  checkParent,
  removeStaleSocket,
  type SocketFile,
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
  let result = bindOnce(options);
  if (result === -EADDRINUSE) {
    removeStaleSocket(options);
    result = bindOnce(options);
  }
  if (result < 0) throw bindRefused(path, -result);
  const bound = boundSocket(path, options);
  const synced = options.syncsDirectory === false || syncDirectoryNow(dirname(path));
  return { ...bound, directorySynced: synced };
}

function bindOnce({ fd, path, mode }: BindDescriptorOptions): number {
  return bindWithMode(mode, () => bind(fd, unixAddress(path)));
}
