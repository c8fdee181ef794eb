// A named pipe that is full and that no process reads: what the stdout or stderr of a daemon
// becomes when its reader hangs.
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";

export class FullPipe implements Disposable {
  readonly path: string;
  readonly #fd: number;

  constructor(path: string) {
    this.path = path;
    if (!Bun.spawnSync(["mkfifo", path]).success) throw new Error("mkfifo failed");
    // Linux opens a FIFO for both directions without a peer.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const filling = Buffer.alloc(4_096, "x");
    try {
      for (;;) writeSync(this.#fd, filling);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }

  /** All that is in it now, the filling included. */
  read(): string {
    const buffer = Buffer.alloc(65_536);
    let text = "";
    try {
      for (;;) text += buffer.toString("latin1", 0, readSync(this.#fd, buffer));
    } catch {
      return text;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
