// The fault that a socket path is refused with, for tests of what it says.
import { SocketPathError } from "../../src/sockets/socket_path.ts";

export function refusal(work: () => unknown): SocketPathError {
  try {
    work();
  } catch (error) {
    if (error instanceof SocketPathError) return error;
    throw error;
  }
  throw new Error("a refusal was expected");
}
