// Names and texts of error numbers, from the runtime, which knows them for its platform.
import { getSystemErrorMap } from "node:util";

/** "EAGAIN"; "errno 4711" if the platform does not name it. */
export function systemErrorName(errnoNumber: number): string {
  return entry(errnoNumber)?.[0] ?? `errno ${errnoNumber}`;
}

/** "EAGAIN (resource temporarily unavailable)". */
export function systemErrorText(errnoNumber: number): string {
  const found = entry(errnoNumber);
  return found ? `${found[0]} (${found[1]})` : `errno ${errnoNumber}`;
}

function entry(errnoNumber: number): readonly [string, string] | undefined {
  return getSystemErrorMap().get(-errnoNumber);
}
