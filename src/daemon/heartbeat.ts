// The heartbeat file (spec 12 section 5): "<turn count> <observer ns>" at most once a second, written beside the target and
// renamed over it, so that a reader never sees half a line. A stuck loop stops it; that is its purpose.
import { constants } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { assert } from "../base/assert.ts";
import { NS_PER_S } from "../base/time.ts";
import type { Deadline } from "./loop.ts";

const PERIOD_NS = NS_PER_S;
const NAME_ATTEMPTS_MAX = 16;

export interface HeartbeatOptions {
  readonly path: string;
  readonly turns: () => number;
  readonly failed: (error: unknown) => void;
}

export class Heartbeat implements Deadline {
  readonly #options: HeartbeatOptions;
  #dueNs = 0;
  #writing = false;
  #sequence = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  nextDeadlineNs(): number {
    return this.#writing ? Number.POSITIVE_INFINITY : this.#dueNs;
  }

  maintain(nowNs: number): void {
    if (this.#writing || nowNs < this.#dueNs) return;
    this.#dueNs = nowNs + PERIOD_NS;
    this.#writing = true;
    this.#write(`${this.#options.turns()} ${Math.floor(nowNs)}\n`)
      .catch(this.#options.failed)
      .finally(() => {
        this.#writing = false;
      });
  }

  async #write(line: string): Promise<void> {
    const { path } = this.#options;
    const { file, temporary } = await this.#create();
    try {
      try {
        await file.writeFile(line);
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
  }

  // Exclusive creation never follows a link that somebody planted; a taken name is somebody else's file.
  async #create() {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    let taken: unknown;
    for (let attempt = 0; attempt < NAME_ATTEMPTS_MAX; attempt++) {
      const temporary = `${this.#options.path}.${process.pid}.${this.#sequence++}.tmp`;
      try {
        return { file: await open(temporary, flags, 0o600), temporary };
      } catch (error) {
        if ((error as { code?: unknown }).code !== "EEXIST") throw error;
        taken = error;
      }
    }
    assert(taken !== undefined, "at least one attempt was made");
    throw taken;
  }
}
