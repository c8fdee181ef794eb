// The state that the daemon before this one left, read once at the start (spec 18 section 4). One
// that cannot be read is set aside, so that it can be looked at and does not stop the next start
// either; what is no file of the daemon is left alone. It never throws.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  readSync,
  renameSync,
  type Stats,
} from "node:fs";
import { codeOf } from "../files/append_file.ts";
import { openOwnFile, requireOwnFile } from "../files/own_file.ts";
import { type ReadState, readState, titleFault } from "./decoder.ts";
import { STATE_BYTES_MAX, TITLE_BYTES } from "./format.ts";

type FoundState =
  | { readonly kind: "none" }
  | { readonly kind: "state"; readonly state: ReadState; readonly sizeBytes: number }
  /** `found` completes "found FOUND"; `setAside` is where it is now, "" = that failed, too. */
  | { readonly kind: "unreadable"; readonly found: string; readonly setAside: string }
  /** Not the daemon's to read or to write: it goes on without a state. */
  | { readonly kind: "refused"; readonly error: Error };

const SET_ASIDE = ".bad";

export function findState(path: string, ownerUid: number): FoundState {
  let fd: number;
  try {
    fd = openOwnFile(path, constants.O_RDONLY, ownerUid);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { kind: "none" };
    return { kind: "refused", error: error as Error };
  }
  let found: string;
  try {
    const stats = fstatSync(fd);
    requireOwnFile(path, stats, { ownerUid, private: true });
    const content = contentOf(fd, stats);
    if (typeof content !== "string") {
      const decoded = readState(content);
      if (decoded.ok) return { kind: "state", state: decoded.state, sizeBytes: content.length };
      found = decoded.found;
    } else found = content;
  } catch (error) {
    return { kind: "refused", error: error as Error };
  } finally {
    closeSync(fd);
  }
  return { kind: "unreadable", found, setAside: setAside(path, ownerUid) };
}

/** All of the file, or what is wrong with it. */
function contentOf(fd: number, { size }: Stats): Uint8Array | string {
  const title = Buffer.alloc(TITLE_BYTES);
  const fault = titleFault(title.subarray(0, readSync(fd, title, 0, TITLE_BYTES, 0)));
  // What is no state is not read on, however large it is.
  if (fault !== undefined) return fault;
  if (size > STATE_BYTES_MAX) return `more than ${STATE_BYTES_MAX} bytes`;
  // What is not read into is not given on.
  const bytes = Buffer.allocUnsafeSlow(size);
  let length = 0;
  while (length < size) {
    const count = readSync(fd, bytes, length, size - length, length);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/**
 * Where it is now; "" = it is not the daemon's. At most one is kept: a daemon that starts over and
 * over fills no disk.
 */
export function setAside(path: string, ownerUid: number): string {
  const aside = `${path}${SET_ASIDE}`;
  try {
    requireOwnFile(path, lstatSync(path), { ownerUid, private: true });
    const there = lstatSync(aside, { throwIfNoEntry: false });
    if (there !== undefined) requireOwnFile(aside, there, { ownerUid, private: true });
    renameSync(path, aside);
    return aside;
  } catch {
    return "";
  }
}
