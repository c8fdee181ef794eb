// The self-watchdog (spec 12 section 2): an alarm of the kernel that every turn puts off. A loop
// that hangs, in whatever, is ended by the signal.
import { armAlarm } from "../../ffi/process.ts";
import { TEST_HOOKS } from "../base/build_info.ts";
import { msFromNs, NS_PER_S } from "../base/time.ts";
import { monotonicNs } from "./monotonic.ts";

/** Without a self-watchdog, a loop that has not come round for this long is called stale. */
const FRESH_NS_MAX = 4 * NS_PER_S;
/** Turns within the deadline: one that is late is no wedge yet. */
const TURNS_PER_DEADLINE = 4;

interface SelfWatchdogOptions {
  /** Undefined = there is no watchdog. */
  readonly deadlineNs: number | undefined;
  /** Observer time, for the test hook alone. */
  readonly nowNs: () => number;
  /** Run time after which the loop stops coming round; only builds with test hooks can set it. */
  readonly wedgeAfterNs: number | undefined;
}

export class SelfWatchdog {
  readonly #options: SelfWatchdogOptions;
  #turnBeganNs = 0;

  constructor(options: SelfWatchdogOptions) {
    this.#options = options;
  }

  /** Longest time between two turns that it bears. */
  get quietNsMax(): number {
    return (this.#options.deadlineNs ?? Number.POSITIVE_INFINITY) / TURNS_PER_DEADLINE;
  }

  /** The last turn began not long ago. */
  get isFresh(): boolean {
    return monotonicNs() - this.#turnBeganNs < (this.#options.deadlineNs ?? FRESH_NS_MAX);
  }

  turnBegins(): void {
    this.#turnBeganNs = monotonicNs();
    this.arm();
    if (TEST_HOOKS) this.#wedgeIfDue();
  }

  arm(): void {
    const { deadlineNs } = this.#options;
    if (deadlineNs !== undefined) armAlarm(msFromNs(deadlineNs));
  }

  // An endless loop as a fault would make one: only the kernel can end it.
  #wedgeIfDue(): void {
    const { wedgeAfterNs, nowNs } = this.#options;
    if (wedgeAfterNs === undefined || nowNs() < wedgeAfterNs) return;
    for (;;);
  }
}
