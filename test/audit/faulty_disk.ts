// The real file system with the failures of a bad disk at the test's command.
import { type FileCalls, REAL_FILE_CALLS } from "../../src/files/append_file.ts";

type Handle = Awaited<ReturnType<FileCalls["open"]>>;

export class FaultyDisk {
  /** Bytes that writes may still take; then the disk is full. */
  freeBytes = Number.POSITIVE_INFINITY;
  bytesPerWrite = Number.POSITIVE_INFINITY;
  syncError: string | undefined;
  /** Awaited by every fdatasync before it happens. */
  beforeSync: () => Promise<void> | void = () => {};
  /** Error of a creation of the live file. */
  createError: string | undefined;
  /** Error of the rename of the live file. */
  renameError: string | undefined;
  /** Error of the removal of the live file. */
  unlinkError: string | undefined;
  syncs = 0;
  writes = 0;

  readonly calls: FileCalls = {
    ...REAL_FILE_CALLS,
    open: async (path, flags, mode) => {
      const isLive = String(path).endsWith(".log");
      if (isLive && mode !== undefined && this.createError !== undefined) {
        throw errorWith(this.createError);
      }
      return this.#wrap(await REAL_FILE_CALLS.open(path, flags, mode));
    },
    rename: async (from, to) => {
      if (String(from).endsWith(".log") && this.renameError !== undefined) {
        throw errorWith(this.renameError);
      }
      await REAL_FILE_CALLS.rename(from, to);
    },
    unlink: async (path) => {
      if (String(path).endsWith(".log") && this.unlinkError !== undefined) {
        throw errorWith(this.unlinkError);
      }
      await REAL_FILE_CALLS.unlink(path);
    },
  };

  #wrap(handle: Handle): Handle {
    const write = handle.write.bind(handle);
    const datasync = handle.datasync.bind(handle);
    handle.datasync = async () => {
      this.syncs += 1;
      await this.beforeSync();
      if (this.syncError !== undefined) throw errorWith(this.syncError);
      await datasync();
    };
    const faulty = async (bytes: Uint8Array, offset: number, length: number) => {
      const sizeBytes = Math.min(length, this.bytesPerWrite, this.freeBytes);
      if (sizeBytes === 0) throw errorWith("ENOSPC");
      this.freeBytes -= sizeBytes;
      this.writes += 1;
      return write(bytes, offset, sizeBytes, null);
    };
    handle.write = faulty as typeof handle.write;
    return handle;
  }
}

export function errorWith(code: string): Error {
  return Object.assign(new Error(code), { code });
}
