// Makes a stream socket that listens at a path, by the protocol of every socket path (spec 05
// section 4, 13 section 1). A stream socket that is bound and does not listen yet looks stale to
// another daemon that starts. So it is bound to a private name and listens there, it is linked to
// its real name, which fails if something is there, and the private name is removed at once.
import { linkSync } from "node:fs";
import { dirname, join } from "node:path";
import { EADDRINUSE, EEXIST, SOCK_STREAM } from "../../ffi/constants.ts";
import { close } from "../../ffi/socket.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import {
  type BoundSocket,
  bindRefused,
  bindWithMode,
  boundSocket,
  checkParent,
  removeStaleSocket,
  type SocketFile,
  SocketPathError,
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
  const { path, mode, setBy, listenAt } = options;
  checkParent(path);
  const made = privatePath(options);
  // Both names: in a container the pid is the same at every start, and one of them may have ended
  // in between.
  for (const name of [path, made]) removeStaleSocket({ path: name, type: SOCK_STREAM, setBy });
  const fd = bindWithMode(mode, () => listenAt(made));
  if (fd < 0) throw bindRefused(path, -fd);
  try {
    return { fd, bound: publish(boundSocket(made, options), path) };
  } catch (error) {
    close(fd);
    throw error;
  }
}

// In the same directory, since a link cannot leave its file system. A name that would be too long
// for a socket gives way.
function privatePath({ path, setBy }: SocketFile): string {
  const parent = dirname(path);
  const ending = `.${process.pid}`;
  const made = [path + ending, join(parent, ending)].find(
    (name) => Buffer.byteLength(name) <= SOCKET_PATH_BYTES_MAX,
  );
  if (made !== undefined) return made;
  throw new SocketPathError(
    "InvalidInput",
    `cannot bind ${path}: the path of its directory is too long for the socket's temporary name ${ending}`,
    `give another path with ${setBy}, in a directory with a shorter path`,
  );
}

function publish(made: BoundSocket, path: string): BoundSocket {
  try {
    linkSync(made.path, path);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw bindRefused(path, -errno === EEXIST ? EADDRINUSE : -errno);
  } finally {
    unlinkBoundPath(made);
  }
  return { ...made, path };
}
