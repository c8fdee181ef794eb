// Makes the names in a directory last: without it a new name may be gone after a power failure.
// Synchronous, for what is done before the loop runs and in commands.
import { closeSync, constants, fsyncSync, openSync } from "node:fs";

/** False where it cannot be done; the file is there all the same. */
export function syncDirectoryNow(path: string): boolean {
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
