// Where the daemon writes files of its own, and why it may not: the same words for each of them.
import { effectiveUid } from "../../ffi/process.ts";
import { parentFault } from "../files/directory_rules.ts";
import { OwnFileError } from "../files/own_file.ts";
import { errorText, StartError } from "./start_error.ts";

/** Throws `OwnFileError` unless nobody else can put another file in the place of `file`. */
export function requireDirectory(file: string): void {
  const fault = parentFault(file, effectiveUid());
  if (fault !== undefined)
    throw new OwnFileError(
      file,
      `found ${fault.found}; want ${fault.want}`,
      "a user who can write to the directory can put another file in the place of this one",
    );
}

export function cannotOpen(what: string, file: string, error: unknown): StartError {
  if (error instanceof OwnFileError)
    return new StartError(`cannot open the ${what} ${file}: ${error.reason}`, error.hint);
  return new StartError(
    `cannot open the ${what} ${file}: ${errorText(error)}`,
    "it must be a regular file of the daemon's user, no link, in a directory that the daemon may write",
  );
}
