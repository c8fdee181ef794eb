// clock_gettime in whole seconds and nanoseconds. The difference to a baseline is formed from the
// two parts, so that it is an exact f64 number of nanoseconds although the machine may have been up
// for years.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import { NS_PER_S } from "../src/base/time.ts";
import { resultOrErrno } from "./errno.ts";
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, IS_LINUX } from "./constants.ts";
import { TIMESPEC } from "./layout.ts";
import { libc } from "./libc.ts";

const buffer = new ArrayBuffer(TIMESPEC.size);
const words = new Int32Array(buffer);
const address = ptr(buffer);
const secLo = TIMESPEC.tv_sec / 4;
const secHi = secLo + 1;
const nsec = TIMESPEC.tv_nsec / 4;

/**
 * Reads clock `id`; 0 or -errno. The reading is then in `clockSeconds()` and `clockNanoseconds()`.
 */
export function readClock(id: number): number {
  return resultOrErrno(libc.clock_gettime(id, address));
}

/** Whole seconds of the last reading. */
export function clockSeconds(): number {
  return words[secHi]! * 0x1_0000_0000 + (words[secLo]! >>> 0);
}

/** Nanoseconds 0..999,999,999 of the last reading. */
export function clockNanoseconds(): number {
  return words[nsec]!;
}

/**
 * Clock `id` in f64 nanoseconds since its own epoch; for coarse uses, since old machines exceed
 * 2^53.
 */
export function clockNs(id: number): number {
  const result = readClock(id);
  assert(result === 0, "a clock that was checked at start-up can be read");
  return clockSeconds() * NS_PER_S + clockNanoseconds();
}

/** For how long the machine was suspended since its boot; NaN = not known here. */
export function suspendedNs(): number {
  return IS_LINUX ? clockNs(CLOCK_BOOTTIME) - clockNs(CLOCK_MONOTONIC) : Number.NaN;
}
