// Reads a file to its end or to a bound, whichever comes first: a file that is read as a whole may
// be larger than it should be, or grow meanwhile. Memory is taken for the bound, once.
import { readSync } from "node:fs";

/** At most `bytesMax` bytes from the position of `fd` on; fewer only at the end of the file. */
export function readAtMost(fd: number, bytesMax: number): Uint8Array {
  const buffer = new Uint8Array(bytesMax);
  let length = 0;
  while (length < bytesMax) {
    const count = readSync(fd, buffer, length, bytesMax - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}
