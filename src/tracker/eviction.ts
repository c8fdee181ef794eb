// Which slot makes room when the tracker is full (spec 03 section 5). A victim was silent for more
// than ten thresholds, and under the strict policy its stall was also reported. The work per frame
// is bounded by the scan window; a cursor walks the ring, so repeated attempts see every slot.
// "Oldest" is not promised.
import {
  EVICTION_WINDOW_DEFAULT,
  EVICTION_WINDOW_MAX,
  EVICTION_WINDOW_MIN,
} from "../base/limits.ts";
import { saturatingSub } from "../base/saturating.ts";
import type { DeadlineLanes } from "./deadline_lanes.ts";
import type { Slots } from "./slots.ts";

/** A slot is a victim only after ten thresholds of silence: long after its stall was reported. */
const EVICTION_MULTIPLIER = 10;

/**
 * The words of the configuration. "strict" takes only slots whose stall was surfaced; "balanced"
 * also takes silent ones that were not judged yet.
 */
export type EvictionPolicy = "strict" | "balanced";

export interface EvictionOptions {
  /** By default "strict". */
  readonly evictionPolicy?: EvictionPolicy;
  /** Slots searched per scan; clamped to 1..4096. */
  readonly evictionScanWindow?: number;
}

export class Eviction {
  /** Where the next scan starts; below max(len, 1). */
  cursor = 0;
  /** Slots searched per scan. */
  window = EVICTION_WINDOW_DEFAULT;
  readonly #slots: Slots;
  readonly #lanes: DeadlineLanes;
  #balanced = false;

  constructor(slots: Slots, lanes: DeadlineLanes, options: EvictionOptions) {
    this.#slots = slots;
    this.#lanes = lanes;
    this.change(options);
  }

  /** From the next search on. */
  change({ evictionPolicy, evictionScanWindow = EVICTION_WINDOW_DEFAULT }: EvictionOptions): void {
    this.#balanced = evictionPolicy === "balanced";
    this.window = clampWindow(evictionScanWindow);
  }

  /**
   * A slot among 0..len-1 that may be evicted, or -1. `latchedCount` of them have their latch set.
   */
  findVictim(len: number, latchedCount: number, nowNs: number): number {
    if (len === 0) return -1;
    // Nothing has stalled: the cheap answer to a flood of new pids, which also leaves the cursor
    // alone.
    const strict = latchedCount === 0 ? -1 : this.#scan(len, true, nowNs);
    if (strict >= 0 || !this.#balanced) return strict;
    return this.#scan(len, false, nowNs);
  }

  /** The tracker has only `len` slots left. */
  shrunk(len: number): void {
    this.cursor = len === 0 ? 0 : this.cursor % len;
  }

  #scan(len: number, latchedOnly: boolean, nowNs: number): number {
    const slots = this.#slots;
    const { lastNs, lane } = slots;
    const { thresholdNs, pauses } = this.#lanes;
    const start = this.cursor % len;
    const scanCount = Math.min(this.window, len);
    let slot = start;
    for (let i = 0; i < scanCount; i++) {
      const silenceNs = saturatingSub(nowNs, lastNs[slot]!);
      const silenceNsMin = EVICTION_MULTIPLIER * thresholdNs[lane[slot]!]!;
      // Its stall is reported and no beat of it can come: it owes no more silence.
      if (latchedOnly && slots.isLatched(slot) && slots.hasEnded(slot)) {
        this.cursor = (slot + 1) % len;
        return slot;
      }
      if (silenceNs > silenceNsMin && (!latchedOnly || slots.isLatched(slot))) {
        const deafNs = pauses.sinceNs(lastNs[slot]!) + pauses.unheardNs(lastNs[slot]!);
        if (silenceNs - deafNs > silenceNsMin) {
          this.cursor = (slot + 1) % len;
          return slot;
        }
      }
      slot += 1;
      if (slot === len) slot = 0;
    }
    this.cursor = (start + scanCount) % len;
    return -1;
  }
}

function clampWindow(window: number): number {
  return Math.min(Math.max(Math.trunc(window), EVICTION_WINDOW_MIN), EVICTION_WINDOW_MAX);
}
