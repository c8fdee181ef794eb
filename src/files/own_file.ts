// The rules for every file that we write (spec 07 section 5, 09 section 3): a regular file without a second name, of the
// daemon's user or root, reached through no link, and with content that is ours. A path that somebody planted, or a
// mistake in the configuration, must never cost anybody a file.
import { constants, type Stats } from "node:fs";

/** NONBLOCK, because a FIFO would make the open wait. The runtime adds O_CLOEXEC to every open. */
export const SAFE_OPEN_FLAGS = constants.O_NOFOLLOW | constants.O_NOCTTY | constants.O_NONBLOCK;

export const OWN_FILE_MODE = 0o600;

/** The file at a path is not one that we may write; `hint` says what can be done. */
export class OwnFileError extends Error {
  override readonly name = "OwnFileError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export interface OwnFileRules {
  readonly ownerUid: number;
  /** Refuse a file that group or others may write. */
  readonly private: boolean;
}

/** Throws unless `stats` are those of a file that we may write. */
export function requireOwnFile(path: string, stats: Stats, rules: OwnFileRules): void {
  if (!stats.isFile()) {
    throw new OwnFileError(
      stats.isSymbolicLink()
        ? `Cannot open ${path}: must not be a symlink`
        : `Cannot open ${path}: must be a regular file, found ${kindOf(stats)}`,
      stats.isFIFO() || stats.isCharacterDevice() || stats.isSymbolicLink()
        ? "name a file; to read on as it is written: tail -F FILE"
        : "name a file of its own",
    );
  }
  const { ownerUid } = rules;
  if (stats.uid !== ownerUid && stats.uid !== 0) {
    throw new OwnFileError(
      `Cannot open ${path}: must belong to uid ${ownerUid}, found uid ${stats.uid}`,
      `it is somebody else's file: give another path, or chown ${ownerUid} ${path}`,
    );
  }
  if (stats.nlink !== 1) {
    throw new OwnFileError(
      `Cannot open ${path}: must have one hard link, found ${stats.nlink}`,
      `the same file has another name, which is not ours to change: find it with find / -xdev -inum ${stats.ino}`,
    );
  }
  if (rules.private && (stats.mode & 0o022) !== 0) {
    throw new OwnFileError(
      `Cannot open ${path}: must not be writable by others, found mode ${(stats.mode & 0o7777).toString(8).padStart(4, "0")}`,
      `chmod go-w ${path}`,
    );
  }
}

/** The error of a file whose content is somebody else's. */
export function foreignContent(path: string, wanted: string): OwnFileError {
  return new OwnFileError(
    `Cannot write to ${path}: found content that is not ours, want ${wanted} or an empty file`,
    "it was not touched: move it away, or give another path",
  );
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
