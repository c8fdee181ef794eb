// The rules for every file that the daemon writes (spec 07 section 5.1, 09 section 3): a regular
// file without a second name, of the daemon's user or root, reached through no link, and with
// content that the daemon wrote. A planted path, or a mistake in the configuration, must never cost
// a file of another program.
import { constants, lstatSync, openSync, type Stats } from "node:fs";

/** NONBLOCK, because a FIFO would make the open wait. The runtime adds O_CLOEXEC to every open. */
export const SAFE_OPEN_FLAGS = constants.O_NOFOLLOW | constants.O_NOCTTY | constants.O_NONBLOCK;

export const OWN_FILE_MODE = 0o600;
const OTHERS_WRITE = 0o022;

/** The file at a path is not one that the daemon may write; `hint` says what can be done. */
export class OwnFileError extends Error {
  override readonly name = "OwnFileError";
  /** The message without the path. */
  readonly reason: string;
  readonly hint: string;

  constructor(path: string, reason: string, hint: string) {
    super(`cannot open ${path}: ${reason}`);
    this.reason = reason;
    this.hint = hint;
  }
}

interface OwnFileRules {
  readonly ownerUid: number;
  /** Refuse a file that group or others may write. */
  readonly private: boolean;
}

/** Throws unless `stats` are those of a file that the daemon may write. */
export function requireOwnFile(path: string, stats: Stats, rules: OwnFileRules): void {
  const fault = faultOf(path, stats, rules);
  if (fault !== undefined) throw new OwnFileError(path, ...fault);
}

/**
 * Opens a file that others may not write, or makes it if `flags` say so. It is checked before: a
 * link is reported as one, and to open a device can be an act of its own. What was opened is for
 * the caller to check again.
 */
export function openOwnFile(path: string, flags: number, ownerUid: number): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined) requireOwnFile(path, found, { ownerUid, private: true });
  try {
    return openSync(path, flags | SAFE_OPEN_FLAGS, OWN_FILE_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ELOOP") throw linkError(path);
    throw error;
  }
}

/** The error of a link at `path`, which an open did not follow. */
export function linkError(path: string): OwnFileError {
  return new OwnFileError(path, LINK, "give the path of the file itself");
}

/** The error of a file with other content. */
export function foreignContent(path: string, wanted: string): OwnFileError {
  return new OwnFileError(
    path,
    `found other content, want ${wanted} or an empty file`,
    "it was not touched: move it away, or give another path",
  );
}

const LINK = "must not be a symlink";
const STREAM_HINT = "name a file; to read on as it is written: tail -F FILE";

function faultOf(
  path: string,
  stats: Stats,
  { ownerUid, private: isPrivate }: OwnFileRules,
): [reason: string, hint: string] | undefined {
  const { uid, nlink, ino } = stats;
  if (stats.isSymbolicLink()) return [LINK, STREAM_HINT];
  if (!stats.isFile()) return [`must be a regular file, found ${kindOf(stats)}`, STREAM_HINT];
  if (uid !== ownerUid && uid !== 0) {
    return [
      `must belong to uid ${ownerUid}, found uid ${uid}`,
      `give another path, or chown ${ownerUid} ${path}: the file belongs to another user`,
    ];
  }
  if (nlink !== 1) {
    return [
      `must have one hard link, found ${nlink}`,
      `find / -xdev -inum ${ino} finds its other name, which the daemon must not change`,
    ];
  }
  if (isPrivate && (stats.mode & OTHERS_WRITE) !== 0) {
    const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
    return [`must not be writable by others, found mode ${mode}`, `chmod go-w ${path}`];
  }
  return undefined;
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
