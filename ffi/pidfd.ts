// Process descriptors (Linux 5.3): a pidfd names one process for as long as it is open, whatever
// becomes of its pid. What is checked between opening and signalling therefore holds for the
// process that gets the signal, and how it ended can be asked when it is long reaped. By system
// call number, because glibc has had wrappers only since 2.36.
import { ptr } from "bun:ffi";
import {
  EAGAIN,
  ENOSYS,
  IS_LINUX,
  PIDFD_INFO_EXIT,
  SYS_pidfd_open,
  SYS_pidfd_send_signal,
} from "./constants.ts";
import { errno, resultOrErrno } from "./errno.ts";
import { PIDFD_INFO } from "./layout.ts";
import { libc, libcLinux } from "./libc.ts";

/** _IOWR(0xFF, 11, struct pidfd_info): direction, size of the struct, type and number. */
const PIDFD_GET_INFO = 3 * 2 ** 30 + PIDFD_INFO.size * 2 ** 16 + 0xff * 2 ** 8 + 11;

const infoBuffer = new ArrayBuffer(PIDFD_INFO.size);
const info = new Int32Array(infoBuffer);
const infoAddress = ptr(infoBuffer);
const MASK = PIDFD_INFO.mask / 4;
const EXIT_CODE = PIDFD_INFO.exit_code / 4;

/**
 * Opens a descriptor of the process `pid`, close-on-exec; -errno on failure: -ESRCH = there is no
 * such process.
 */
export function pidfdOpen(pid: number): number {
  if (!IS_LINUX || libcLinux === null) return -ENOSYS;
  const result = libcLinux.syscall(SYS_pidfd_open, pid, 0, 0, 0);
  return Number(result) < 0 ? -errno() : Number(result);
}

/** Sends `signal` to the process of `pidfd`; 0 or -errno: -ESRCH = it has ended. */
export function pidfdSendSignal(pidfd: number, signal: number): number {
  if (!IS_LINUX || libcLinux === null) return -ENOSYS;
  const result = libcLinux.syscall(SYS_pidfd_send_signal, pidfd, signal, 0, 0);
  return Number(result) < 0 ? -errno() : Number(result);
}

/** Whether this kernel says how a process of others ended (Linux 6.15); asked of our own. */
export function kernelTellsWaitStatus(): boolean {
  const pidfd = pidfdOpen(process.pid);
  if (pidfd < 0) return false;
  const told = pidfdWaitStatus(pidfd);
  libc.close(pidfd);
  return told === -EAGAIN;
}

/**
 * How the process of `pidfd` ended, as wait(2) writes it: no parent needs to be asked, and no right
 * is needed. -EAGAIN = the kernel does not say it yet, since the process runs or was not reaped;
 * another -errno = this kernel never says it (before Linux 6.15).
 */
export function pidfdWaitStatus(pidfd: number): number {
  if (!IS_LINUX || libcLinux === null) return -ENOSYS;
  info.fill(0);
  info[MASK] = PIDFD_INFO_EXIT;
  const result = resultOrErrno(libcLinux.ioctl(pidfd, PIDFD_GET_INFO, infoAddress));
  if (result < 0) return result;
  return (info[MASK]! & PIDFD_INFO_EXIT) === 0 ? -EAGAIN : info[EXIT_CODE]!;
}
