// Which file a command line means (spec 16 section 16): as execvp(3) looks for it, but that it is
// known before anything is done whether it can be run.
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";

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
