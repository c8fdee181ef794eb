// Assertions for mistakes of the program. Bytes from a socket, a file or a user are never asserted:
// they are handled and counted. A failed assertion means that the state can no longer be trusted.

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/**
 * Throws `AssertionError` if `condition` is false. `message` is a constant: it is built on every
 * call.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
