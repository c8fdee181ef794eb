// Makes a stream socket that listens at a path, by the protocol of every socket path (spec 05
// section 4, 13 section 1). A stream socket that is bound and does not listen yet looks stale to
// another daemon that starts. So it is bound to a private name and listens there; then it gets its
// real name: by a link, which fails if something is there, or by a rename over a stale socket.
import { linkSync } from "node:fs";
import { EADDRINUSE, EEXIST, SOCK_STREAM } from "../../ffi/constants.ts";
import { close } from "../../ffi/socket.ts";
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

export interface BindServerOptions extends SocketFile {
  /** Makes a socket that listens at the given path: its descriptor, or -errno. */
  readonly listenAt: (path: string) => number;
}

export interface BoundServer {
  readonly fd: number;
  readonly bound: BoundSocket;
}

/**
 * A socket that listens at `path`; throws `SocketPathError`, and then nothing listens and nothing
 * is left over.
 */
export function bindServer(options: BindServerOptions): BoundServer {
  checkParent(options.path);
  const lock = new PathLock(options);
  try {
    const { fd, bound } = listenBeside(options);
    return { fd, bound: { ...bound, lock } };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function listenBeside(options: BindServerOptions): BoundServer {
  const { path, mode, listenAt } = options;
  const stale = staleSocket({ ...options, type: SOCK_STREAM });
  return besidePath(options, ({ address, made }) => {
    const fd = bindWithMode(mode, () => listenAt(address));
    if (fd < 0) throw bindRefused(path, -fd);
    try {
      return { fd, bound: publish(boundSocket(made, options), options, stale) };
    } catch (error) {
      close(fd);
      throw error;
    }
  });
}

function publish(
  made: BoundSocket,
  options: BindServerOptions,
  stale: Inode | undefined,
): BoundSocket {
  const { path } = options;
  try {
    if (stale !== undefined) renameOver(made, { ...options, type: SOCK_STREAM }, stale);
    else linkSync(made.path, path);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw bindRefused(path, -errno === EEXIST ? EADDRINUSE : -errno);
  } finally {
    unlinkBoundPath(made);
  }
  return { ...made, path };
}
