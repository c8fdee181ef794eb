// A disk whose operations take as long as the world lets them: each waits until it is let through,
// and a daemon that is killed leaves behind what was done by then, a write perhaps by half. Files
// are bytes by path; the calls are those that the daemon's own files are written by.
import { constants } from "node:fs";
import type { FileCalls } from "../../src/files/append_file.ts";
import type { Random } from "./random.ts";

interface Operation {
  /** What it does when it is let through. */
  readonly work: () => void;
  /** What of it is done if the daemon dies in the middle. */
  readonly torn: () => void;
  readonly resolve: () => void;
}

export class SimulatedDisk {
  readonly files = new Map<string, Uint8Array>();
  /** How often a file was put in the place of another. */
  renames = 0;
  readonly #random: Random;
  #waiting: Operation[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Lets one operation through, and waits for what follows from it. */
  async advance(): Promise<void> {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    next.work();
    next.resolve();
    await settled();
  }

  /** The daemon is killed: of what waits, the first may be done by half, and the others never. */
  crash(): void {
    const [first] = this.#waiting;
    if (first !== undefined && this.#random.chance(0.5)) first.torn();
    this.#waiting = [];
  }

  /** The calls of one daemon; those of one that was killed never come back. */
  calls(): FileCalls {
    return {
      open: (path: string, flags: number) => this.#open(path, flags),
      rename: (from: string, to: string) => this.#operation(() => this.#rename(from, to)),
      unlink: (path: string) => this.#operation(() => void this.files.delete(path)),
      lstat: () => Promise.reject(new Error("not simulated")),
    } as unknown as FileCalls;
  }

  async #open(path: string, flags: number): Promise<unknown> {
    if (this.files.has(path) && (flags & constants.O_EXCL) !== 0)
      throw Object.assign(new Error("EEXIST"), { code: "EEXIST" });
    const isWritten = (flags & constants.O_EXCL) !== 0;
    await this.#operation(() => isWritten && this.files.set(path, new Uint8Array(0)));
    // What is written goes to the file that was opened, whatever is under its name by then.
    const add = (bytes: Uint8Array): void => {
      this.files.set(path, Buffer.concat([this.files.get(path)!, bytes]));
    };
    return {
      write: async (bytes: Uint8Array, at: number, length: number) => {
        const part = bytes.subarray(at, at + length);
        const written = this.#random.chance(0.1) ? Math.ceil(length / 2) : length;
        await this.#operation(
          () => add(part.subarray(0, written)),
          () => add(part.subarray(0, this.#random.below(length))),
        );
        return { bytesWritten: written };
      },
      sync: () => this.#operation(() => {}),
      close: () => this.#operation(() => {}),
    };
  }

  #rename(from: string, to: string): void {
    const content = this.files.get(from);
    if (content === undefined) throw new Error(`there is no ${from}`);
    this.files.delete(from);
    this.files.set(to, content);
    this.renames += 1;
  }

  #operation(work: () => void, torn: () => void = () => {}): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ work, torn, resolve });
    });
  }
}

/** All that can go on without the disk has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
