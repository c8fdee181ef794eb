// The bind protocol of a Unix socket path (spec 05 section 4): the parent directory is checked, a stale socket is
// replaced, a live owner and any other file are refused, the mode is exact, and on close only our own inode is removed.
// Synchronous: it runs before anything else is opened, since the umask is process-wide.
import {
  type BigIntStats,
  closeSync,
  constants,
  fsyncSync,
  lchownSync,
  lstatSync,
  openSync,
  unlinkSync,
} from "node:fs";
import { dirname } from "node:path";
import { EADDRINUSE, ECONNREFUSED, ENOENT } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { effectiveUid, umask } from "../../ffi/process.ts";
import { bind, close, connect, openSocket, unixAddress } from "../../ffi/socket.ts";

export interface BindPathOptions {
  readonly fd: number;
  /** SOCK_DGRAM or SOCK_STREAM, the type of `fd`. */
  readonly type: number;
  readonly path: string;
  readonly mode: number;
  readonly gid: number | undefined;
}

/** A path that we bound, with the identity of the inode that we made. */
export interface BoundPath {
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly directorySynced: boolean;
}

export type SocketPathFault = "InvalidInput" | "PermissionDenied" | "AddrInUse";

/** The socket could not be bound; `hint` says what the operator can do. */
export class SocketPathError extends Error {
  override readonly name = "SocketPathError";
  readonly fault: SocketPathFault;
  readonly hint: string;

  constructor(fault: SocketPathFault, message: string, hint: string) {
    super(message);
    this.fault = fault;
    this.hint = hint;
  }
}

/** Binds `fd` to `path` by the protocol; throws `SocketPathError`. The umask is restored in every case. */
export function bindSocketPath(options: BindPathOptions): BoundPath {
  const { path } = options;
  checkParent(path);
  let result = bindWithMode(options);
  if (result === -EADDRINUSE) {
    removeStale(options);
    result = bindWithMode(options);
  }
  if (result < 0) throw bindRefused(path, -result);
  const { dev, ino } = checkMode(options);
  const bound = { path, dev, ino };
  try {
    if (options.gid !== undefined) changeGroup(path, options.gid);
  } catch (error) {
    unlinkBoundPath(bound);
    throw error;
  }
  return { ...bound, directorySynced: syncDirectory(dirname(path)) };
}

/** Removes the socket file if it is still the inode that we made; every fault is ignored. */
export function unlinkBoundPath(bound: Omit<BoundPath, "directorySynced">): void {
  try {
    const now = lstatSync(bound.path, { bigint: true });
    if (now.isSocket() && now.dev === bound.dev && now.ino === bound.ino) unlinkSync(bound.path);
  } catch {
    // A missing file is what we want, and an unreadable one is not ours to remove.
  }
}

function checkParent(path: string): void {
  const parent = dirname(path);
  const status = look(parent, path);
  if (status === undefined)
    throw new SocketPathError(
      "InvalidInput",
      `Cannot bind ${path}: its directory ${parent} does not exist`,
      `create it, for example: install -d -m 0755 ${parent}`,
    );
  if (!status.isDirectory())
    throw new SocketPathError(
      "InvalidInput",
      `Cannot bind ${path}: ${parent} is ${status.isSymbolicLink() ? "a symbolic link" : "not a directory"}`,
      "name the real directory: a link could be turned to another place",
    );
  const uid = effectiveUid();
  const owner = Number(status.uid);
  if (owner !== uid && owner !== 0)
    throw new SocketPathError(
      "PermissionDenied",
      `Cannot bind ${path}: ${parent} belongs to uid ${owner}; wanted is uid ${uid} or root`,
      "whoever owns the directory can replace the socket",
    );
  const mode = Number(status.mode);
  if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)
    throw new SocketPathError(
      "PermissionDenied",
      `Cannot bind ${path}: ${parent} has mode ${octal(mode & 0o7777)}: others may write to it and it has no sticky bit`,
      `chmod go-w ${parent}, or set the sticky bit (chmod +t)`,
    );
}

/** What is at `at`, undefined if nothing is. A directory above it that is closed to us is a fault of the world. */
function look(at: string, path: string): BigIntStats | undefined {
  try {
    return lstatSync(at, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return undefined;
    throw new SocketPathError(
      "PermissionDenied",
      `Cannot bind ${path}: cannot look at ${at}: ${text(error)}`,
      "the daemon's user needs search permission (x) on every directory above the socket",
    );
  }
}

// bind(2) creates the file with mode 0777 & ~umask: the umask makes the mode exact with no moment in between.
function bindWithMode(options: BindPathOptions): number {
  const before = umask(~options.mode & 0o777);
  try {
    return bind(options.fd, unixAddress(options.path));
  } finally {
    umask(before);
  }
}

function removeStale(options: BindPathOptions): void {
  const { path } = options;
  const found = look(path, path);
  if (found === undefined) return;
  if (!found.isSocket()) throw notASocket(path);
  probe(options);
  const again = look(path, path);
  if (again === undefined) return;
  if (!again.isSocket()) throw notASocket(path);
  if (again.dev !== found.dev || again.ino !== found.ino)
    throw new SocketPathError(
      "AddrInUse",
      `Cannot bind ${path}: the socket there changed while probing`,
      "another program binds the same path: give each its own",
    );
  unlinkStale(path);
}

function unlinkStale(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw new SocketPathError(
      "PermissionDenied",
      `Cannot bind ${path}: cannot remove the stale socket there: ${text(error)}`,
      "it belongs to somebody else: remove it by hand, or give another path with --socket",
    );
  }
}

// connect() on a datagram socket path tells whether somebody owns it, and enqueues nothing.
function probe(options: BindPathOptions): void {
  const { path } = options;
  const address = unixAddress(path);
  const fd = openSocket(address.family, options.type);
  if (fd < 0) throw cannotProbe(path, -fd);
  const result = connect(fd, address);
  close(fd);
  if (result >= 0)
    throw new SocketPathError(
      "AddrInUse",
      `Cannot bind ${path}: another varta-watch is already running at ${path}`,
      "stop it first, or give this one another path with --socket",
    );
  if (result !== -ECONNREFUSED && result !== -ENOENT) throw cannotProbe(path, -result);
}

function cannotProbe(path: string, errno: number): SocketPathError {
  return new SocketPathError(
    "PermissionDenied",
    `Cannot bind ${path}: cannot probe socket: ${errnoText(errno)}`,
    "the socket there belongs to somebody else: remove it by hand if it is stale",
  );
}

function notASocket(path: string): SocketPathError {
  return new SocketPathError(
    "AddrInUse",
    `Cannot bind ${path}: the file there is not a socket, and it was not touched`,
    "move it away, or give another path with --socket",
  );
}

function bindRefused(path: string, errno: number): SocketPathError {
  const inUse = errno === EADDRINUSE;
  return new SocketPathError(
    inUse ? "AddrInUse" : "PermissionDenied",
    `Cannot bind ${path}: ${errnoText(errno)}`,
    inUse
      ? "another program binds the same path: give each its own"
      : "the daemon's user must be able to create files in that directory",
  );
}

function checkMode(options: BindPathOptions): { dev: bigint; ino: bigint } {
  const { path } = options;
  const mode = options.mode & 0o777;
  const status = look(path, path);
  if (status === undefined || !status.isSocket())
    throw new SocketPathError(
      "AddrInUse",
      `Cannot bind ${path}: the socket was replaced just after it was made`,
      "another program binds the same path: give each its own",
    );
  const found = Number(status.mode & 0o777n);
  if (found !== mode) {
    unlinkBoundPath({ path, dev: status.dev, ino: status.ino });
    throw new SocketPathError(
      "PermissionDenied",
      `Cannot bind ${path}: the socket has mode ${octal(found)}; wanted is ${octal(mode)}`,
      "the file system does not keep permission bits, or has a default ACL: use another directory",
    );
  }
  return { dev: status.dev, ino: status.ino };
}

function changeGroup(path: string, gid: number): void {
  try {
    lchownSync(path, effectiveUid(), gid);
  } catch (error) {
    throw new SocketPathError(
      "PermissionDenied",
      `Cannot give ${path} to group ${gid}: ${text(error)}`,
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

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function octal(mode: number): string {
  return `0${mode.toString(8).padStart(3, "0")}`;
}
