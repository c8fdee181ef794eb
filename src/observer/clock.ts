// The observer's clock (spec 04 section 8): nanoseconds since start, never decreasing. Backward
// steps are absorbed and counted; a step of more than five seconds ahead, beyond a wait that was
// planned, is counted too.
import { block, Counters, counter } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";

/** A reading that is further ahead than this (beyond a planned wait) is counted as a clock jump. */
const CLOCK_JUMP_NS = 5 * NS_PER_S;

/** "boottime" goes on while the machine sleeps, "monotonic-raw" is not slewed by NTP. */
export type ClockSource = "monotonic" | "boottime" | "monotonic-raw";

/** Source of raw readings: nanoseconds since its baseline. A failed read is 0. */
export interface RawClock {
  /** Undefined: no clock of the system. */
  readonly source?: ClockSource;
  readNs(): number;
  /** How much of its time the machine was suspended; left out = it stands still meanwhile. */
  asleepNs?(): number;
}

export const CLOCK = block({
  regression: counter("varta_observer_clock_regression_total", "Backward clock steps absorbed."),
  jumpForward: counter(
    "varta_observer_clock_jump_forward_total",
    "Clock steps of more than 5 s forward beyond a planned wait.",
  ),
});

export class ObserverClock {
  readonly counters = new Counters(CLOCK, this);
  readonly #raw: RawClock;
  #previousNs = 0;
  #idleAllowanceNs = 0;

  constructor(raw: RawClock) {
    this.#raw = raw;
  }

  /** The time now, clamped so that it never goes back. */
  nowNs(): number {
    const raw = this.#raw.readNs();
    const previous = this.#previousNs;
    const allowance = this.#idleAllowanceNs;
    this.#idleAllowanceNs = 0;
    if (raw < previous) {
      this.counters.add(CLOCK.regression);
      return previous;
    }
    if (previous > 0 && raw - previous > CLOCK_JUMP_NS + allowance)
      this.counters.add(CLOCK.jumpForward);
    this.#previousNs = raw;
    return raw;
  }

  /** Which clock of the system this is; undefined = none of them. */
  get source(): ClockSource | undefined {
    return this.#raw.source;
  }

  /** How much of its time the machine was suspended, which is nobody's pause. */
  get asleepNs(): number {
    return this.#raw.asleepNs?.() ?? 0;
  }

  /** The last value that nowNs() returned: no system call. */
  get lastNs(): number {
    return this.#previousNs;
  }

  /**
   * Announces a blocking wait of at most `ns` before the next reading: a planned sleep is no jump.
   */
  allowIdle(ns: number): void {
    this.#idleAllowanceNs = ns;
  }
}
