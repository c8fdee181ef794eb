// The kernel's watchdog devices, /dev/watchdogN (linux/watchdog.h): what one is, and after how many
// seconds without a write it reboots the machine. Functions return a non-negative result or -errno.
import { ptr } from "bun:ffi";
import { ENOSYS, WDIOC_GETSUPPORT, WDIOC_GETTIMEOUT, WDIOC_SETTIMEOUT } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { WATCHDOG_INFO } from "./layout.ts";
import { libcLinux } from "./libc.ts";

const buffer = new ArrayBuffer(WATCHDOG_INFO.size);
const words = new Int32Array(buffer);
const identity = new Uint8Array(buffer, WATCHDOG_INFO.identity);
const address = ptr(buffer);

export interface WatchdogSupport {
  /** WDIOF_* bits. */
  readonly options: number;
  /** What the driver calls it; untrusted. */
  readonly identity: string;
}

/** -errno = it is no watchdog. */
export function watchdogSupport(fd: number): WatchdogSupport | number {
  const result = ask(fd, WDIOC_GETSUPPORT);
  if (result < 0) return result;
  const end = identity.indexOf(0);
  const name = identity.subarray(0, end < 0 ? identity.length : end);
  return {
    options: words[WATCHDOG_INFO.options / 4]! >>> 0,
    identity: new TextDecoder("latin1").decode(name),
  };
}

/** In seconds, or -errno. */
export function watchdogTimeout(fd: number): number {
  words[0] = 0;
  const result = ask(fd, WDIOC_GETTIMEOUT);
  return result < 0 ? result : words[0]!;
}

/** Asks for another timeout: the one that the driver took, in seconds, or -errno. */
export function setWatchdogTimeout(fd: number, seconds: number): number {
  words[0] = seconds;
  const result = ask(fd, WDIOC_SETTIMEOUT);
  return result < 0 ? result : words[0]!;
}

function ask(fd: number, what: number): number {
  if (libcLinux === null) return -ENOSYS;
  return resultOrErrno(libcLinux.ioctl(fd, what, address));
}
