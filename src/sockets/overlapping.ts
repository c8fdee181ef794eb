// A bind beside sockets of our own that are about to be closed: a port moves from one address to
// all of them, or back, and the kernel calls that in use. For this one call both sides allow it.
import { SO_REUSEPORT } from "../../ffi/constants.ts";
import { setSocketOption } from "../../ffi/socket.ts";

/** What `bind` of the socket `fd` gives, while the sockets `leaving` do not stand in its way. */
export function bindBeside(fd: number, leaving: readonly number[], bind: () => number): number {
  const sockets = leaving.length === 0 ? [] : [fd, ...leaving];
  for (const socket of sockets) setSocketOption(socket, SO_REUSEPORT, 1);
  try {
    return bind();
  } finally {
    for (const socket of sockets) setSocketOption(socket, SO_REUSEPORT, 0);
  }
}
