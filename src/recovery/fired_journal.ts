// Which processes recovery has just acted on, kept where a killed daemon leaves it: the next one
// reads it and holds the debounce, instead of acting twice. One fixed-size line per recovery in a
// ring, written before the recovery begins by one positioned write into the page cache (3 us), and
// never synced: it survives the daemon, not the machine, whose processes end with it. The audit log
// is what lasts. Beside a state file, which is up to 2 s old, a line also says how far its recovery
// has come (fired_entry.ts).
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  readSync,
  type Stats,
  writeSync,
} from "node:fs";
import { FILE_LOOK_NS, FIRED_JOURNAL_LINES } from "../base/limits.ts";
import { foreignContent, openOwnFile, requireOwnFile } from "../files/own_file.ts";
import {
  FIRED_LINES,
  type FiredEntry,
  type FiredForm,
  journalBytes,
  PROGRESS_LINES,
} from "./fired_entry.ts";

interface FiredJournalOptions {
  readonly ownerUid: number;
  /** A monotonic clock: the path is checked once a second. */
  readonly monotonicNs: () => number;
  /** Undefined = that of a journal beside an audit log. */
  readonly form?: FiredForm;
}

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
  /** By their places in the ring, those of them that were under way. */
  readonly #underWay = new Map<number, FiredEntry>();
  /** Entries that could not be written since the last takeFailures(). */
  #failures = 0;
  /** How often the file was made again since the last takeReopened(). */
  #reopened = 0;
  readonly #options: FiredJournalOptions;
  readonly #form: FiredForm;
  #fd: number;
  #lastLookNs: number;
  readonly #line: Buffer;
  /** Counts on, around the ring: a line of a whole ring ago belongs to another recovery. */
  #next: number;

  /**
   * Opens or creates the file, by the rules for the daemon's own files; throws an Error that says
   * what was found.
   */
  static open(path: string, options: FiredJournalOptions): FiredJournal {
    const { ownerUid, form = FIRED_LINES } = options;
    const fd = openOwn(path, ownerUid);
    try {
      const bytes = contentOf(fd, form);
      if (!isOfForm(bytes, form)) throw foreignContent(path, "a journal of recoveries");
      return new FiredJournal(path, options, fd, linesOf(bytes, form));
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
    this.#form = options.form ?? FIRED_LINES;
    this.#line = Buffer.alloc(this.#form.lineBytes, " ");
    this.#fd = fd;
    this.#lastLookNs = options.monotonicNs();
    this.found = lines.filter((entry) => entry !== undefined);
    for (const [at, entry] of lines.entries())
      if (entry?.progress?.isOver === false) this.#underWay.set(at, entry);
    this.#next = afterYoungest(lines);
  }

  /** A line says how far its recovery has come, and by which names it is counted. */
  get saysProgress(): boolean {
    return this.#form === PROGRESS_LINES;
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
      this.#requireOwn(path, fd);
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

  #requireOwn(path: string, fd: number): void {
    if (!isOfForm(contentOf(fd, this.#form), this.#form))
      throw foreignContent(path, "a journal of recoveries");
  }

  #copyTo(fd: number): void {
    const bytes = contentOf(this.#fd, this.#form);
    ftruncateSync(fd, bytes.length);
    writeSync(fd, bytes, 0, bytes.length, 0);
  }

  /** Notes that a recovery is about to begin; returns the number of its line. */
  began(entry: FiredEntry): number {
    this.#lookForFile();
    this.#write(this.#next, this.#form.text(entry));
    this.#underWay.delete(this.#next % FIRED_JOURNAL_LINES);
    return this.#next++;
  }

  /** The recovery of `line` has come further. */
  goesOn(line: number, entry: FiredEntry): void {
    if (this.saysProgress && this.#isIts(line)) this.#write(line, this.#form.text(entry));
  }

  /** That those of `found` were under way was reported: the next daemon does not say it again. */
  settle(): void {
    for (const [at, entry] of this.#underWay) {
      const progress = { ...entry.progress!, isOver: true };
      this.#write(at, this.#form.text({ ...entry, progress }));
    }
    this.#underWay.clear();
  }

  /** The recovery of `line` did not begin after all. */
  forget(line: number): void {
    if (this.#isIts(line)) this.#write(line, "");
  }

  /** Whether the line was not taken by another recovery since. */
  #isIts(line: number): boolean {
    return line + FIRED_JOURNAL_LINES >= this.#next;
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

  /** What is noted after it is counted as a failure: its descriptor may be another file's. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  // A recovery is rare, and this takes microseconds: the lines are in the page cache.
  #lookForFile(): void {
    const nowNs = this.#options.monotonicNs();
    if (nowNs - this.#lastLookNs < FILE_LOOK_NS) return;
    this.#lastLookNs = nowNs;
    try {
      if (namesFile(this.#path, fstatSync(this.#fd))) return;
      const bytes = contentOf(this.#fd, this.#form);
      const fd = openOwn(this.#path, this.#options.ownerUid);
      if (!isOfForm(contentOf(fd, this.#form), this.#form)) {
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

  #write(line: number, text: string | undefined): void {
    if (text === undefined) {
      this.#failures++;
      return;
    }
    const bytes = this.#line;
    bytes.fill(" ");
    bytes.write(text, "latin1");
    bytes[bytes.length - 1] = 0x0a;
    try {
      const at = (line % FIRED_JOURNAL_LINES) * bytes.length;
      writeSync(this.#fd, bytes, 0, bytes.length, at);
    } catch {
      this.#failures++;
    }
  }
}

function openOwn(path: string, ownerUid: number): number {
  const fd = openOwnFile(path, constants.O_RDWR | constants.O_CREAT, ownerUid);
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

function contentOf(fd: number, form: FiredForm): Buffer {
  const bytes = Buffer.alloc(journalBytes(form));
  return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
}

/** True if these are the first bytes of a journal, of either form. */
export function isFiredJournal(bytes: Buffer): boolean {
  return isOfForm(bytes, FIRED_LINES) || isOfForm(bytes, PROGRESS_LINES);
}

/**
 * True if one line is of this form, or if a crash of the machine left nothing but zero bytes or a
 * piece of the first line.
 */
function isOfForm(bytes: Buffer, { lineBytes, line, piece }: FiredForm): boolean {
  const text = bytes.toString("latin1");
  if (/^\0*$/.test(text) || piece.test(text)) return true;
  for (let at = 0; at + lineBytes <= text.length; at += lineBytes)
    if (line.test(text.slice(at, at + lineBytes))) return true;
  return false;
}

function linesOf(bytes: Buffer, form: FiredForm): (FiredEntry | undefined)[] {
  const { lineBytes } = form;
  const entries: (FiredEntry | undefined)[] = [];
  for (let at = 0; at + lineBytes <= bytes.length; at += lineBytes)
    entries.push(form.parse(bytes.toString("latin1", at, at + lineBytes - 1)));
  return entries;
}

// The ring goes on after its youngest line, so that the oldest is overwritten first.
function afterYoungest(lines: readonly (FiredEntry | undefined)[]): number {
  let youngest = -1;
  for (const [at, entry] of lines.entries())
    if (entry !== undefined && entry.unixMs >= (lines[youngest]?.unixMs ?? 0)) youngest = at;
  return (youngest + 1) % FIRED_JOURNAL_LINES;
}
