// flock(2): a lock of an open file that ends with its last descriptor, however the process ends.
import { LOCK_EX, LOCK_NB } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { libc } from "./libc.ts";

/** Locks the file of `fd` against all others, without waiting; 0, or -EAGAIN if it is locked. */
export function lockFile(fd: number): number {
  return resultOrErrno(libc.flock(fd, LOCK_EX | LOCK_NB));
}
