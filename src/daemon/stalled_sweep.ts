// Looks at stalled members that no descriptor watches, some of them once a second (spec 14 section
// 4.2): those whose process has ended since, and those of other machines that were silent for too
// long.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import type { MemberEndsOptions } from "./end_options.ts";

/** Slots of a large table that one look passes, and processes that it asks for. */
const SLOTS_MAX = 1_024;
const LOOKUPS_MAX = 64;

export class StalledSweep {
  readonly #options: MemberEndsOptions;
  #cursor = 0;

  constructor(options: MemberEndsOptions) {
    this.#options = options;
  }

  /** `ended` is called for a slot whose process has ended, and may remove it. */
  look(nowNs: number, ended: (slot: number) => void): void {
    const { observer, processes, forgetAfterNs, isGone, watch } = this.#options;
    const { tracker } = observer;
    const { slots } = tracker;
    let lookups = 0;
    for (let passed = 0; passed < Math.min(SLOTS_MAX, tracker.len); passed++) {
      this.#cursor = this.#cursor > 0 ? this.#cursor - 1 : tracker.len - 1;
      const slot = Math.min(this.#cursor, tracker.len - 1);
      // A hello from elsewhere has no process whose end is seen.
      const isNoMore = !slots.isLatched(slot) && this.#isOldHello(slot, nowNs);
      if (isNoMore) tracker.ends.forget(slot);
      if (isNoMore || !slots.isLatched(slot) || slots.hasEnded(slot)) continue;
      const pid = slots.pid[slot]!;
      const generation = slots.generation[slot]!;
      if (slots.origin[slot] !== ORIGIN_KERNEL_ATTESTED) {
        const silenceNs = saturatingSub(nowNs, slots.lastNs[slot]!);
        if (silenceNs > forgetAfterNs() && this.mayLeave(slot)) tracker.ends.forget(slot);
        continue;
      }
      if (watch.isWatching(pid, generation) || lookups === LOOKUPS_MAX) continue;
      lookups += 1;
      if (!Number.isNaN(generation)) {
        if (processes.hasEnded(pid, generation)) ended(slot);
      } else if (this.mayLeave(slot) && isGone(pid)) tracker.ends.forget(slot);
    }
  }

  #isOldHello(slot: number, nowNs: number): boolean {
    const { observer, forgetAfterNs } = this.#options;
    const { slots } = observer.tracker;
    if (slots.hasBeaten(slot) || slots.origin[slot] === ORIGIN_KERNEL_ATTESTED) return false;
    return saturatingSub(nowNs, slots.lastNs[slot]!) > forgetAfterNs();
  }

  /** Whether a stalled member whose process has ended may leave the table. */
  mayLeave(slot: number): boolean {
    const { observer, isRecovering } = this.#options;
    const { slots } = observer.tracker;
    return slots.isLatched(slot) && !isRecovering(slots.key[slot]!);
  }
}
