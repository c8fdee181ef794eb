// How a process ended, as wait(2) writes it: in bits 0 to 6 the signal that ended it, in bits 8 to
// 15 what it said to exit(2). NaN = unknown.
import { constants } from "node:os";

/** The signal that ended the process; 0 = none did. */
export function signalOf(waitStatus: number): number {
  return waitStatus & 0x7f;
}

/** "SIGKILL"; undefined = the signal has no name, as those of real time. */
export function signalName(signal: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
}

/** What the process said to exit(2); meaningless if a signal ended it. */
export function exitStatusOf(waitStatus: number): number {
  return (waitStatus >> 8) & 0xff;
}

/** The kernel wrote a core file of it, or handed one to a program that keeps them. */
function dumpedCore(waitStatus: number): boolean {
  return (waitStatus & 0x80) !== 0;
}

/** One of the two numbers, the other is NaN; both if it is unknown. */
export interface EndNumbers {
  readonly exitStatus: number;
  readonly signal: number;
  readonly dumpedCore: boolean;
}

export function endNumbers(waitStatus: number): EndNumbers {
  const isSignal = signalOf(waitStatus) !== 0;
  const isUnknown = Number.isNaN(waitStatus);
  return {
    exitStatus: isSignal || isUnknown ? Number.NaN : exitStatusOf(waitStatus),
    signal: isSignal ? signalOf(waitStatus) : Number.NaN,
    dumpedCore: isSignal && dumpedCore(waitStatus),
  };
}
