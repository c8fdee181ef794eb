// Who may write to the directory of a file of the daemon (spec 07 section 5): only the daemon's
// user and root. A user who may write there can take the file away and put another one in its
// place, whatever the mode of the file itself. The sticky bit keeps names of others safe, so /tmp
// will do. The rule is the one for the directories of sockets.
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, resolve } from "node:path";

export interface DirectoryFault {
  /** Completes "found FOUND". */
  readonly found: string;
  /** Completes "want WANT". */
  readonly want: string;
}

/**
 * Links on the way to a directory; a state directory under systemd's DynamicUser= is reached
 * through one.
 */
const LINKS_MAX = 8;
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * What is wrong with the directory that `path` is in, for a file that `ownerUid` trusts; undefined
 * = nothing.
 */
export function parentFault(path: string, ownerUid: number): DirectoryFault | undefined {
  return directoryFault(dirname(resolve(path)), ownerUid);
}

/** What is wrong with `directory`; a link to it is followed if no other user can turn it. */
export function directoryFault(directory: string, ownerUid: number): DirectoryFault | undefined {
  let at = directory;
  for (let links = 0; links <= LINKS_MAX; links++) {
    const status = look(at);
    if ("want" in status) return status;
    if (!status.isSymbolicLink()) return faultOf(at, status, ownerUid);
    const fault = ownerFault(at, status, ownerUid) ?? parentFault(at, ownerUid);
    if (fault !== undefined) return fault;
    at = resolve(dirname(at), readlinkSync(at));
  }
  return { found: `${directory}, a chain of links without an end`, want: "a directory" };
}

function look(path: string): Stats | DirectoryFault {
  try {
    return lstatSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const want = "a directory that the daemon may look into";
    if (code !== "ENOENT") return { found: `${path}, which cannot be read (${code})`, want };
    return {
      found: `no directory ${path}`,
      want: `one (for example: install -d -m 0750 ${path})`,
    };
  }
}

function faultOf(path: string, status: Stats, ownerUid: number): DirectoryFault | undefined {
  if (!status.isDirectory())
    return { found: `${path}, which is no directory`, want: "a directory" };
  const { mode } = status;
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    return {
      found: `the directory ${path} with mode ${octal(mode & 0o7777)}`,
      want: `one that only its owner may write to (chmod go-w ${path}), or a sticky one`,
    };
  }
  return ownerFault(path, status, ownerUid);
}

function ownerFault(path: string, { uid }: Stats, ownerUid: number): DirectoryFault | undefined {
  if (uid === ownerUid || uid === 0) return undefined;
  const owners = ownerUid === 0 ? "root" : `uid ${ownerUid} or root`;
  return { found: `${path} of uid ${uid}`, want: `one of ${owners}, who alone may change it` };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
