// One watched process as a plain object, and the walk over all of them in slices.
import type { MemberState } from "../agents/agent_state.ts";
import type { Origin } from "../base/origin.ts";
import type { RefusalCount } from "../events/stall.ts";
import type { Observer } from "../observer/observer.ts";
import { GENERATION_NS, nowGeneration } from "../processes/generation.ts";
import { lastBeatNs } from "../tracker/extensions.ts";
import { memberState } from "../tracker/member_state.ts";
import type { SlotTable } from "../tracker/slot_table.ts";
import { type SaidView, saidView } from "./said_view.ts";
import { silenceNs } from "./silence.ts";
import { refusalsOf, sourceOf } from "../tracker/slots.ts";

export interface AgentView {
  /** "" = it is not identified yet. */
  readonly agent: string;
  readonly pid: number;
  /** The tracker's: the pid, unless another source holds that; and which process of that pid. */
  readonly key: number;
  readonly generation: number;
  /** The address from which it beats by plain UDP; "" = kernel or key vouch for it. */
  readonly source: string;
  /** Name of the listener of its last beat. */
  readonly listener: string;
  /** As it said of itself in its last beat: 0..2. */
  readonly status: number;
  /** What the observer concludes of it. */
  readonly state: MemberState;
  readonly origin: Origin;
  /** The process that is watched is known to have sent a beat itself. */
  readonly isProven: boolean;
  /** Accepted ones. */
  readonly beats: number;
  /** Since its process started, or since its first beat where that is not known. */
  readonly ageNs: number;
  /** The unit or container that it runs in; "" = none is known. */
  readonly unit: string;
  /** Observer time of its last accepted beat. */
  readonly lastBeatNs: number;
  /** The threshold that it has asked for; 0 = none. */
  readonly askedNs: number;
  /** Since then, without the time in which it could not be heard. */
  readonly silenceNs: number;
  /** Silent for longer than its threshold, and that was reported. */
  readonly isStalled: boolean;
  readonly thresholdNs: number;
  /** Observer time at which it stalls if no beat comes; NaN = it has stalled. */
  readonly deadlineNs: number;
  /** What it has said of itself beside its beats; null = nothing. */
  readonly said: SaidView | null;
  /** Beats refused since the last accepted one, most first. */
  readonly refused: readonly RefusalCount[];
}

/**
 * A walk over all agents, some at a time, while beats come in between. Removal moves the last row
 * into the hole, so the walk goes from the last row to the first: what moves was seen before.
 * An agent that is there all the time is never left out, and may be seen twice.
 */
export class AgentWalk {
  readonly #observer: Observer;
  /** Rows below this one are still to be seen. */
  #end: number;

  constructor(observer: Observer) {
    this.#observer = observer;
    this.#end = observer.tracker.len;
  }

  /** The next agents, at most `max`; none = the walk is over. */
  next(max: number): AgentView[] {
    const end = Math.min(this.#end, this.#observer.tracker.len);
    this.#end = Math.max(0, end - max);
    const agents: AgentView[] = [];
    for (let slot = end - 1; slot >= this.#end; slot--) agents.push(agentOf(this.#observer, slot));
    return agents;
  }
}

function ageNs({ slots, lanes }: SlotTable, slot: number, nowNs: number): number {
  const processNs = (nowGeneration() - slots.generation[slot]!) * GENERATION_NS;
  const beatingNs = lanes.pauses.awakeNs(nowNs) - slots.firstNs[slot]!;
  return Math.max(0, Number.isNaN(processNs) ? beatingNs : processNs);
}

function unitOf({ facts }: SlotTable, slot: number): string {
  const identity = facts[slot]?.identity;
  if (identity === undefined) return "";
  const { unit, unitUser, container } = identity;
  const own = unit || container;
  return own === "" || unitUser === "" ? own : `${unitUser}:${own}`;
}

function agentOf({ tracker, listeners, clock }: Observer, slot: number): AgentView {
  const { slots, table } = tracker;
  const isStalled = slots.isLatched(slot);
  return {
    agent: table.agents.nameOf(slots.agent[slot]!),
    pid: slots.pid[slot]!,
    key: slots.key[slot]!,
    generation: slots.generation[slot]!,
    source: sourceOf(slots, slot),
    listener: listeners[slots.listener[slot]!]!.name,
    status: slots.status[slot]!,
    state: memberState(table, slot, clock.lastNs),
    origin: slots.origin[slot]! as Origin,
    isProven: slots.isProven(slot),
    beats: slots.beatsTaken[slot]! + slots.beats[slot]!,
    ageNs: ageNs(table, slot, clock.lastNs),
    unit: unitOf(table, slot),
    lastBeatNs: lastBeatNs(table, slot),
    silenceNs: silenceNs(table, slot, clock.lastNs),
    isStalled,
    thresholdNs: table.lanes.thresholdOf(slot),
    askedNs: slots.askedNs[slot]!,
    deadlineNs: isStalled ? Number.NaN : table.lanes.deadlineOf(slot),
    said: saidView(table.said[slot]),
    refused: refusalsOf(slots, slot),
  };
}
