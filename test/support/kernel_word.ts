// Whether this kernel says who really sent a datagram, and keeps descriptors of senders away
// (Linux 6.16).
import { AF_UNIX, IS_LINUX, SOCK_DGRAM, SO_PASSPIDFD, SO_PASSRIGHTS } from "../../ffi/constants.ts";
import { close, openSocket, setSocketOption } from "../../ffi/socket.ts";

export const KERNEL_VOUCHES: boolean = IS_LINUX && probe();

/** In the name of a test that needs it. */
export const NEEDS_WORD = KERNEL_VOUCHES ? "" : " (skipped: this needs Linux 6.16)";

function probe(): boolean {
  const fd = openSocket(AF_UNIX, SOCK_DGRAM);
  const accepted = [setSocketOption(fd, SO_PASSRIGHTS, 0), setSocketOption(fd, SO_PASSPIDFD, 1)];
  close(fd);
  return accepted.every((result) => result === 0);
}
