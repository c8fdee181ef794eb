// Who fell silent (spec 03 section 6.1): takes the slots whose deadline has passed out of their
// lanes, the longest silence first, and hands each to the sink, unless a stranger has its pid by
// now.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { ProcessReader } from "../processes/process_reader.ts";
import { saturatingSub } from "../base/saturating.ts";
import { TRACKER } from "./counters.ts";
import type { Eviction } from "./eviction.ts";
import type { SlotTable } from "./slot_table.ts";

/**
 * Called by a drain for each stalled slot, while the slot is valid. Must not call the tracker back.
 */
export interface StallSink {
  onStall(slot: number): void;
}

/**
 * Asked of each slot that is due, while the slot is valid. It may name the member of the slot, and
 * change its threshold.
 */
export interface JudgeGate {
  /** False: its lane is judged no further at this time. */
  mayJudge(slot: number, nowNs: number): boolean;
}

export class StallScan {
  gate: JudgeGate | undefined = undefined;
  readonly #table: SlotTable;
  readonly #eviction: Eviction;
  readonly #processes: ProcessReader;
  /**
   * Whether a slot that is due leaves the table without a stall, because the end of its process is
   * no alarm. Must not call the tracker back.
   */
  excuses: ((slot: number) => boolean) | undefined = undefined;

  constructor(table: SlotTable, eviction: Eviction, processes: ProcessReader) {
    this.#table = table;
    this.#eviction = eviction;
    this.#processes = processes;
  }

  /**
   * Lane by lane, at most `slotsMax` slots; returns how many were emitted or retired. `thresholdNs`
   * NaN = each lane's own.
   */
  drain(nowNs: number, thresholdNs: number, slotsMax: number, sink: StallSink): number {
    const table = this.#table;
    const { lanes } = table;
    let taken = 0;
    for (let lane = 0; lane < lanes.laneCount; lane++) {
      while (taken < slotsMax) {
        const slot = this.#dueHead(lane, nowNs, thresholdNs);
        if (slot < 0) break;
        if (this.gate?.mayJudge(slot, nowNs) === false) break;
        // It may have another threshold by now.
        if (this.#dueHead(lane, nowNs, thresholdNs) !== slot) continue;
        if (this.excuses?.(slot) === true) this.leave(slot);
        else if (this.#heldByOtherProcess(slot)) this.#retire(slot);
        else {
          table.latch(slot);
          sink.onStall(slot);
        }
        taken += 1;
      }
    }
    return taken;
  }

  /** The head of `lane` if it is due, else -1; `thresholdNs` NaN = that of the lane. */
  #dueHead(lane: number, nowNs: number, thresholdNs: number): number {
    const { slots, lanes } = this.#table;
    const slot = lanes.head[lane]!;
    if (slot < 0) return -1;
    const silenceNsMin = Number.isNaN(thresholdNs) ? lanes.thresholdNs[lane]! : thresholdNs;
    const lastNs = slots.lastNs[slot]!;
    const silenceNs = saturatingSub(nowNs, lastNs);
    const isDue =
      silenceNs >= silenceNsMin && silenceNs >= silenceNsMin + lanes.pauses.excusedNs(lastNs);
    return isDue ? slot : -1;
  }

  /**
   * True if `pid` has a readable start time that is not `generation`; unreadable proves nothing.
   */
  isOtherProcess(pid: number, generation: number): boolean {
    const startTime = this.#processes.startTime(pid);
    return startTime <= Number.MAX_SAFE_INTEGER && startTime !== generation;
  }

  /** Nothing is to be said of the member of `slot` any more. */
  leave(slot: number): void {
    this.#table.end(slot);
    this.forget(slot);
  }

  /** The member of `slot` is dropped. */
  forget(slot: number): void {
    this.#table.remove(slot);
    this.#eviction.shrunk(this.#table.len);
  }

  /** A stranger has the pid of `slot`: drop it without a stall, which could hurt the stranger. */
  #retire(slot: number): void {
    this.#table.remove(slot);
    this.#eviction.shrunk(this.#table.len);
    this.#table.counters.add(TRACKER.pidRecycle);
  }

  #heldByOtherProcess(slot: number): boolean {
    const { slots } = this.#table;
    const { origin, generation, pid } = slots;
    // It is known to have ended, and is judged for that.
    if (origin[slot]! !== ORIGIN_KERNEL_ATTESTED || slots.hasEnded(slot)) return false;
    const pinned = generation[slot]!;
    return !Number.isNaN(pinned) && this.isOtherProcess(pid[slot]!, pinned);
  }
}
