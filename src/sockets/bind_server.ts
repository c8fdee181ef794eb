// Binds the metrics page to a Unix socket path by the protocol of every socket path (spec 13
// section 1, 05 section 4). A stream socket that is bound and does not listen yet looks stale to
// another daemon that starts. So it is bound to a private name and listens there, it is linked to
// its real name, which fails if something is there, and the private name is removed at once.
import { linkSync } from "node:fs";
import { dirname, join } from "node:path";
import { EADDRINUSE, EEXIST, SOCK_STREAM } from "../../ffi/constants.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
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

/** What is needed of a server here. */
interface Stoppable {
  stop(abruptly: boolean): unknown;
}

export interface BindUnixOptions<Server extends Stoppable> {
  readonly path: string;
  readonly mode: number;
  /** Makes the server on a socket at the given path. */
  readonly serve: (unix: string) => Server;
}

/**
 * A server on a socket at `path`; throws `SocketPathError`, and then nothing serves and nothing is
 * left behind.
 */
export function bindUnix<Server extends Stoppable>(
  options: BindUnixOptions<Server>,
): { server: Server; bound: BoundSocket } {
  const { path, mode, serve } = options;
  checkParent(path);
  const made = privatePath(path);
  // Both names: in a container the pid is the same at every start, and one of them may have ended
  // in between.
  for (const name of [path, made])
    removeStaleSocket({ path: name, type: SOCK_STREAM, setBy: "metrics.listen" });
  const server = attempt(path, () => bindWithMode(mode, () => serve(made)));
  try {
    return { server, bound: publish(boundSocket(made, mode), path) };
  } catch (error) {
    void server.stop(true);
    throw error;
  }
}

// In the same directory, since a link cannot leave its file system. A name that would be too long
// for a socket gives way.
function privatePath(path: string): string {
  const parent = dirname(path);
  const ending = `.${process.pid}`;
  const made = [path + ending, join(parent, ending)].find(
    (name) => Buffer.byteLength(name) <= SOCKET_PATH_BYTES_MAX,
  );
  if (made !== undefined) return made;
  throw new SocketPathError(
    "InvalidInput",
    `Cannot bind ${path}: the path of its directory is too long for the socket's temporary name ${ending}`,
    "give another path with metrics.listen, in a directory with a shorter path",
  );
}

function publish(made: BoundSocket, path: string): BoundSocket {
  try {
    attempt(path, () => linkSync(made.path, path));
  } finally {
    unlinkBoundPath(made);
  }
  return { ...made, path };
}

/** Tells what the system refuses as a fault of the bind to `path`. */
function attempt<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw bindRefused(path, -errno === EEXIST ? EADDRINUSE : -errno);
  }
}
