// The files of one audit log, for reading only and without a lock: `.5` to `.1` and the live one,
// oldest first, line by line through one small buffer, so that a log of any size can be read beside
// the daemon that writes it.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
} from "node:fs";
import { AUDIT_LINE_BYTES_MAX, FILE_WRITE_BYTES_MAX, ROTATED_FILES_MAX } from "../base/limits.ts";
import { codeOf } from "../files/append_file.ts";

interface LogFile {
  readonly path: string;
  readonly fd: number;
}

/** Of a rotation that runs at the same moment; two in a row take longer than opening six files. */
const ATTEMPTS_MAX = 5;
/** A FIFO must not make the open wait. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
const LF = 0x0a;

/** Takes a log file by file, line by line. */
interface LogReader {
  beginFile(file: string): void;
  /** Valid during the call; without its LF. */
  line(line: Uint8Array, hasLineEnd: boolean): void;
}

/**
 * Reads the log at `path` with its older files, oldest first. A live file that is missing beside
 * older ones is begun and has no line. Throws the system's error.
 */
export function readLog(path: string, reader: LogReader): void {
  const files = openLogFiles(path);
  try {
    for (const file of files) {
      reader.beginFile(file.path);
      forEachLine(file, (line, hasLineEnd) => reader.line(line, hasLineEnd));
    }
    if (files.at(-1)?.path !== path) reader.beginFile(path);
  } finally {
    closeLogFiles(files);
  }
}

/** Reads one file. Throws the system's error, or an Error if it is not a regular file. */
export function readLogFile(path: string, onLine: LogReader["line"]): void {
  const file = openLogFile(path);
  try {
    forEachLine(file, onLine);
  } finally {
    closeSync(file.fd);
  }
}

function openLogFiles(path: string): readonly LogFile[] {
  for (let attempt = 1; ; attempt++) {
    const files = openOnce(path);
    const isWhole = files.at(-1)?.path === path && files.every(isStillThere);
    if (attempt === ATTEMPTS_MAX || isWhole) return files;
    closeLogFiles(files);
  }
}

/** Opens one file. Throws the system's error, or an Error if it is not a regular file. */
export function openLogFile(path: string): LogFile {
  const fd = openSync(path, FLAGS);
  if (fstatSync(fd).isFile()) return { path, fd };
  closeSync(fd);
  throw new Error(`cannot read ${path}: must be a regular file`);
}

function closeLogFiles(files: readonly LogFile[]): void {
  for (const { fd } of files) closeSync(fd);
}

function forEachLine({ fd }: LogFile, onLine: LogReader["line"]): void {
  const chunk = Buffer.alloc(FILE_WRITE_BYTES_MAX);
  /** The start of a line that is longer than what was left of the last chunk. */
  let carried = Buffer.alloc(0);
  for (;;) {
    const sizeBytes = readSync(fd, chunk, 0, chunk.length, null);
    if (sizeBytes === 0) break;
    let start = 0;
    for (let lf = chunk.indexOf(LF); lf >= 0 && lf < sizeBytes; lf = chunk.indexOf(LF, start)) {
      const end = chunk.subarray(start, lf);
      onLine(carried.length === 0 ? end : Buffer.concat([carried, end]), true);
      carried = Buffer.alloc(0);
      start = lf + 1;
    }
    // The rest of a line that is too long for a record is not kept; what is left of it is none.
    if (carried.length <= AUDIT_LINE_BYTES_MAX) {
      carried = Buffer.concat([carried, chunk.subarray(start, sizeBytes)]);
    }
  }
  if (carried.length > 0) onLine(carried, false);
}

function openOnce(path: string): readonly LogFile[] {
  const files: LogFile[] = [];
  try {
    for (let fileNumber = ROTATED_FILES_MAX; fileNumber >= 1; fileNumber--) {
      const file = openIfPresent(`${path}.${fileNumber}`);
      if (file !== undefined) files.push(file);
    }
    const live = files.length === 0 ? openLogFile(path) : openIfPresent(path);
    if (live !== undefined) files.push(live);
    return files;
  } catch (error) {
    closeLogFiles(files);
    throw error;
  }
}

function openIfPresent(path: string): LogFile | undefined {
  try {
    return openLogFile(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function isStillThere({ path, fd }: LogFile): boolean {
  let found: Stats;
  try {
    found = lstatSync(path);
  } catch {
    return false;
  }
  const opened = fstatSync(fd);
  return found.isSymbolicLink() || (found.dev === opened.dev && found.ino === opened.ino);
}
