// Which processes recovery has just acted on, kept where a killed daemon leaves it: the next one reads it and holds the
// debounce, instead of acting twice. One fixed-size line per recovery in a ring, written before the recovery begins by one
// positioned write of 64 bytes into the page cache (3 us), and never synced: it survives the daemon, not the machine,
// whose processes end with it. The audit log is what lasts.
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { FIRED_JOURNAL_LINES } from "../base/limits.ts";

export interface FiredEntry {
  readonly pid: number;
  /** NaN = unknown. */
  readonly generation: number;
  readonly unixMs: number;
}

const LINE_BYTES = 64;
const FILE_BYTES = FIRED_JOURNAL_LINES * LINE_BYTES;
const LINE = /^fired ([0-9]+) ([0-9]+|-) ([0-9]+) *$/;

export class FiredJournal {
  readonly path: string;
  /** What the daemon before this one had begun, in no particular order. */
  readonly found: readonly FiredEntry[];
  /** Entries that could not be written since the last takeFailures(). */
  #failures = 0;
  readonly #fd: number;
  readonly #line = Buffer.alloc(LINE_BYTES, " ");
  #next = 0;

  /** Opens or creates the file, by the rules for our own files; throws an Error that says what was found. */
  static open(path: string, ownerUid: number): FiredJournal {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    const fd = openSync(path, flags, 0o600);
    try {
      const status = fstatSync(fd);
      if (!status.isFile()) throw new Error(`found ${path}, which is not a regular file`);
      if (status.uid !== ownerUid)
        throw new Error(`found ${path} of uid ${status.uid}; want one of uid ${ownerUid}`);
      return new FiredJournal(path, fd, read(fd, status.size));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  private constructor(path: string, fd: number, lines: readonly (FiredEntry | undefined)[]) {
    this.path = path;
    this.#fd = fd;
    this.found = lines.filter((entry) => entry !== undefined);
    this.#next = afterYoungest(lines);
  }

  /** Notes that a recovery is about to begin; returns the line it took. */
  began({ pid, generation, unixMs }: FiredEntry): number {
    const line = this.#next;
    this.#next = (line + 1) % FIRED_JOURNAL_LINES;
    const token = Number.isNaN(generation) ? "-" : generation;
    this.#write(line, `fired ${pid} ${token} ${Math.floor(unixMs)}`);
    return line;
  }

  /** The recovery of `line` did not begin after all. */
  forget(line: number): void {
    this.#write(line, "");
  }

  /** Entries that could not be written since the last call. */
  takeFailures(): number {
    const count = this.#failures;
    this.#failures = 0;
    return count;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(line: number, text: string): void {
    const bytes = this.#line;
    bytes.fill(" ");
    bytes.write(text, "latin1");
    bytes[LINE_BYTES - 1] = 0x0a;
    try {
      writeSync(this.#fd, bytes, 0, LINE_BYTES, line * LINE_BYTES);
    } catch {
      this.#failures++;
    }
  }
}

function read(fd: number, sizeBytes: number): (FiredEntry | undefined)[] {
  const bytes = Buffer.alloc(Math.min(sizeBytes, FILE_BYTES));
  const length = bytes.length === 0 ? 0 : readSync(fd, bytes, 0, bytes.length, 0);
  const entries: (FiredEntry | undefined)[] = [];
  for (let at = 0; at + LINE_BYTES <= length; at += LINE_BYTES)
    entries.push(parse(bytes.toString("latin1", at, at + LINE_BYTES - 1)));
  return entries;
}

// A line that was cut off by a crash of the machine is no entry.
function parse(text: string): FiredEntry | undefined {
  const match = LINE.exec(text);
  if (match === null) return undefined;
  const generation = match[2] === "-" ? Number.NaN : Number(match[2]);
  return { pid: Number(match[1]), generation, unixMs: Number(match[3]) };
}

// The ring goes on behind its youngest line, so that the oldest is overwritten first.
function afterYoungest(lines: readonly (FiredEntry | undefined)[]): number {
  let youngest = -1;
  for (const [at, entry] of lines.entries())
    if (entry !== undefined && entry.unixMs >= (lines[youngest]?.unixMs ?? 0)) youngest = at;
  return (youngest + 1) % FIRED_JOURNAL_LINES;
}
