// What the program asks the system about another process (spec 05 section 5). The real reader parses /proc;
// tests and the simulator supply their own. NaN means unknown.
import { NS_PER_MS } from "../base/time.ts";

export interface ProcessReader {
  /** Start time of `pid` in clock ticks since boot (its generation); NaN if it cannot be read. */
  startTime(pid: number): number;
  /**
   * True if the process with this start time has certainly ended; one that cannot be looked at has
   * not.
   */
  hasEnded(pid: number, startTime: number): boolean;
  /** Real uid of `pid`, as the kernel attests it of a sender; NaN if it cannot be read. */
  realUid(pid: number): number;
  /**
   * Inode of the pid namespace of `pid`; NaN = unknown; 0 = foreign with its inode hidden from us.
   * `observerInode` is the observer's own inode (NaN = unknown), needed by the NSpid fall-back.
   */
  namespaceInode(pid: number, observerInode: number): number;
}

/**
 * Now as a generation: processes that start from now on have at least this one, and a process of a smaller one had started
 * before. NaN = unknown.
 */
export type GenerationClock = () => number;

/** Generations count in ticks of a hundredth of a second, on every Linux that we run on (USER_HZ). */
export const GENERATION_NS = 10 * NS_PER_MS;

/** The generation clock at `bootNs`, a reading of the clock that start times are told in (CLOCK_BOOTTIME). */
export function generationAt(bootNs: number): number {
  return Math.floor(bootNs / GENERATION_NS);
}

const ENDED_STATE = /^\) [ZXx] /;
/** Field 20 of /proc/PID/stat, counted from the end of the name: a leader may end before its threads do. */
const THREADS_WORD = 18;

/** From the text of /proc/PID/stat: its process has ended, and so have all of its threads. */
export function isOver(stat: string): boolean {
  // The name before the state may hold anything; the last parenthesis ends it.
  const afterName = stat.slice(stat.lastIndexOf(")"));
  if (!ENDED_STATE.test(afterName)) return false;
  return Number(afterName.split(" ")[THREADS_WORD]) <= 1;
}
