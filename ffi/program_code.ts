// The machine code of this program as pages of its file. Two thirds of those that are resident
// after the start belong to what only a start does: loading, parsing, compiling.
import { readFileSync, readlinkSync } from "node:fs";
import { MADV_DONTNEED } from "./constants.ts";
import { libcLinux } from "./libc.ts";

const MAPS = "/proc/self/maps";
/**
 * Address range, protection, offset, device, inode, path. Only code: data that was relocated is in
 * no file.
 */
const CODE = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \d+\s+(.*)$/;

/**
 * Lets go of the resident code of the running program, which the kernel maps again as it is
 * touched, from its page cache (measured: 2 ms; resident are 38 MiB instead of 47 when idle, 54
 * instead of 59 with 10,000 agents). Returns the size of the code in bytes; 0 where that is not
 * possible.
 */
export function releaseProgramCode(): number {
  if (libcLinux === null) return 0;
  try {
    const program = readlinkSync("/proc/self/exe");
    let sizeBytes = 0;
    for (const line of readFileSync(MAPS, "latin1").split("\n")) {
      const [, from, to, path] = CODE.exec(line) ?? [];
      if (from === undefined || to === undefined || path !== program) continue;
      const start = Number.parseInt(from, 16);
      const size = Number.parseInt(to, 16) - start;
      if (libcLinux.madvise(start, size, MADV_DONTNEED) === 0) sizeBytes += size;
    }
    return sizeBytes;
  } catch {
    // A sandbox without these files: the code stays where it is.
    return 0;
  }
}
