// Why something could not be done to or for a process, and whether the very same try may succeed a
// moment later: the system was short of something, or the program was just being replaced.
import { EAGAIN, EMFILE, ENFILE, ENOMEM, ETXTBSY } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";

export interface Failure {
  /** "ENOENT (no such file or directory)", or words. */
  readonly text: string;
  readonly isTransient: boolean;
}

const TRANSIENT: readonly number[] = [EAGAIN, EMFILE, ENFILE, ENOMEM, ETXTBSY];

export function failureOf(errno: number): Failure {
  return { text: errnoText(errno), isTransient: TRANSIENT.includes(errno) };
}

/** A failure that the next try would meet again. */
export function lastingFailure(text: string): Failure {
  return { text, isTransient: false };
}
