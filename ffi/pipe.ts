// Pipes whose read end never blocks: the output of a child is taken in bounded pieces, when the
// loop has time for it. The runtime's own child pipes are no choice here: they read ahead without a
// bound (100 MB of a flood in a second).
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import { F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, O_NONBLOCK } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { libc } from "./libc.ts";

const ends = new Int32Array(new ArrayBuffer(8));
const endsAddress = ptr(ends.buffer);

export interface Pipe {
  /** Non-blocking. */
  readonly readFd: number;
  /** Blocking, for the child. */
  readonly writeFd: number;
}

/** A pipe, both ends close-on-exec; -errno on failure. */
export function openPipe(): Pipe | number {
  const result = resultOrErrno(libc.pipe(endsAddress));
  if (result < 0) return result;
  const pipe = { readFd: ends[0]!, writeFd: ends[1]! };
  libc.fcntl(pipe.readFd, F_SETFD, FD_CLOEXEC);
  libc.fcntl(pipe.writeFd, F_SETFD, FD_CLOEXEC);
  libc.fcntl(pipe.readFd, F_SETFL, libc.fcntl(pipe.readFd, F_GETFL, 0) | O_NONBLOCK);
  return pipe;
}

/**
 * Reads what is there into the start of `bytes`, at most `sizeBytesMax`: the count, 0 at the end of
 * the stream, or -errno (-EAGAIN = nothing yet).
 */
export function readPipe(fd: number, bytes: Uint8Array, sizeBytesMax: number): number {
  assert(sizeBytesMax > 0 && sizeBytesMax <= bytes.length, "a read fits into its buffer");
  return resultOrErrno(libc.read(fd, bytes, sizeBytesMax));
}

/** Closes one descriptor. */
export function closeFd(fd: number): void {
  libc.close(fd);
}
