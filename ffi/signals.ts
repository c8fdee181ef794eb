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
const actionBytes = new Uint8Array(actionBuffer);
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
 * does. Returns those that it changed.
 */
export function unignoreSignals(): readonly number[] {
  const changed: number[] = [];
  for (let signal = 1; signal < NSIG; signal++) {
    if (LEFT_ALONE.includes(signal) || !isIgnored(signal)) continue;
    if (libc.sigaction(signal, defaultAddress, null) === 0) changed.push(signal);
  }
  return changed;
}

/**
 * The dispositions for a program that takes the place of this one: `ignored` are ignored, and what
 * the runtime ignores for itself has its default action. Handlers end with execve(2) anyway.
 * SIGPIPE and SIGXFSZ of the caller are not known: the runtime had them before us.
 */
export function restoreDispositions(ignored: readonly number[]): void {
  for (const signal of [SIGPIPE, SIGXFSZ]) libc.sigaction(signal, defaultAddress, null);
  actionBytes.fill(0);
  action[HANDLER] = BigInt(SIG_IGN);
  for (const signal of ignored) libc.sigaction(signal, actionAddress, null);
}

/** True if `signal` is ignored; false also for a number that is no signal. */
function isIgnored(signal: number): boolean {
  action[HANDLER] = BigInt(SIG_DFL);
  if (libc.sigaction(signal, null, actionAddress) < 0) return false;
  return action[HANDLER] === BigInt(SIG_IGN);
}
