// Calls on this process and others. The interval timer is the self-watchdog: SIGALRM keeps its
// default action.
import { ptr } from "bun:ffi";
import {
  ESRCH,
  IS_LINUX,
  ITIMER_REAL,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
} from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { ITIMERVAL } from "./layout.ts";
import { libc, libcLinux } from "./libc.ts";

const timerBuffer = new ArrayBuffer(ITIMERVAL.size);
const timer = new Int32Array(timerBuffer);
const timerAddress = ptr(timerBuffer);

/** Effective uid: decides what the kernel allows and who must own the daemon's files. */
export function effectiveUid(): number {
  return libc.geteuid();
}

/**
 * Pid straight from the kernel: never cached, so it is right in a forked child (spec 01 section 8).
 */
export function currentPid(): number {
  return libc.getpid();
}

/** Of the process that started this one, or that took it over when that ended. */
export function parentPid(): number {
  return libc.getppid();
}

/**
 * Gives up root for good: all threads of this process become user `uid` with group `gid` and the
 * supplementary `groups`. 0 or -errno. Only root may.
 */
export function becomeUser(uid: number, gid: number, groups: readonly number[]): number {
  const list = new Uint32Array(new ArrayBuffer(Math.max(1, groups.length) * 4));
  list.set(groups);
  if (libc.setgroups(groups.length, ptr(list.buffer)) < 0) return resultOrErrno(-1);
  if (libc.setgid(gid) < 0) return resultOrErrno(-1);
  return resultOrErrno(libc.setuid(uid));
}

/** A signal to the group of the parent is not for this process any more: 0 or -errno. */
export function beginSession(): number {
  return libc.setsid() < 0 ? resultOrErrno(-1) : 0;
}

/** Sends `signal` to a process (pid > 0) or a process group (pid < -1); 0 or -errno. */
export function kill(pid: number, signal: number): number {
  return resultOrErrno(libc.kill(pid, signal));
}

/** Whether no process has `pid`, also where processes are hidden; a zombie has its pid. */
export function nobodyHas(pid: number): boolean {
  return libc.getpgid(pid) < 0 && resultOrErrno(-1) === -ESRCH;
}

/** Sets the process-wide umask and returns the old one. */
export function umask(mask: number): number {
  // mode_t has 16 bits on darwin, and what is above them in the register means nothing.
  return libc.umask(mask) & 0o7777;
}

/** Arms ITIMER_REAL once: SIGALRM after `afterMs`; 0 disarms. Returns 0 or -errno. */
export function armAlarm(afterMs: number): number {
  timer[ITIMERVAL.it_value_sec / 4] = Math.floor(afterMs / 1000);
  timer[ITIMERVAL.it_value_usec / 4] = (afterMs % 1000) * 1000;
  return resultOrErrno(libc.setitimer(ITIMER_REAL, timerAddress, null));
}

/** Clears the ambient capability set, so that children inherit none (Linux); 0 or -errno. */
export function clearAmbientCapabilities(): number {
  if (!IS_LINUX || libcLinux === null) return 0;
  return resultOrErrno(libcLinux.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}
