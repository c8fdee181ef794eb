// Files that hold a secret: keys, tokens, the recovery command (spec 07 section 5). Opened once,
// judged by that very descriptor and read from it, so that nothing can be swapped in between.
// Content never appears in a message.
import { closeSync, constants, fstatSync, openSync, type Stats } from "node:fs";
import { dirname, resolve } from "node:path";
import { parentFault } from "../files/directory_rules.ts";
import { trimmed } from "./key_text.ts";
import { SAFE_OPEN_FLAGS } from "../files/own_file.ts";
import { readAtMost } from "../files/read_at_most.ts";
import type { SecretFault } from "./secret_fault.ts";
import { secretPath } from "./secret_path.ts";

export const SECRET_FILE_BYTES_MAX = 64 * 1024;

/** Bits of group and others: a secret is for its owner alone. */
const FORBIDDEN_MODE_BITS = 0o077;

/** Readable by root and a group, writable by none. */
const HANDED_OVER_MODE = 0o440;

const OPEN_FLAGS = constants.O_RDONLY | SAFE_OPEN_FLAGS;

type SecretFile =
  /** The content; the reader wipes it. */
  { readonly ok: true; readonly bytes: Uint8Array } | SecretFault;

/**
 * Reads the file at `path` and trims white space around the content. It must belong to `ownerUid`
 * alone; root may also hand one over by its group, as systemd does with credentials and Kubernetes
 * with an fsGroup.
 */
export function readSecretFile(
  path: string,
  ownerUid: number,
  credentialsDirectory: string | undefined = process.env["CREDENTIALS_DIRECTORY"],
): SecretFile {
  try {
    const place = secretPath(path, ownerUid);
    if (!place.ok) return place;
    const inCredentials = credentialsDirectory === dirname(resolve(path));
    return openAndRead(place.path, { ownerUid, inCredentials });
  } catch (error) {
    return {
      ok: false,
      found: `which cannot be read (${errorCode(error)})`,
      want: "a readable file",
    };
  }
}

interface Rules {
  readonly ownerUid: number;
  /** The service manager made its directory for this unit. */
  readonly inCredentials: boolean;
}

function openAndRead(path: string, rules: Rules): SecretFile {
  let fd: number;
  try {
    fd = openSync(path, OPEN_FLAGS);
  } catch (error) {
    return openFault(errorCode(error));
  }
  try {
    return checkAndRead(path, fd, rules);
  } finally {
    closeSync(fd);
  }
}

function checkAndRead(path: string, fd: number, rules: Rules): SecretFile {
  const stat = fstatSync(fd);
  const fault = fileFault(stat, rules);
  if (fault !== undefined) return fault;
  const directory = parentFault(path, rules.ownerUid);
  if (directory !== undefined) {
    return { ok: false, found: `which is in ${directory.found}`, want: directory.want };
  }
  const bytes = readAtMost(fd, SECRET_FILE_BYTES_MAX + 1);
  if (bytes.length > SECRET_FILE_BYTES_MAX) {
    bytes.fill(0);
    return { ok: false, found: "of more than 64 KiB", want: "at most 64 KiB" };
  }
  return { ok: true, bytes: trimmed(bytes) };
}

function fileFault(stat: Stats, rules: Rules): SecretFault | undefined {
  if (!stat.isFile()) {
    return { ok: false, found: "which is not a regular file", want: "a regular file" };
  }
  if (isHandedOver(stat, rules)) return undefined;
  if ((stat.mode & FORBIDDEN_MODE_BITS) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    return { ok: false, found: `with mode ${mode}`, want: "mode 0600 or stricter" };
  }
  if (stat.uid !== rules.ownerUid) {
    const want = `uid ${rules.ownerUid} as its owner, the user of the daemon`;
    return { ok: false, found: `owned by uid ${stat.uid}`, want };
  }
  return undefined;
}

// An access list shows as the bits of the group. That the daemon can read it at all says that it is
// meant for it; only root, who can read everything, needs the directory to say so.
function isHandedOver({ uid, mode }: Stats, { ownerUid, inCredentials }: Rules): boolean {
  return uid === 0 && (mode & 0o777 & ~HANDED_OVER_MODE) === 0 && (ownerUid !== 0 || inCredentials);
}

function openFault(code: string): SecretFault {
  const want = "a regular file that the daemon can read";
  if (code === "ELOOP") {
    return {
      ok: false,
      found: "which is a symlink",
      want: "a regular file: it must not be a symlink",
    };
  }
  if (code === "ENOENT") return { ok: false, found: "which does not exist", want };
  return { ok: false, found: `which cannot be opened (${code})`, want };
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
