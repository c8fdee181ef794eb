// A private name beside a socket path (spec 05 section 4.1): a socket is made there, and gets its
// real name when it is as it should be. On Linux the directory is opened and its number stands in
// the address, so that the longest path that a socket can have leaves room for the longer name.
import { closeSync, constants, lstatSync, openSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { IS_LINUX, O_PATH } from "../../ffi/constants.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { bindRefused, type SocketFile, SocketPathError } from "./socket_path.ts";

interface PrivateName {
  /** What is bound. */
  readonly address: string;
  /** Where the file is then. */
  readonly made: string;
}

/**
 * What `make` makes at a private name beside the path, where nothing is. Throws `SocketPathError`.
 */
export function besidePath<Made>(
  { path, setBy }: Pick<SocketFile, "path" | "setBy">,
  make: (name: PrivateName) => Made,
): Made {
  const parent = dirname(path);
  const directory = IS_LINUX ? openDirectory(parent, path) : undefined;
  try {
    const at = directory === undefined ? parent : `/proc/self/fd/${directory}`;
    const ending = `.${process.pid}`;
    const name = [basename(path) + ending, ending].find(
      (one) => Buffer.byteLength(join(at, one)) <= SOCKET_PATH_BYTES_MAX,
    );
    if (name === undefined) throw noRoom({ path, setBy, ending });
    const made = join(parent, name);
    removeLeft(made);
    return make({ address: join(at, name), made });
  } finally {
    if (directory !== undefined) closeSync(directory);
  }
}

function openDirectory(parent: string, path: string): number {
  const { O_DIRECTORY, O_NOFOLLOW } = constants;
  try {
    return openSync(parent, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw bindRefused(path, -errno);
  }
}

// In a container the pid is the same at every start, and one of them may have ended in between. The
// lock of the path is held: no other process makes this name.
function removeLeft(made: string): void {
  const found = lstatSync(made, { throwIfNoEntry: false });
  if (found?.isSocket()) unlinkSync(made);
}

function noRoom(socket: { path: string; setBy: string; ending: string }): SocketPathError {
  const { path, setBy, ending } = socket;
  return new SocketPathError(
    "InvalidInput",
    `cannot bind ${path}: the path of its directory is too long for the socket's temporary name ${ending}`,
    `give another path with ${setBy}, in a directory with a shorter path`,
  );
}
