// How commands that end speak: results on stdout, errors and hints on stderr, written at once and
// in full. The daemon has its own queue for stderr and uses this only when it does not start.
// Diagnostics name paths and repeat pieces of files, so what a terminal would obey in them is
// escaped here, wherever the text is from.
import { write, writeSync } from "node:fs";
import { escapeUnprintable } from "../base/unprintable.ts";
import { stderrHasColour } from "./colour.ts";

const STDOUT = 1;
const STDERR = 2;
/** Longer than a reader on a busy machine needs, and shorter than a start may take. */
const PATIENCE_MS = 1_000;
/** Between two tries on a full pipe that does not block. */
const RETRY_MS = 5;
const RED = "1;31";
const YELLOW = "33";
const CYAN = "36";

/** False: its reader has left. */
export function print(text: string): boolean {
  return writeAll(STDOUT, text);
}

export function printError(message: string): void {
  writeAll(STDERR, errorLine(message));
}

export function printWarning(message: string): void {
  writeAll(STDERR, wordLine("warning", YELLOW, message));
}

export function printHint(hint: string): void {
  writeAll(STDERR, hintLine(hint));
}

export function errorLine(message: string): string {
  return wordLine("error", RED, message);
}

export function hintLine(hint: string): string {
  return wordLine("hint", CYAN, hint);
}

/** Lines without colours, with all that a terminal would obey escaped. */
export function diagnosticLines(text: string): string {
  return text.split("\n").map(escapeUnprintable).join("\n");
}

export function printDiagnostics(text: string): void {
  printLines(diagnosticLines(text));
}

/** Lines that the functions above have made. */
export function printLines(lines: string): void {
  writeAll(STDERR, lines);
}

function wordLine(word: string, sgr: string, text: string): string {
  const shown = stderrHasColour() ? `\x1b[${sgr}m${word}:\x1b[0m` : `${word}:`;
  return `varta-watch: ${shown} ${diagnosticLines(text)}\n`;
}

/**
 * Text for stderr of a daemon that does not start: a reader that is stuck gets a second, then the
 * rest is left out. Who started it waits for its end, not for its words.
 */
export async function printBriefly(text: string): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, PATIENCE_MS);
  await Promise.race([writeOn(Buffer.from(text)), late.promise]);
  clearTimeout(timer);
}

// In the thread pool, which may wait for as long as it likes: the process ends without it.
function writeOn(bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    write(STDERR, bytes, (error, written) => {
      if (error?.code === "EAGAIN") setTimeout(() => resolve(writeOn(bytes)), RETRY_MS);
      else if (error !== null || written === bytes.length) resolve();
      else resolve(writeOn(bytes.subarray(written)));
    });
  });
}

function writeAll(fd: number, text: string): boolean {
  const bytes = Buffer.from(text);
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      // A full pipe that was set to non-blocking by its other owner: try again. A reader that left:
      // no one is left to read it.
      if (!(error instanceof Error) || !("code" in error) || error.code !== "EAGAIN") return false;
      Bun.sleepSync(RETRY_MS);
    }
  }
  return true;
}
