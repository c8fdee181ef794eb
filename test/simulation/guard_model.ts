// The guard of the simulated daemon as spec 12 section 10 says it: the slow twin over the members
// of the model, told who falls silent and who is heard, and by the self-beats that the model took.
import type { GuardSettings } from "../../src/observer/guard.ts";
import type { SelfBeat } from "../../src/observer/self_beat.ts";
import { ReferenceGuard } from "../reference/guard.ts";
import type { ReferenceSlot, ReferenceTracker } from "../reference/tracker.ts";
import type { ModelStall } from "./model_rows.ts";

interface GuardModelOptions {
  readonly settings: GuardSettings;
  readonly tracker: ReferenceTracker;
  readonly selfBeat: SelfBeat;
  readonly hasRule: (slot: ReferenceSlot) => boolean;
  readonly nowNs: () => number;
}

export class GuardModel {
  readonly twin: ReferenceGuard;
  /** Stalls that were told, and whose recovery waits; the oldest first. */
  readonly waiting: ModelStall[] = [];
  readonly #options: GuardModelOptions;
  #pausedNs = 0;

  constructor(options: GuardModelOptions) {
    this.#options = options;
    this.twin = new ReferenceGuard(options.settings, options.selfBeat);
    options.tracker.guard = this;
  }

  get isHolding(): boolean {
    return this.twin.since !== undefined;
  }

  holds(slot: ReferenceSlot): boolean {
    const { nowNs, hasRule } = this.#options;
    const fall = {
      key: slot.pid,
      uid: slot.uid ?? Number.NaN,
      isRuled: hasRule(slot),
      thresholdNs: slot.lane.thresholdNs,
      atNs: nowNs(),
    };
    return this.twin.holds(fall, this.#beating - 1);
  }

  returned(pid: number): void {
    this.twin.returned(pid);
  }

  /** At each judge point, before it judges. A pause is the observer's own fault. */
  look(nowNs: number): void {
    const pausedNs = nowNs - this.#options.tracker.awakeNs(nowNs);
    if (pausedNs > this.#pausedNs) this.twin.saw(nowNs);
    this.#pausedNs = pausedNs;
    this.twin.look(nowNs, this.#beating);
  }

  nextDeadlineNs(nowNs: number): number {
    const oldest = this.waiting[0];
    const readyNs = oldest === undefined ? Number.POSITIVE_INFINITY : this.#readyNs(oldest);
    return Math.min(this.twin.nextDeadlineNs(nowNs), readyNs);
  }

  /** True: its recovery waits. */
  waits(stall: ModelStall, nowNs: number): boolean {
    if (this.#readyNs(stall) <= nowNs) return false;
    this.waiting.push(stall);
    return true;
  }

  hasReady(nowNs: number): boolean {
    const oldest = this.waiting[0];
    return oldest !== undefined && this.#readyNs(oldest) <= nowNs;
  }

  /** The oldest; undefined = its member beats again, or has left. */
  takeReady(): ModelStall | undefined {
    const stall = this.waiting.shift()!;
    const slot = this.#options.tracker.find(stall.pid);
    const isSame = slot !== undefined && slot.generation === stall.generation;
    return isSame && slot.latched ? stall : undefined;
  }

  get #beating(): number {
    const { slots } = this.#options.tracker;
    return slots.filter(({ latched, held }) => !latched && !held).length;
  }

  #readyNs({ observerNs }: ModelStall): number {
    return this.twin.recoveryNs(observerNs, this.#options.tracker.slots.length);
  }
}
