// What a daemon that is down has left beside its control socket (spec 16 section 13).
import { closeSync, constants, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { SAFE_OPEN_FLAGS } from "../files/own_file.ts";
import {
  LAST_SEEN_BYTES_MAX,
  LAST_SEEN_FILE,
  type LastSeen,
  parseLastSeen,
} from "../view/last_seen.ts";

/** Undefined = there is none that can be read. */
export function lastSeen(controlPath: string): LastSeen | undefined {
  const path = join(dirname(controlPath), LAST_SEEN_FILE);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | SAFE_OPEN_FLAGS);
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.alloc(LAST_SEEN_BYTES_MAX + 1);
    const length = readSync(fd, bytes);
    if (length > LAST_SEEN_BYTES_MAX) return undefined;
    return parseLastSeen(bytes.toString("utf8", 0, length));
  } catch {
    // A directory, a device: nothing that the daemon has left.
    return undefined;
  } finally {
    closeSync(fd);
  }
}
