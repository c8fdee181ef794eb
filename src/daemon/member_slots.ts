// The slots of members as those who follow ends ask for them (spec 14 section 4): by pid and start
// time, since a slot number does not last, and with how long a process has run.
import { AGENT_NEW, AGENT_OTHER } from "../agents/agent_table.ts";
import { NS_PER_S } from "../base/time.ts";
import { GENERATION_NS } from "../processes/generation.ts";
import type { MemberEndsOptions } from "./end_options.ts";
import { type SeenEnd, seenEnd } from "./unit_ends.ts";

/**
 * One that was over before it could be watched is no member if it beat within so long of its start
 * alone: a helper that beats for another one and ends. A program that is to be watched takes longer
 * to start, or lives longer than the moment until it is watched.
 */
const BRIEF_LIFE_NS_MAX = NS_PER_S;

export class MemberSlots {
  readonly #observer: MemberEndsOptions["observer"];
  readonly #nowGeneration: MemberEndsOptions["nowGeneration"];

  constructor({ observer, nowGeneration }: Pick<MemberEndsOptions, "observer" | "nowGeneration">) {
    this.#observer = observer;
    this.#nowGeneration = nowGeneration;
  }

  /** The slot of the process that has `pid` and started at `generation`; -1 = it has none. */
  slotOf(pid: number, generation: number): number {
    const { tracker } = this.#observer;
    const slot = tracker.slotOf(pid);
    return slot >= 0 && tracker.slots.generation[slot] === generation ? slot : -1;
  }

  /**
   * What a newcomer must have in common with the member that it replaces; "" = none replaces it,
   * since strangers share the agent of those without a name of their own.
   */
  groupOf(slot: number, unit: string): string {
    const { agent, uid } = this.#observer.tracker.slots;
    const number = agent[slot]!;
    return number === AGENT_NEW || number === AGENT_OTHER ? "" : `${number} ${uid[slot]} ${unit}`;
  }

  /** The unit that it ran in when its rule was found; "" = none, or that is not known. */
  unitOf(slot: number): string {
    const { unit = "", unitUser = "" } = this.#observer.tracker.table.facts[slot]?.identity ?? {};
    return unitUser === "" ? unit : "";
  }

  /** False: which rule is its own, and who takes its place, is not known yet. */
  isIdentified(pid: number, generation: number): boolean {
    const slot = this.slotOf(pid, generation);
    return slot < 0 || this.#observer.tracker.slots.agent[slot] !== AGENT_NEW;
  }

  /**
   * An end that was found out late: it was at any time since its last beat. `beforeNs`: and before
   * then, while no daemon ran.
   */
  foundEnd(slot: number, waitStatus: number, beforeNs = Number.NaN): SeenEnd {
    const { slots } = this.#observer.tracker;
    const [pid, generation] = [slots.pid[slot]!, slots.generation[slot]!];
    const end = seenEnd({ pid, generation, waitStatus, seenNs: slots.lastNs[slot]! });
    const { seenNs: afterNs } = end;
    const unwatched = Number.isNaN(beforeNs) ? undefined : { afterNs, beforeNs };
    return { ...end, isFound: true, unwatched };
  }

  /**
   * As `foundEnd` of one that was never watched, and may be of the daemon before this one: then it
   * ended before `nowNs` while no daemon looked.
   */
  unwatchedEnd(slot: number, waitStatus: number, nowNs: number): SeenEnd {
    const { slots, table } = this.#observer.tracker;
    const isOfBefore = table.lanes.pauses.isBeforeStart(slots.lastNs[slot]!);
    return this.foundEnd(slot, waitStatus, isOfBefore ? nowNs : Number.NaN);
  }

  /** It beat within a moment of its start alone. */
  isBrief(slot: number): boolean {
    const { clock, tracker } = this.#observer;
    const { generation, lastNs } = tracker.slots;
    const startedNs = this.startedNs(generation[slot]!, clock.lastNs);
    const beatForNs = lastNs[slot]! - startedNs - tracker.table.lanes.pauses.sinceNs(startedNs);
    return beatForNs < BRIEF_LIFE_NS_MAX;
  }

  /** When a process started, in observer time; a tick may be between the two clocks. */
  startedNs(generation: number, nowNs: number): number {
    return nowNs - (this.#nowGeneration() - generation) * GENERATION_NS;
  }
}
