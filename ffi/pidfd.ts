// Process descriptors (Linux 5.3): a pidfd names one process for as long as it is open, whatever
// becomes of its pid. What is checked between opening and signalling therefore holds for the
// process that gets the signal. By system call number, because glibc has had wrappers only since
// 2.36.
import { ENOSYS, IS_LINUX, SYS_pidfd_open, SYS_pidfd_send_signal } from "./constants.ts";
import { errno } from "./errno.ts";
import { libcLinux } from "./libc.ts";

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
