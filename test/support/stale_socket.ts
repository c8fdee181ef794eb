// A Unix socket whose owner is gone, as a killed process leaves it: no process answers at its path
// any more.
import { lstatSync } from "node:fs";
import { AF_UNIX } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { bind, close, openSocket, unixAddress } from "../../ffi/socket.ts";

/** Makes one of `type`, SOCK_DGRAM or SOCK_STREAM; returns its inode. */
export function leaveStale(path: string, type: number): bigint {
  const fd = check(openSocket(AF_UNIX, type), "open a socket");
  check(bind(fd, unixAddress(path)), "bind");
  close(fd);
  return lstatSync(path, { bigint: true }).ino;
}
