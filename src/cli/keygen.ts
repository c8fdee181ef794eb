// `varta-watch keygen [--out FILE]`: 32 random bytes as 64 hex digits, on stdout or in a new file
// for its owner alone. The file is created by this very call or not at all: nothing is overwritten
// and no symlink is followed. It is on disk when the command says so.
import { randomFillSync } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { isatty } from "node:tty";
import { effectiveUid } from "../../ffi/process.ts";
import { syncDirectoryNow } from "../files/directory_sync.ts";
import { KEY_BYTES } from "../wire/secure_frame.ts";
import { type Invocation, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";

const EXIT_OK = 0;
/** EX_CANTCREAT. */
const EXIT_CANNOT_CREATE = 73;
/** EX_IOERR. */
const EXIT_CANNOT_WRITE = 74;

const OWNER_ONLY = 0o600;
const STDOUT = 1;
const STDERR = 2;

export async function run(invocation: Invocation): Promise<number> {
  const out = ownText(invocation, "out");
  const key = randomFillSync(new Uint8Array(KEY_BYTES));
  const line = `${key.toHex()}\n`;
  key.fill(0);
  if (out === undefined) return printKey(line);
  try {
    writeNewFile(out, line);
  } catch (error) {
    return refuse(out, error);
  }
  print(`wrote a new key to ${out}\n`);
  if (effectiveUid() === 0 && isatty(STDERR))
    printHint("the file belongs to root: give it to the user who reads it, with chown");
  return EXIT_OK;
}

// Stdout is a file on a full disk now and then, and a key that is not there must not look like one
// that is.
function printKey(line: string): number {
  try {
    const written = writeSync(STDOUT, line);
    if (written === line.length) return EXIT_OK;
    printError("cannot print the key: stdout took only a part of it");
  } catch (error) {
    printError(`cannot print the key: ${errorCode(error)}`);
  }
  return EXIT_CANNOT_WRITE;
}

function writeNewFile(path: string, text: string): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, OWNER_ONLY);
  try {
    // A strict umask would leave a file that its owner cannot read.
    fchmodSync(fd, OWNER_ONLY);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } catch (error) {
    // Half a key is none, and would be in the way of the next attempt.
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
  // Some file systems cannot do it, and have the file all the same.
  syncDirectoryNow(dirname(path));
}

function refuse(path: string, error: unknown): number {
  const code = errorCode(error);
  const what = `cannot create key file ${path}`;
  if (code === "EEXIST") {
    printError(`${what}: there is something of this name already`);
    printHint("a key in use is never overwritten: choose another name");
  } else if (code === "ENOENT") {
    printError(`${what}: its directory does not exist`);
    printHint(`make it first: mkdir -p ${dirname(path)}`);
  } else printError(`${what}: ${code}`);
  return EXIT_CANNOT_CREATE;
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
