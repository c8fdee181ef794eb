// The guard over the members of a tracker (spec 12 section 10): tells it who falls silent, who is
// heard again and how many beat, and holds whom it holds.
import { RULE_NONE } from "../agents/rules.ts";
import { block, Counters, counter, gauge } from "../base/counters.ts";
import type { SilenceGuard } from "../tracker/stall_scan.ts";
import type { Tracker } from "../tracker/tracker.ts";
import type { Stall } from "../events/stall.ts";
import type { Guard, GuardMemory, GuardView } from "./guard.ts";
import { GuardedRecoveries } from "./guarded_recoveries.ts";

export const GUARD = block({
  active: gauge(
    "varta_guard_active",
    "Whether too many members fell silent at once: none is judged, the observer suspects itself.",
    { ask: (watch: { readonly guard: Pick<Guard, "isActive"> }) => (watch.guard.isActive ? 1 : 0) },
  ),
  times: counter("varta_guard_total", "Times that the guard became active."),
});

export class GuardWatch implements SilenceGuard {
  readonly counters = new Counters(GUARD, this);
  readonly guard: Guard;
  readonly recoveries: GuardedRecoveries;
  readonly #tracker: Tracker;
  #pausedNs = 0;

  constructor(tracker: Tracker, guard: Guard) {
    this.#tracker = tracker;
    this.guard = guard;
    this.recoveries = new GuardedRecoveries({
      guard,
      members: () => tracker.len,
      hasEnded: (stall) => this.#is(stall, (slot) => tracker.slots.hasEnded(slot)),
      isStalled: (stall) => this.#is(stall, (slot) => tracker.slots.isLatched(slot)),
    });
    tracker.guard = this;
    tracker.table.lanes.onHeard = (key) => guard.returned(key);
  }

  /** Members that are present and not silent. */
  get beating(): number {
    const { len, latchedCount, lanes } = this.#tracker.table;
    return len - latchedCount - lanes.heldCount;
  }

  /** Undefined while it is not active. */
  get view(): GuardView | undefined {
    return this.guard.view;
  }

  /** As `Guard.restore`; it became active in another run, and is not counted in this one. */
  restore(memory: GuardMemory, startNs: number, windowNsMax: number): void {
    this.guard.restore(memory, startNs, windowNsMax);
    this.#tracker.table.lanes.isHolding = this.guard.isActive;
  }

  /** The member of `key` is silent for its threshold, and is not judged because of that. */
  isHeld(key: number): boolean {
    const { slots, table } = this.#tracker;
    const slot = this.#tracker.slotOf(key);
    return slot >= 0 && slots.lane[slot]! >= table.lanes.heldRowOf(0);
  }

  /** At each judge point, before it judges. */
  look(nowNs: number): void {
    const { totalNs } = this.#tracker.pauses;
    if (totalNs > this.#pausedNs) this.guard.saw("paused", nowNs);
    this.#pausedNs = totalNs;
    this.guard.look(nowNs, this.beating);
    this.#hold();
  }

  holds(slot: number, nowNs: number): boolean {
    const { slots } = this.#tracker;
    const fall = {
      key: slots.key[slot]!,
      uid: slots.uid[slot]!,
      isRuled: slots.rule[slot]! !== RULE_NONE,
      thresholdNs: this.#tracker.thresholdOf(slot),
      atNs: nowNs,
    };
    // It is counted among those that beat until it is held or stalled.
    const isHeld = this.guard.holds(fall, this.beating - 1);
    this.#hold();
    return isHeld;
  }

  /** When a judge point or a recovery is due at the earliest; +Infinity = never. */
  nextDeadlineNs(nowNs: number): number {
    return Math.min(this.guard.nextDeadlineNs(nowNs), this.recoveries.nextDeadlineNs());
  }

  #is({ key, generation }: Stall, holds: (slot: number) => boolean): boolean {
    const slot = this.#tracker.slotOf(key);
    const isIts = slot >= 0 && Object.is(this.#tracker.slots.generation[slot], generation);
    return isIts && holds(slot);
  }

  #hold(): void {
    const { lanes } = this.#tracker.table;
    if (this.guard.isActive && !lanes.isHolding) this.counters.add(GUARD.times);
    lanes.isHolding = this.guard.isActive;
  }
}
