// Who is at the other end of a connected Unix stream socket, as the kernel knew it at connect(2)
// or listen(2). Linux only: elsewhere it is nobody that is known.
import { ptr } from "bun:ffi";
import {
  ENOPROTOOPT,
  ERANGE,
  F_SETFD,
  FD_CLOEXEC,
  IS_LINUX,
  SO_PEERCRED,
  SO_PEERGROUPS,
  SO_PEERPIDFD,
  SOL_SOCKET,
} from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { UCRED } from "./layout.ts";
import { libc } from "./libc.ts";

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
}

/** Most groups that a process can have (NGROUPS_MAX). */
const GROUPS_MAX = 65_536;
/** Enough for nearly everybody: a longer list costs a second call. */
const GROUPS_AT_FIRST = 64;

const buffer = new ArrayBuffer(UCRED.size + 4);
const words = new Uint32Array(buffer);
const address = ptr(buffer);
const lengthAddress = ptr(buffer, UCRED.size);
const LENGTH = UCRED.size / 4;

/** Undefined = the kernel does not say. */
export function peerCredentials(fd: number): PeerCredentials | undefined {
  if (!IS_LINUX) return undefined;
  words[LENGTH] = UCRED.size;
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, address, lengthAddress) < 0) return undefined;
  return {
    pid: words[UCRED.pid / 4]!,
    uid: words[UCRED.uid / 4]!,
    gid: words[UCRED.gid / 4]!,
  };
}

/**
 * A descriptor of the very process that connected, whatever became of its pid since; -errno on
 * failure: -ENOPROTOOPT = this kernel has none (before Linux 6.5).
 */
export function peerPidfd(fd: number): number {
  if (!IS_LINUX) return -ENOPROTOOPT;
  words[LENGTH] = 4;
  const result = libc.getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, address, lengthAddress);
  if (result < 0) return resultOrErrno(result);
  // The kernel makes it close-on-exec; said once more, since a child that held it would be a leak.
  const pidfd = words[0]!;
  libc.fcntl(pidfd, F_SETFD, FD_CLOEXEC);
  return pidfd;
}

/** The supplementary groups of the peer; empty where the kernel does not say. */
export function peerGroups(fd: number): number[] {
  if (!IS_LINUX) return [];
  return groupsWithRoom(fd, GROUPS_AT_FIRST) ?? groupsWithRoom(fd, GROUPS_MAX) ?? [];
}

/** Undefined = there are more than `count`, or an error. */
function groupsWithRoom(fd: number, count: number): number[] | undefined {
  const list = new ArrayBuffer(4 * count + 4);
  const groups = new Uint32Array(list);
  groups[count] = 4 * count;
  const result = libc.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ptr(list), ptr(list, 4 * count));
  const errno = -resultOrErrno(result);
  if (errno === ERANGE) return undefined;
  return errno > 0 ? [] : [...groups.subarray(0, groups[count]! / 4)];
}
