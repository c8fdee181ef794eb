// Who fell silent (spec 03 section 6.1): takes the slots whose deadline has passed out of their
// lanes, the longest silence first, and hands each to the sink, unless a stranger has its pid by
// now.
import { THRESHOLDS_MAX } from "../base/limits.ts";
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
  /** Called once for each silence that is late. */
  onLate?(slot: number): void;
}

/**
 * Asked of each slot that is due, while the slot is valid. It may name the member of the slot, and
 * change its threshold.
 */
export interface JudgeGate {
  /** False: its lane is judged no further at this time. */
  mayJudge(slot: number, nowNs: number): boolean;
}

/** Asked of each slot that is due and would be a stall, while the slot is valid. */
export interface SilenceGuard {
  /** True: it is held, and neither judged nor counted. */
  holds(slot: number, nowNs: number): boolean;
}

export class StallScan {
  guard: SilenceGuard | undefined = undefined;
  gate: JudgeGate | undefined = undefined;
  readonly #table: SlotTable;
  readonly #eviction: Eviction;
  readonly #processes: ProcessReader;
  /** Slots that this drain may still move. */
  #movesLeft = 0;
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
   * Lane by lane, at most `slotsMax` slots are moved; returns how many were emitted or retired.
   * `thresholdNs` NaN = each lane's own, and its late.
   */
  drain(nowNs: number, thresholdNs: number, slotsMax: number, sink: StallSink): number {
    const { lanes } = this.#table;
    this.#movesLeft = slotsMax;
    let taken = this.#endGraces(nowNs, Number.isNaN(thresholdNs), sink);
    for (let lane = 0; lane < lanes.laneCount; lane++) {
      // Those that were held have been silent for the longest, then the late ones.
      if (lanes.heldCount > 0 && !lanes.isHolding)
        taken += this.#drainRow(lanes.heldRowOf(lane), nowNs, thresholdNs, sink);
      taken += this.#drainRow(lanes.lateRowOf(lane), nowNs, thresholdNs, sink);
      taken += this.#drainRow(lane, nowNs, thresholdNs, sink);
    }
    return taken;
  }

  /**
   * Whose grace is over is judged as all others, by its silence; or at once, if it has asked for
   * that and each lane has its own threshold. How many were taken.
   */
  #endGraces(nowNs: number, isOwn: boolean, sink: StallSink): number {
    const { slots, lanes } = this.#table;
    const { graces } = lanes;
    let taken = 0;
    for (let slot = graces.top; slot >= 0 && this.#movesLeft > 0; slot = graces.top) {
      if (lanes.isInGrace(slot, nowNs)) break;
      if (!isOwn || !slots.wasTriggered(slot) || slots.hasEnded(slot)) {
        this.#movesLeft -= 1;
        lanes.endGrace(slot);
        continue;
      }
      if (this.gate?.mayJudge(slot, nowNs) === false) break;
      // It may have a grace by now.
      if (graces.top !== slot || lanes.isInGrace(slot, nowNs)) continue;
      if (this.#judge(slot, nowNs, sink)) taken += 1;
    }
    return taken;
  }

  #drainRow(row: number, nowNs: number, thresholdNs: number, sink: StallSink): number {
    const { lanes } = this.#table;
    const { dueNs, thresholdNs: thresholds } = lanes;
    const isOwn = Number.isNaN(thresholdNs);
    let taken = 0;
    while (this.#movesLeft > 0) {
      const slot = this.#headSilentFor(row, nowNs, isOwn ? dueNs[row]! : thresholdNs);
      if (slot < 0) break;
      if (lanes.isInGrace(slot, nowNs)) {
        lanes.park(slot);
        this.#movesLeft -= 1;
        continue;
      }
      if (this.#headSilentFor(row, nowNs, isOwn ? thresholds[row]! : thresholdNs) < 0) {
        this.#makeLate(slot, sink);
        continue;
      }
      if (this.gate?.mayJudge(slot, nowNs) === false) break;
      // It may have another threshold by now, or a grace.
      const head = this.#headSilentFor(row, nowNs, isOwn ? thresholds[row]! : thresholdNs);
      if (head !== slot || lanes.isInGrace(slot, nowNs)) continue;
      const fromNs = this.#table.restoredGate?.judgedFromNs(slot, nowNs) ?? nowNs;
      if (Number.isNaN(fromNs)) break;
      if (fromNs > nowNs) {
        this.#defer(slot, fromNs);
        continue;
      }
      if (this.#judge(slot, nowNs, sink)) taken += 1;
    }
    return taken;
  }

  /** False: it is held. */
  #judge(slot: number, nowNs: number, sink: StallSink): boolean {
    this.#movesLeft -= 1;
    if (this.excuses?.(slot) === true) this.leave(slot);
    else if (this.#heldByOtherProcess(slot)) this.#retire(slot);
    else {
      // What is known to have ended is no silence.
      const isSilent = !this.#table.slots.hasEnded(slot);
      if (isSilent && this.guard?.holds(slot, nowNs) === true) {
        this.#table.lanes.hold(slot);
        return false;
      }
      this.#table.latch(slot);
      sink.onStall(slot);
    }
    return true;
  }

  /** It is late, and waits for `untilNs` as for the end of a grace. */
  #defer(slot: number, untilNs: number): void {
    this.#movesLeft -= 1;
    const { slots, lanes } = this.#table;
    lanes.unlink(slot);
    slots.lane[slot] = lanes.lateRowOf(slots.lane[slot]! % THRESHOLDS_MAX);
    slots.graceEndNs[slot] = lanes.pauses.awakeNs(untilNs);
    lanes.graces.push(slot);
  }

  // The end of its process was reported: that says more.
  #makeLate(slot: number, sink: StallSink): void {
    this.#movesLeft -= 1;
    this.#table.lanes.makeLate(slot);
    if (!this.#table.slots.hasEnded(slot)) sink.onLate?.(slot);
  }

  /** The head of `row` if it has been silent for so long, else -1. */
  #headSilentFor(row: number, nowNs: number, silenceNsMin: number): number {
    const { slots, lanes } = this.#table;
    const slot = lanes.head[row]!;
    if (slot < 0) return -1;
    const lastNs = slots.lastNs[slot]!;
    const silenceNs = saturatingSub(nowNs, lastNs);
    const isSilent = silenceNs >= silenceNsMin && silenceNs >= silenceNsMin + lanes.excusedNs(slot);
    return isSilent ? slot : -1;
  }

  /**
   * True if `pid` has a readable start time that is not `generation`; unreadable proves nothing.
   */
  isOtherProcess(pid: number, generation: number): boolean {
    const startTime = this.#processes.startTime(pid);
    return startTime <= Number.MAX_SAFE_INTEGER && startTime !== generation;
  }

  /** Another process than that of `generation` has the slot, or its pid. */
  isOfOther(slot: number, generation: number): boolean {
    const { slots } = this.#table;
    const now = slots.generation[slot]!;
    // It may have ended by now, too: then its pid says nothing.
    const isLater = !Number.isNaN(now) && now !== generation;
    return isLater || this.isOtherProcess(slots.pid[slot]!, generation);
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
