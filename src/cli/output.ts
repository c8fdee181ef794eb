// How commands that end speak: results on stdout, errors and hints on stderr, written at once and in full. The daemon
// has its own queue for stderr and does not use this.
import { writeSync } from "node:fs";

const STDOUT = 1;
const STDERR = 2;

export function print(text: string): void {
  writeAll(STDOUT, text);
}

export function printError(message: string): void {
  writeAll(STDERR, `varta-watch: error: ${message}\n`);
}

export function printHint(hint: string): void {
  writeAll(STDERR, `varta-watch: hint: ${hint}\n`);
}

/** Text for stderr that is complete as it is. */
export function printDiagnostics(text: string): void {
  writeAll(STDERR, text);
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      // A full pipe that was set to non-blocking by its other owner: try again. A reader that left: nobody to tell.
      if (!(error instanceof Error) || !("code" in error) || error.code !== "EAGAIN") return;
    }
  }
}
