// The one way in which the program reads a small file that the kernel makes: of a process, of a
// control group, a setting. Synchronous and bounded; the runtime opens every file with O_CLOEXEC.
// What cannot be read is a code, and never throws.
import { closeSync, openSync, readSync } from "node:fs";
import type { SpareDescriptors } from "./spare_descriptors.ts";

/** There is no such file: its process does not exist (any more). */
export const FILE_GONE = -1;
/** It cannot be read for another reason. */
const FILE_UNREADABLE = -2;
/** There was no descriptor to open it with. */
const NO_DESCRIPTOR = -3;

/** What the kernel says in one read if it is asked for no more; a longer file takes several. */
const ONE_READ_BYTES_MAX = 4_096;

export class KernelFiles {
  readonly #spares: SpareDescriptors | undefined;
  #buffer = Buffer.alloc(ONE_READ_BYTES_MAX);

  /** `spares` help out when there is no descriptor left. */
  constructor(spares?: SpareDescriptors) {
    this.#spares = spares;
  }

  /** The first `bytesMax` bytes of the file, as latin1; "" if it cannot be read. */
  text(path: string, bytesMax: number): string {
    const length = this.read(path, bytesMax);
    return length < 0 ? "" : this.decoded(length);
  }

  /**
   * Reads the first `bytesMax` bytes: how many there were; FILE_GONE, or less than 0 for another
   * reason.
   */
  read(path: string, bytesMax: number): number {
    if (bytesMax > this.#buffer.length) this.#buffer = Buffer.alloc(bytesMax);
    const result = this.#tryRead(path, bytesMax);
    if (result !== NO_DESCRIPTOR || this.#spares === undefined) return result;
    return this.#spares.use(
      () => this.#tryRead(path, bytesMax),
      (code) => code === NO_DESCRIPTOR,
    );
  }

  /** The first `length` bytes of what was read last. */
  decoded(length: number): string {
    return this.#buffer.toString("latin1", 0, length);
  }

  #tryRead(path: string, bytesMax: number): number {
    try {
      const fd = openSync(path, "r");
      try {
        return this.#readUpTo(fd, bytesMax);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      return codeOf(error);
    }
  }

  #readUpTo(fd: number, bytesMax: number): number {
    let length = readSync(fd, this.#buffer, 0, bytesMax, null);
    if (bytesMax <= ONE_READ_BYTES_MAX) return length;
    for (let last = length; last > 0 && length < bytesMax; length += last)
      last = readSync(fd, this.#buffer, length, bytesMax - length, null);
    return length;
  }
}

function codeOf(error: unknown): number {
  switch ((error as { code?: unknown }).code) {
    case "ENOENT":
    case "ESRCH":
      return FILE_GONE;
    case "EMFILE":
    case "ENFILE":
      return NO_DESCRIPTOR;
    default:
      return FILE_UNREADABLE;
  }
}
