// The way to the service manager (spec 12 section 3): its address, and a socket to send from.
import { AF_UNIX, SOCK_DGRAM } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { close, connect, openSocket, type SocketAddress, unixAddress } from "../../ffi/socket.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";

export interface NotifySocket {
  readonly fd: number;
  readonly address: SocketAddress;
}

/** Opens the way to what NOTIFY_SOCKET names; the words for why that cannot be. */
export function openNotifySocket(name: string): NotifySocket | string {
  if (!/^[/@]./.test(name) || Buffer.byteLength(name) > SOCKET_PATH_BYTES_MAX)
    return `NOTIFY_SOCKET is not a path or @name of at most ${SOCKET_PATH_BYTES_MAX} bytes`;
  const address = unixAddress(name);
  const fd = openSocket(AF_UNIX, SOCK_DGRAM);
  // Connecting sends nothing: it only shows whether a process listens there.
  const result = fd < 0 ? fd : connect(fd, address);
  if (result >= 0) return { fd, address };
  if (fd >= 0) close(fd);
  return `NOTIFY_SOCKET ${name}: ${errnoText(-result)}`;
}
