// Whether no process has a pid any more: the kernel's word, also where /proc hides the processes of
// others.
import { ESRCH } from "../../ffi/constants.ts";
import { pidfdOpen } from "../../ffi/pidfd.ts";
import { closeFd } from "../../ffi/pipe.ts";

export function isGone(pid: number): boolean {
  const pidfd = pidfdOpen(pid);
  if (pidfd < 0) return pidfd === -ESRCH;
  closeFd(pidfd);
  return false;
}
