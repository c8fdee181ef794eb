// A file that a daemon which is down has left, read by a command that may be another user's: it is
// not followed, not waited for, and bounded.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { SAFE_OPEN_FLAGS } from "../files/own_file.ts";

/** Undefined = there is none that can be read, or it is no file of at most `bytesMax` bytes. */
export function readLeftFile(path: string, bytesMax: number): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | SAFE_OPEN_FLAGS);
  } catch {
    return undefined;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size > bytesMax) return undefined;
    const bytes = Buffer.alloc(stats.size);
    return bytes.subarray(0, readSync(fd, bytes));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
