// Signal mask and dispositions, which a process inherits over execve(2) from the one that started
// it.
import { ptr } from "bun:ffi";
import { constants } from "node:os";
import { SIG_DFL, SIG_IGN, SIG_SETMASK, NSIG } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { SIGACTION, SIGSET } from "./layout.ts";
import { libc } from "./libc.ts";

const { SIGHUP, SIGPIPE, SIGXFSZ } = constants.signals;
/** The runtime itself ignores the last two, and what they say comes as an error of write(2). */
const LEFT_ALONE: readonly number[] = [SIGHUP, SIGPIPE, SIGXFSZ];

const actionBuffer = new ArrayBuffer(SIGACTION.size);
const action = new BigUint64Array(actionBuffer);
const actionAddress = ptr(actionBuffer);
const HANDLER = SIGACTION.sa_handler / 8;
/** All zero: SIG_DFL, no flags, and an empty mask. */
const defaultBuffer = new ArrayBuffer(SIGACTION.size);
const defaultAddress = ptr(defaultBuffer);
const emptySetBuffer = new ArrayBuffer(SIGSET.size);
const emptySetAddress = ptr(emptySetBuffer);

/**
 * Empties the mask of this thread; 0 or -errno. Other threads keep theirs, but a signal for the
 * process is taken by any thread that lets it in, and a child gets the mask of the thread that
 * starts it.
 */
export function unblockSignals(): number {
  return resultOrErrno(libc.sigprocmask(SIG_SETMASK, emptySetAddress, null));
}

/**
 * Gives its default action to every signal that is ignored, SIGHUP excepted: nohup(1) means what it
 * does.
 */
export function unignoreSignals(): void {
  for (let signal = 1; signal < NSIG; signal++) {
    if (LEFT_ALONE.includes(signal) || !isIgnored(signal)) continue;
    libc.sigaction(signal, defaultAddress, null);
  }
}

/** True if `signal` is ignored; false also for a number that is no signal. */
function isIgnored(signal: number): boolean {
  action[HANDLER] = BigInt(SIG_DFL);
  if (libc.sigaction(signal, null, actionAddress) < 0) return false;
  return action[HANDLER] === BigInt(SIG_IGN);
}
