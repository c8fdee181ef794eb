// Children that have ended. The runtime waits for those that it started itself, each by its own
// descriptor; here are the calls for the ones that it knows nothing of. Looking leaves a child as
// it is: a later wait for it still gets its status.
import { ptr } from "bun:ffi";
import { IS_LINUX, P_ALL, PR_GET_CHILD_SUBREAPER, WEXITED, WNOHANG, WNOWAIT } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { SIGINFO } from "./layout.ts";
import { libc, libcLinux } from "./libc.ts";

const infoBuffer = new ArrayBuffer(SIGINFO.size);
const info = new Int32Array(infoBuffer);
const infoAddress = ptr(infoBuffer);

/** The pid of a child that has ended and was not waited for, 0 if there is none. */
export function endedChild(): number {
  if (!IS_LINUX || libcLinux === null) return 0;
  // With WNOHANG and no ended child, the kernel need not write anything.
  info[SIGINFO.si_pid / 4] = 0;
  const result = libcLinux.waitid(P_ALL, 0, infoAddress, WEXITED | WNOHANG | WNOWAIT);
  return result < 0 ? 0 : info[SIGINFO.si_pid / 4]!;
}

/** Takes an ended child out of the process table, and its status with it; its pid, or -errno. */
export function reapChild(pid: number): number {
  if (!IS_LINUX || libcLinux === null) return 0;
  return resultOrErrno(libcLinux.waitpid(pid, null, WNOHANG));
}

/**
 * True if the kernel makes orphans children of this process: it is the first one of a pid
 * namespace, or a subreaper.
 */
export function adoptsOrphans(): boolean {
  if (!IS_LINUX || libcLinux === null) return false;
  if (libc.getpid() === 1) return true;
  info[0] = 0;
  return libcLinux.prctl(PR_GET_CHILD_SUBREAPER, infoAddress, 0, 0, 0) === 0 && info[0] !== 0;
}
