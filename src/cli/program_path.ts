// Which file a command line means (spec 16 section 16): as execvp(3) looks for it, but that it is
// known before anything is done whether it can be run.
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import { COMM_BYTES_MAX, PROGRAM_PATH_CHARS_MAX } from "../control/beats_door.ts";

/** As the C library looks where there is no PATH. */
const PATH_DEFAULT = "/bin:/usr/bin";

type ProgramPath =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly isFound: boolean };

export function programPath(word: string, path: string | undefined): ProgramPath {
  if (word === "") return { ok: false, isFound: false };
  const candidates = word.includes("/")
    ? [word]
    : (path || PATH_DEFAULT).split(":").map((directory) => join(directory || ".", word));
  let isFound = false;
  for (const candidate of candidates) {
    const found = judge(candidate);
    if (found === "runs") return { ok: true, path: candidate };
    if (found === "does not run") isFound = true;
  }
  return { ok: false, isFound };
}

/**
 * Who a process is that runs the program at `path`, as far as that is known before: comm as the
 * kernel will have it, and exe, which of a script is its interpreter. Texts are latin1.
 */
export function programIdentity(path: string): { readonly comm: string; readonly exe?: string } {
  const comm = Buffer.from(basename(path)).subarray(0, COMM_BYTES_MAX).toString("latin1");
  try {
    if (isScript(path)) return { comm };
    const exe = Buffer.from(realpathSync(path)).toString("latin1");
    return exe.length > PROGRAM_PATH_CHARS_MAX ? { comm } : { comm, exe };
  } catch {
    // It may be executed, and not read.
    return { comm };
  }
}

function isScript(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    const start = Buffer.alloc(2);
    readSync(fd, start, 0, 2, 0);
    return start.toString("latin1") === "#!";
  } finally {
    closeSync(fd);
  }
}

function judge(path: string): "runs" | "does not run" | "is not there" {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "is not there";
  if (!stat.isFile()) return "does not run";
  try {
    accessSync(path, constants.X_OK);
    return "runs";
  } catch {
    return "does not run";
  }
}
