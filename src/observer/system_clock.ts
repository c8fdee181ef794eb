// The configured clock as raw readings since start (spec 04 section 8): exact, because the baseline
// is subtracted in seconds and nanoseconds. A failed reading counts as 0, which the observer's
// clamp absorbs.
import { clockNanoseconds, clockSeconds, readClock, suspendedNs } from "../../ffi/clock.ts";
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_RAW,
  IS_LINUX,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { NS_PER_S } from "../base/time.ts";
import type { ClockSource, RawClock } from "./clock.ts";

export class SystemClock implements RawClock {
  readonly source: ClockSource;
  readonly #id: number;
  readonly #baseSeconds: number;
  readonly #baseNanoseconds: number;

  /** Takes the baseline; throws `SystemError` if the clock cannot be read. */
  constructor(source: ClockSource) {
    this.source = source;
    this.#id = clockId(source);
    check(readClock(this.#id), `cannot read the ${source} clock`);
    this.#baseSeconds = clockSeconds();
    this.#baseNanoseconds = clockNanoseconds();
  }

  readNs(): number {
    if (readClock(this.#id) < 0) return 0;
    const seconds = clockSeconds() - this.#baseSeconds;
    return Math.max(0, seconds * NS_PER_S + (clockNanoseconds() - this.#baseNanoseconds));
  }

  asleepNs(): number {
    return this.#id === CLOCK_BOOTTIME ? suspendedNs() : 0;
  }
}

function clockId(source: ClockSource): number {
  if (source === "boottime" && IS_LINUX) return CLOCK_BOOTTIME;
  return source === "monotonic-raw" ? CLOCK_MONOTONIC_RAW : CLOCK_MONOTONIC;
}
