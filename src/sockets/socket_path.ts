// The checks around a Unix socket path (spec 05 section 4), for all that make a socket there: the
// parent directory must be safe, a stale socket is removed after a probe, a live owner and any
// other file are refused, the mode is exact, and only the daemon's own inode is ever removed.
// Synchronous, since the umask is process-wide. The bind itself belongs to the callers.
import {
  type BigIntStats,
  chmodSync,
  lchownSync,
  lstatSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { EADDRINUSE, EAGAIN, ECONNREFUSED, ENOENT } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { effectiveUid, umask } from "../../ffi/process.ts";
import { close, connect, openSocket, unixAddress } from "../../ffi/socket.ts";

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

/** Another process holds the socket at the path. */
export class SocketInUseError extends SocketPathError {}

/** A path with the identity of the socket inode that was made there. */
export interface BoundSocket {
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
  /** The lock beside it, held as long as it is there. */
  readonly lock?: { release(): void } | undefined;
}

/** The identity of a file. */
export type Inode = Pick<BoundSocket, "dev" | "ino">;

/** A socket file that is to be made. */
export interface SocketFile {
  readonly path: string;
  /** Permission bits, exact. */
  readonly mode: number;
  /** The group that it is given to; undefined = it keeps that of the process. */
  readonly gid: number | undefined;
  /** The option or key that names the path, for the hints. */
  readonly setBy: string;
  /** A socket of the daemon's own that may be replaced, though it still answers. */
  readonly replaces?: Inode | undefined;
}

interface StaleSocketOptions extends Pick<SocketFile, "path" | "setBy" | "replaces"> {
  /** SOCK_DGRAM or SOCK_STREAM: what is to be bound, and what the probe is made with. */
  readonly type: number;
}

/**
 * Throws unless the directory of `path` is a real one in which only the daemon's user and root can
 * replace the socket.
 */
export function checkParent(path: string): void {
  const parent = dirname(path);
  const status = look(parent, path);
  if (status === undefined)
    throw new SocketPathError(
      "InvalidInput",
      `cannot bind ${path}: its directory ${parent} does not exist`,
      `create it, for example: install -d -m 0755 ${parent}`,
    );
  if (!status.isDirectory())
    throw new SocketPathError(
      "InvalidInput",
      `cannot bind ${path}: ${parent} is ${status.isSymbolicLink() ? "a symbolic link" : "not a directory"}`,
      "name the real directory: a link could be turned to another place",
    );
  const uid = effectiveUid();
  const owner = Number(status.uid);
  if (owner !== uid && owner !== 0)
    throw new SocketPathError(
      "PermissionDenied",
      `cannot bind ${path}: found ${parent} owned by uid ${owner}; want uid ${uid} or root, because the owner of a directory can replace the socket`,
      `chown root ${parent}`,
    );
  const mode = Number(status.mode);
  if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)
    throw new SocketPathError(
      "PermissionDenied",
      `cannot bind ${path}: ${parent} has mode ${octal(mode & 0o7777)}: others may write to it and it has no sticky bit`,
      `chmod go-w ${parent}, or set the sticky bit (chmod +t)`,
    );
}

/** The socket of a dead owner at the path, undefined if it is free; anything else is refused. */
export function staleSocket(options: StaleSocketOptions): Inode | undefined {
  const { path, replaces } = options;
  const found = look(path, path);
  if (found === undefined) return undefined;
  if (!found.isSocket()) throw notASocket(options);
  if (found.dev === replaces?.dev && found.ino === replaces.ino) return found;
  probe(options);
  return isStill(options, found) ? found : undefined;
}

/** Puts the socket at `made` in the place of the stale one; nobody finds the path without one. */
export function renameOver(made: BoundSocket, options: StaleSocketOptions, stale: Inode): void {
  const { path } = options;
  isStill(options, stale);
  try {
    renameSync(made.path, path);
  } catch (error) {
    throw cannotReplace(options, error);
  }
}

/** False if it is gone; throws if there is another file. */
function isStill(options: StaleSocketOptions, found: Inode): boolean {
  const { path } = options;
  const again = look(path, path);
  if (again === undefined) return false;
  if (!again.isSocket()) throw notASocket(options);
  if (again.dev === found.dev && again.ino === found.ino) return true;
  throw new SocketPathError(
    "AddrInUse",
    `cannot bind ${path}: the socket there changed while probing`,
    "another program binds the same path: give each its own",
  );
}

/**
 * Runs `bind` so that the socket file it creates has the permission bits of `mode`: bind(2) makes
 * it with 0777 & ~umask, and so there is no moment in between. The umask is restored in every case.
 */
export function bindWithMode<Result>(mode: number, bind: () => Result): Result {
  const before = umask(~mode & 0o777);
  try {
    return bind();
  } finally {
    umask(before);
  }
}

/** The error for a failed bind to `path`. */
export function bindRefused(path: string, errno: number): SocketPathError {
  const inUse = errno === EADDRINUSE;
  return new SocketPathError(
    inUse ? "AddrInUse" : "PermissionDenied",
    `cannot bind ${path}: ${errnoText(errno)}`,
    inUse
      ? "another program binds the same path: give each its own"
      : "the daemon's user must be able to create files in that directory",
  );
}

/** The error for a socket that is not the daemon's to bind. */
export function madeByUnit(path: string): SocketPathError {
  return new SocketPathError(
    "AddrInUse",
    `cannot bind ${path}: a socket unit has made the socket, and only it can do so again`,
    "stop the socket unit and the service, then start both: systemctl restarts no socket unit of a service that runs",
  );
}

/**
 * The socket that was just made at `path`, in its group; it is removed again if its mode is not
 * exactly that.
 */
export function boundSocket(
  path: string,
  { mode: wantedMode, gid }: Pick<SocketFile, "mode" | "gid">,
): BoundSocket {
  const mode = wantedMode & 0o777;
  const status = look(path, path);
  if (status === undefined || !status.isSocket())
    throw new SocketPathError(
      "AddrInUse",
      `cannot bind ${path}: the socket was replaced just after it was made`,
      "another program binds the same path: give each its own",
    );
  const bound = { path, dev: status.dev, ino: status.ino };
  const found = Number(status.mode & 0o777n);
  if (found !== mode) {
    unlinkBoundPath(bound);
    throw new SocketPathError(
      "PermissionDenied",
      `cannot bind ${path}: found mode ${octal(found)} of the socket; want ${octal(mode)}`,
      "the file system does not keep permission bits, or has a default ACL: use another directory",
    );
  }
  if (gid !== undefined) giveToGroup(bound, gid);
  return bound;
}

type Access = Pick<SocketFile, "mode" | "gid">;

/**
 * Gives the socket file another mode and group; who is connected stays so, and on the way nobody is
 * let in whom neither of them lets in. A file that was lost is made with them when it is bound
 * again. What the system refuses leaves it closed to more than was asked for.
 */
export function changeAccess(bound: BoundSocket, before: Access, now: Access): void {
  if ((now.mode === before.mode && now.gid === before.gid) || !isInPlace(bound)) return;
  const { path } = bound;
  try {
    chmodSync(path, before.mode & now.mode & 0o777);
    if (now.gid !== before.gid) lchownSync(path, effectiveUid(), now.gid ?? groupOfNew(path));
    chmodSync(path, now.mode & 0o777);
  } catch {
    // It was lost this moment, or its file system became read-only: the next look finds the one.
  }
}

/** That of a file that is made beside `path`. */
export function groupOfNew(path: string): number {
  const parent = lstatSync(dirname(path));
  return (parent.mode & 0o2000) === 0 ? (process.getegid?.() ?? 0) : parent.gid;
}

/** Throws `SocketPathError` if a file beside `path` could not be given to the group. */
export function checkGroup(path: string, gid: number): void {
  const probe = `${path}.${process.pid}`;
  try {
    writeFileSync(probe, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    throw cannotGive(path, gid, error);
  }
  try {
    lchownSync(probe, effectiveUid(), gid);
  } catch (error) {
    throw cannotGive(path, gid, error);
  } finally {
    unlinkSync(probe);
  }
}

function cannotGive(path: string, gid: number, error: unknown): SocketPathError {
  return new SocketPathError(
    "PermissionDenied",
    `cannot give ${path} to group ${gid}: ${text(error)}`,
    "the daemon must be root or a member of that group",
  );
}

function giveToGroup(bound: BoundSocket, gid: number): void {
  try {
    lchownSync(bound.path, effectiveUid(), gid);
  } catch (error) {
    unlinkBoundPath(bound);
    throw cannotGive(bound.path, gid, error);
  }
}

/**
 * Removes the socket file if it is still the inode that was made, and gives back its lock; every
 * fault is ignored.
 */
export function unlinkBoundPath(bound: BoundSocket): void {
  try {
    if (isInPlace(bound)) unlinkSync(bound.path);
  } catch {
    // A missing file is what is wanted, and an unreadable one must not be removed.
  }
  bound.lock?.release();
}

/**
 * True if the file at the path is the inode that was made; while its socket lives, no other file
 * can have its number.
 */
export function isInPlace(bound: BoundSocket): boolean {
  try {
    const now = lstatSync(bound.path, { bigint: true });
    return now.isSocket() && now.dev === bound.dev && now.ino === bound.ino;
  } catch {
    return false;
  }
}

/**
 * What is at `at`, undefined if nothing is. A directory above it that is closed to the daemon is a
 * fault of the world.
 */
function look(at: string, path: string): BigIntStats | undefined {
  try {
    return lstatSync(at, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return undefined;
    throw new SocketPathError(
      "PermissionDenied",
      `cannot bind ${path}: cannot stat ${at}: ${text(error)}`,
      "the daemon's user needs search permission (x) on every directory above the socket",
    );
  }
}

// connect() on a datagram socket path shows whether a process owns it, and enqueues nothing. The
// owner of a stream socket sees a connection that ends at once; EAGAIN says that its queue of
// connections is full.
function probe({ path, type, setBy }: StaleSocketOptions): void {
  const address = unixAddress(path);
  const fd = openSocket(address.family, type);
  if (fd < 0) throw cannotProbe(path, -fd);
  const result = connect(fd, address);
  close(fd);
  if (result >= 0 || result === -EAGAIN)
    throw new SocketInUseError(
      "AddrInUse",
      `cannot bind ${path}: another varta-watch is already running at ${path}`,
      `stop it first, or give this one another path with ${setBy}`,
    );
  if (result !== -ECONNREFUSED && result !== -ENOENT) throw cannotProbe(path, -result);
}

function cannotProbe(path: string, errno: number): SocketPathError {
  return new SocketPathError(
    "PermissionDenied",
    `cannot bind ${path}: cannot probe socket: ${errnoText(errno)}`,
    "remove the socket by hand if it is stale: it belongs to another user",
  );
}

function notASocket({ path, setBy }: StaleSocketOptions): SocketPathError {
  return new SocketPathError(
    "AddrInUse",
    `cannot bind ${path}: the file there is not a socket, and it was not touched`,
    `move it away, or give another path with ${setBy}`,
  );
}

function cannotReplace({ path, setBy }: StaleSocketOptions, error: unknown): SocketPathError {
  return new SocketPathError(
    "PermissionDenied",
    `cannot bind ${path}: cannot replace the stale socket there: ${text(error)}`,
    `give another path with ${setBy}, or remove the file by hand: it belongs to another user`,
  );
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function octal(mode: number): string {
  return `0${mode.toString(8).padStart(3, "0")}`;
}
