// The one errno reader, and the one translator from an error number to a text or a `SystemError`.
// Wrappers in this folder return -errno on failure, read in the same function as the failing call;
// nothing else may run in between.
import { toArrayBuffer } from "bun:ffi";
import { systemErrorName, systemErrorText } from "../src/base/system_errors.ts";
import { errnoAddress } from "./libc.ts";

// One view for the life of the thread: 130 million failing calls under garbage collection read it
// right.
const errnoView = new Int32Array(toArrayBuffer(errnoAddress, 0, 4));

/** The error number of the C call that has just failed. */
export function errno(): number {
  return errnoView[0]!;
}

/** `result` itself, or -errno if the C call returned a negative number. */
export function resultOrErrno(result: number): number {
  return result < 0 ? -errnoView[0]! : result;
}

/** A failed system call: "cannot bind /run/x.sock: EADDRINUSE (address already in use)". */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly errno: number;
  readonly code: string;

  constructor(what: string, errnoNumber: number) {
    super(`${what}: ${errnoText(errnoNumber)}`);
    this.errno = errnoNumber;
    this.code = errnoName(errnoNumber);
  }
}

/**
 * Throws `SystemError` if `result` is a negative error number; `what` says what could not be done.
 */
export function check(result: number, what: string): number {
  if (result < 0) throw new SystemError(what, -result);
  return result;
}

/** "EAGAIN"; "errno 4711" if the platform does not name it. */
export const errnoName: (errnoNumber: number) => string = systemErrorName;

/** "EAGAIN (resource temporarily unavailable)". */
export const errnoText: (errnoNumber: number) => string = systemErrorText;
