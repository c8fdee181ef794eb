// Which processes recovery has just acted on, kept where a killed daemon leaves it: the next one
// reads it and holds the debounce, instead of acting twice. One fixed-size line per recovery in a
// ring, written before the recovery begins by one positioned write of 64 bytes into the page cache
// (3 us), and never synced: it survives the daemon, not the machine, whose processes end with it.
// The audit log is what lasts.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  writeSync,
} from "node:fs";
import { FILE_LOOK_NS, FIRED_JOURNAL_LINES } from "../base/limits.ts";
import {
  foreignContent,
  OWN_FILE_MODE,
  requireOwnFile,
  SAFE_OPEN_FLAGS,
} from "../files/own_file.ts";

interface FiredEntry {
  readonly pid: number;
  /** NaN = unknown. */
  readonly generation: number;
  readonly unixMs: number;
}

interface FiredJournalOptions {
  readonly ownerUid: number;
  /** A monotonic clock: the path is checked once a second. */
  readonly monotonicNs: () => number;
}

const LINE_BYTES = 64;
const FILE_BYTES = FIRED_JOURNAL_LINES * LINE_BYTES;
const LINE = /^fired ([0-9]+) ([0-9]+|-) ([0-9]+) *$/;

/** Another place for the notes, opened and not used yet. */
export interface PreparedMove {
  /** The notes are there from now on; those that are there already are taken along. */
  commit(): void;
  drop(): void;
}

export class FiredJournal {
  #path: string;
  /** What the daemon before this one had begun, in no particular order. */
  readonly found: readonly FiredEntry[];
  /** Entries that could not be written since the last takeFailures(). */
  #failures = 0;
  /** How often the file was made again since the last takeReopened(). */
  #reopened = 0;
  readonly #options: FiredJournalOptions;
  #fd: number;
  #lastLookNs: number;
  readonly #line = Buffer.alloc(LINE_BYTES, " ");
  #next = 0;

  /**
   * Opens or creates the file, by the rules for the daemon's own files; throws an Error that says
   * what was found.
   */
  static open(path: string, options: FiredJournalOptions): FiredJournal {
    const fd = openOwn(path, options.ownerUid);
    try {
      const bytes = contentOf(fd);
      if (!isFiredJournal(bytes)) throw foreignContent(path, "a journal of recoveries");
      return new FiredJournal(path, options, fd, linesOf(bytes));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  private constructor(
    path: string,
    options: FiredJournalOptions,
    fd: number,
    lines: readonly (FiredEntry | undefined)[],
  ) {
    this.#path = path;
    this.#options = options;
    this.#fd = fd;
    this.#lastLookNs = options.monotonicNs();
    this.found = lines.filter((entry) => entry !== undefined);
    this.#next = afterYoungest(lines);
  }

  get path(): string {
    return this.#path;
  }

  /**
   * Opens `path` by the rules of a start and writes the notes there, so that a disk without room is
   * found here. They take the place of what an earlier daemon noted in it.
   */
  prepareMove(path: string): PreparedMove {
    const fd = openOwn(path, this.#options.ownerUid);
    try {
      if (!isFiredJournal(contentOf(fd))) throw foreignContent(path, "a journal of recoveries");
      this.#copyTo(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return {
      commit: () => {
        // What was noted since: in place, line by line as it is here, so that `forget()` fits.
        try {
          this.#copyTo(fd);
        } catch {
          this.#failures++;
        }
        closeSync(this.#fd);
        this.#fd = fd;
        this.#path = path;
      },
      drop: () => closeSync(fd),
    };
  }

  #copyTo(fd: number): void {
    const bytes = contentOf(this.#fd);
    ftruncateSync(fd, bytes.length);
    writeSync(fd, bytes, 0, bytes.length, 0);
  }

  /** Notes that a recovery is about to begin; returns the line it took. */
  began({ pid, generation, unixMs }: FiredEntry): number {
    this.#lookForFile();
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

  /**
   * How often another program has removed or moved the file since the last call; its lines were
   * taken along.
   */
  takeReopened(): number {
    const count = this.#reopened;
    this.#reopened = 0;
    return count;
  }

  close(): void {
    closeSync(this.#fd);
  }

  // A recovery is rare, and this takes microseconds: the lines are in the page cache.
  #lookForFile(): void {
    const nowNs = this.#options.monotonicNs();
    if (nowNs - this.#lastLookNs < FILE_LOOK_NS) return;
    this.#lastLookNs = nowNs;
    try {
      if (namesFile(this.#path, fstatSync(this.#fd))) return;
      const bytes = contentOf(this.#fd);
      const fd = openOwn(this.#path, this.#options.ownerUid);
      if (!isFiredJournal(contentOf(fd))) {
        closeSync(fd);
        throw foreignContent(this.#path, "a journal of recoveries");
      }
      writeSync(fd, bytes, 0, bytes.length, 0);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#reopened++;
    } catch {
      this.#failures++;
    }
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

function openOwn(path: string, ownerUid: number): number {
  // Checked first: a link is reported as one, and to open a device can be an act of its own.
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined) requireOwnFile(path, found, { ownerUid, private: true });
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | SAFE_OPEN_FLAGS, OWN_FILE_MODE);
  try {
    requireOwnFile(path, fstatSync(fd), { ownerUid, private: true });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function namesFile(path: string, { dev, ino }: Stats): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.dev === dev && found.ino === ino;
}

function contentOf(fd: number): Buffer {
  const bytes = Buffer.alloc(FILE_BYTES);
  return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
}

/**
 * True if one line is of this format, or if a crash of the machine left nothing but zero bytes or a
 * piece of the first line.
 */
export function isFiredJournal(bytes: Buffer): boolean {
  const text = bytes.toString("latin1");
  if (/^\0*$/.test(text) || /^(fired [0-9 -]*| *)$/.test(text)) return true;
  for (let at = 0; at + LINE_BYTES <= text.length; at += LINE_BYTES) {
    const line = text.slice(at, at + LINE_BYTES);
    if (/^(fired [0-9]+ ([0-9]+|-) [0-9]+)? *\n$/.test(line)) return true;
  }
  return false;
}

function linesOf(bytes: Buffer): (FiredEntry | undefined)[] {
  const entries: (FiredEntry | undefined)[] = [];
  for (let at = 0; at + LINE_BYTES <= bytes.length; at += LINE_BYTES)
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

// The ring goes on after its youngest line, so that the oldest is overwritten first.
function afterYoungest(lines: readonly (FiredEntry | undefined)[]): number {
  let youngest = -1;
  for (const [at, entry] of lines.entries())
    if (entry !== undefined && entry.unixMs >= (lines[youngest]?.unixMs ?? 0)) youngest = at;
  return (youngest + 1) % FIRED_JOURNAL_LINES;
}
