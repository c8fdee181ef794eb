// The limit of open descriptors: what this process may open, and what its children inherit.
import { ptr } from "bun:ffi";
import { F_DUPFD_CLOEXEC, RLIMIT_NOFILE } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { RLIMIT } from "./layout.ts";
import { libc } from "./libc.ts";
import { close } from "./socket.ts";

export interface DescriptorLimit {
  /** What the kernel enforces. */
  readonly soft: bigint;
  /** What `soft` may be raised to. */
  readonly hard: bigint;
}

const buffer = new ArrayBuffer(RLIMIT.size);
const values = new BigUint64Array(buffer);
const address = ptr(buffer);
const SOFT = RLIMIT.rlim_cur / 8;
const HARD = RLIMIT.rlim_max / 8;

/** Undefined if the system does not say. */
export function descriptorLimit(): DescriptorLimit | undefined {
  if (libc.getrlimit(RLIMIT_NOFILE, address) < 0) return undefined;
  return { soft: values[SOFT]!, hard: values[HARD]! };
}

/** 0 or -errno. */
export function setDescriptorLimit({ soft, hard }: DescriptorLimit): number {
  values[SOFT] = soft;
  values[HARD] = hard;
  return resultOrErrno(libc.setrlimit(RLIMIT_NOFILE, address));
}

/**
 * Makes the kernel's table of descriptors large enough for `count` of them, with the help of `fd`;
 * -errno if it may not be. Else the table doubles whenever it is full, and in a process of several
 * threads the call that found it full then waits for all processors: 8 to 60 ms.
 */
export function makeRoomForDescriptors(fd: number, count: number): number {
  const highest = resultOrErrno(libc.fcntl(fd, F_DUPFD_CLOEXEC, count - 1));
  return highest < 0 ? highest : close(highest);
}
