// The heartbeat file (spec 12 section 5): "<turn count> <observer ns>" at most once a second,
// written beside the target and renamed over it, so that a reader never sees half a line. A stuck
// loop stops it; that is its purpose. Only a heartbeat is ever replaced: anything else that has the
// name is left alone, and reported.
import { constants, type Stats } from "node:fs";
import { lstat, open, rename, unlink } from "node:fs/promises";
import { assert } from "../base/assert.ts";
import { NS_PER_S } from "../base/time.ts";
import {
  foreignContent,
  OWN_FILE_MODE,
  requireOwnFile,
  SAFE_OPEN_FLAGS,
} from "../files/own_file.ts";
import type { Deadline } from "./deadline.ts";

const PERIOD_NS = NS_PER_S;
const NAME_ATTEMPTS_MAX = 16;
/** More than a heartbeat can have. */
const CONTENT_BYTES = 64;

interface HeartbeatOptions {
  readonly path: string;
  readonly ownerUid: number;
  readonly turns: () => number;
  readonly failed: (error: unknown) => void;
  /** Another program has removed or replaced the file, and it was made again. */
  readonly reopened: () => void;
}

/**
 * Throws unless `path` is free or names a heartbeat that may be replaced; undefined = it is free.
 */
export async function requireHeartbeat(path: string, ownerUid: number): Promise<Stats | undefined> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  requireOwnFile(path, found, { ownerUid, private: false });
  const file = await open(path, constants.O_RDONLY | SAFE_OPEN_FLAGS);
  try {
    const bytes = Buffer.alloc(CONTENT_BYTES);
    const { bytesRead } = await file.read(bytes, 0, CONTENT_BYTES, 0);
    if (bytesRead > 0 && !isHeartbeat(bytes.subarray(0, bytesRead)))
      throw foreignContent(path, "a heartbeat");
  } finally {
    await file.close();
  }
  return found;
}

export function isHeartbeat(bytes: Buffer): boolean {
  return /^[0-9]+ [0-9]+\n$/.test(bytes.toString("latin1"));
}

export class Heartbeat implements Deadline {
  readonly #options: HeartbeatOptions;
  #dueNs = 0;
  #writing: Promise<void> | undefined;
  #sequence = 0;
  /** The file that was left at the path; undefined = none yet. */
  #written: Stats | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  nextDeadlineNs(): number {
    return this.#writing !== undefined ? Number.POSITIVE_INFINITY : this.#dueNs;
  }

  maintain(nowNs: number): void {
    if (this.#writing !== undefined || nowNs < this.#dueNs) return;
    this.#dueNs = nowNs + PERIOD_NS;
    this.#writing = this.#write(`${this.#options.turns()} ${Math.floor(nowNs)}\n`)
      .catch(this.#options.failed)
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /** None is written any more; the one under way gets to its end, and leaves no temporary file. */
  async close(): Promise<void> {
    this.#dueNs = Number.POSITIVE_INFINITY;
    await this.#writing;
  }

  async #write(line: string): Promise<void> {
    const { path } = this.#options;
    const wasMoved = await this.#lookForFile();
    const { file, temporary } = await this.#create();
    let stats: Stats;
    try {
      try {
        await file.writeFile(line);
        stats = await file.stat();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    this.#written = stats;
    if (wasMoved) this.#options.reopened();
  }

  /**
   * True if the daemon's file is gone. Throws if something that is no heartbeat stands in its
   * place.
   */
  async #lookForFile(): Promise<boolean> {
    const { path, ownerUid } = this.#options;
    const written = this.#written;
    const found = await lstat(path).catch(() => undefined);
    const isSame = found?.ino === written?.ino && found?.dev === written?.dev;
    // The inode number of a removed file is soon used again, so the number alone proves nothing.
    const isUntouched = found?.mtimeMs === written?.mtimeMs && found?.size === written?.size;
    if (found !== undefined && !(isSame && isUntouched)) await requireHeartbeat(path, ownerUid);
    return written !== undefined && !isSame;
  }

  // Exclusive creation never follows a planted link; a taken name is another program's file.
  async #create() {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | SAFE_OPEN_FLAGS;
    let taken: unknown;
    for (let attempt = 0; attempt < NAME_ATTEMPTS_MAX; attempt++) {
      const temporary = `${this.#options.path}.${process.pid}.${this.#sequence++}.tmp`;
      try {
        return { file: await open(temporary, flags, OWN_FILE_MODE), temporary };
      } catch (error) {
        if ((error as { code?: unknown }).code !== "EEXIST") throw error;
        taken = error;
      }
    }
    assert(taken !== undefined, "at least one attempt was made");
    throw taken;
  }
}
