// Agents with what their members come to, as `status` has them: made anew when it is asked for, in
// steps with beats in between. A member that is there all the time counts once.
import { AGENT_STATES, type AgentState, worseState } from "../agents/agent_state.ts";
import { AGENT_NEW } from "../agents/agent_table.ts";
import type { ExpectedAgents } from "../agents/expected_agents.ts";
import type { Mute, Mutes } from "../agents/mutes.ts";
import { OUTCOME_LABELS } from "../events/outcome_words.ts";
import type { AgentRows, LastStall } from "../metrics/agent_rows.ts";
import type { Recovery, RecoveryPlace } from "../recovery/recovery.ts";
import { SeenKeys } from "../tables/seen_keys.ts";
import { memberState } from "../tracker/member_state.ts";
import type { Tracker } from "../tracker/tracker.ts";
import type { BeatRates } from "./beat_rates.ts";
import { silenceNs } from "./silence.ts";

/** Members passed in a step: about 50 us. */
const MEMBERS_PER_STEP = 128;

export interface AgentStatus {
  readonly agent: string;
  state: AgentState;
  /** Those that beat; all that are known; all that there should be, 0 = nothing says. */
  beating: number;
  members: number;
  readonly expected: number;
  /** Of the worst member: the one with the most silence for its threshold; NaN = there is none. */
  silenceNs: number;
  thresholdNs: number;
  lateNs: number;
  /** The tracker's key of that member; NaN = there is none. */
  worstKey: number;
  /** The agent is muted, or each of its members is: the mute that ends first. */
  mute: Mute | undefined;
  /** Members that are muted by their pids. */
  mutedMembers: number;
  /** The recovery of a member of it that has begun, the last one of several. */
  recovering: RecoveryPlace | undefined;
  /** Until the last of its members is judged, or it has to have them; NaN = all of that is over. */
  graceLeftNs: number;
  /** Observer time at which it was found missing; NaN = it is not. */
  missingSinceNs: number;
  /** Since the start of the daemon; recoveries that have ended. */
  readonly stalls: number;
  readonly recoveries: number;
  readonly lastStall: LastStall | undefined;
  /** Of the last day, and beats of the last minute; NaN = that is not known. */
  readonly stallsOfDay: number;
  readonly recoveriesOfDay: number;
  readonly beatsPerS: number;
}

interface StatusSources {
  readonly tracker: Tracker;
  readonly expected: ExpectedAgents;
  readonly mutes: Pick<Mutes, "size" | "muteOfName" | "muteOfMember">;
  readonly recovery: Pick<Recovery, "sequenceCount" | "placeOf">;
  /** Undefined = the daemon has no configuration file, and keeps no rows of agents. */
  readonly rows: AgentRows | undefined;
  readonly rates: Pick<BeatRates, "rateOf"> | undefined;
  readonly nowNs: () => number;
}

export class StatusWalk {
  readonly #sources: StatusSources;
  readonly #agents = new Map<number, AgentStatus>();
  readonly #seen: SeenKeys;
  /** Of agents that are not muted as such: how many members are. */
  readonly #muted = new Map<AgentStatus, number>();
  /** Members below this slot are still to be passed. */
  #end: number;

  constructor(sources: StatusSources) {
    this.#sources = sources;
    this.#end = sources.tracker.len;
    this.#seen = new SeenKeys(this.#end);
  }

  /**
   * Passes some members; true if all are passed. From the last slot to the first: removal moves the
   * last row into the hole, so what moves was passed before.
   */
  step(): boolean {
    const end = Math.min(this.#end, this.#sources.tracker.len);
    this.#end = Math.max(0, end - MEMBERS_PER_STEP);
    for (let slot = end - 1; slot >= this.#end; slot--) this.#pass(slot);
    if (this.#end > 0) return false;
    this.#addWithoutMembers();
    return true;
  }

  /** When all members are passed: the worst first, as a page has them. */
  agents(): AgentStatus[] {
    const ranked = [...this.#agents.values()].map((agent) => ({
      agent,
      rank: AGENT_STATES.indexOf(agent.state),
      ratio: Number.isNaN(agent.silenceNs) ? 0 : agent.silenceNs / agent.thresholdNs,
    }));
    return ranked.sort(worstFirst).map(({ agent }) => agent);
  }

  #pass(slot: number): void {
    const { tracker, nowNs } = this.#sources;
    const { slots, table } = tracker;
    const number = slots.agent[slot]!;
    const key = slots.key[slot]!;
    // One that was moved into a hole is met twice.
    if (!this.#seen.add(key)) return;
    // It will be known in a turn or two whose it is.
    if (number === AGENT_NEW) return;
    const agent = this.#agents.get(number) ?? this.#add(number);
    const thresholdNs = table.lanes.thresholdOf(slot);
    const silentNs = silenceNs(table, slot, nowNs());
    agent.members += 1;
    if (slots.isBeating(slot)) agent.beating += 1;
    agent.state = worseState(agent.state, memberState(table, slot, nowNs()));
    const graceNs = slots.graceEndNs[slot]! - table.lanes.pauses.awakeNs(nowNs());
    if (graceNs > 0 && !slots.owesNoBeats(slot))
      agent.graceLeftNs = Math.max(graceNs, agent.graceLeftNs || 0);
    this.#passMute(agent, slot);
    this.#passRecovery(agent, key);
    if (!(silentNs / thresholdNs > agent.silenceNs / agent.thresholdNs) && agent.members > 1)
      return;
    agent.silenceNs = silentNs;
    agent.thresholdNs = thresholdNs;
    agent.lateNs = table.lanes.lateOf(slot);
    agent.worstKey = key;
  }

  /** An agent of which every member is muted is muted, until the first of these mutes ends. */
  #passMute(agent: AgentStatus, slot: number): void {
    const { tracker, mutes, nowNs } = this.#sources;
    if (mutes.size === 0) return;
    const { key, generation } = tracker.slots;
    const before = this.#muted.get(agent) ?? 0;
    const mute = mutes.muteOfMember(key[slot]!, generation[slot]!, nowNs());
    if (mute !== undefined) agent.mutedMembers += 1;
    // It is muted as such.
    if (agent.mute !== undefined && before === 0) return;
    if (mute === undefined || before !== agent.members - 1) {
      agent.mute = undefined;
      this.#muted.delete(agent);
      return;
    }
    this.#muted.set(agent, agent.members);
    if (agent.mute === undefined || mute.untilNs < agent.mute.untilNs) agent.mute = mute;
  }

  #passRecovery(agent: AgentStatus, key: number): void {
    const { recovery } = this.#sources;
    if (recovery.sequenceCount === 0) return;
    const place = recovery.placeOf(key);
    if (place !== undefined && place.recoveryId >= (agent.recovering?.recoveryId ?? 0))
      agent.recovering = place;
  }

  #add(number: number): AgentStatus {
    const { tracker, expected, rows, rates, mutes, nowNs } = this.#sources;
    const agent = tracker.table.agents.nameOf(number);
    const row = rows?.of(number);
    // Those that found no place share a row, whose figures are not theirs alone.
    const own = row?.name === agent ? row : undefined;
    const added: AgentStatus = {
      agent,
      state: "gone",
      beating: 0,
      members: 0,
      expected: expected.expectedOf(number),
      silenceNs: Number.NaN,
      // What its members would have, until the first one comes.
      thresholdNs: expected.thresholdOf(number),
      lateNs: Number.NaN,
      worstKey: Number.NaN,
      mute: mutes.size === 0 ? undefined : mutes.muteOfName(agent, nowNs()),
      mutedMembers: 0,
      recovering: undefined,
      graceLeftNs: Number.NaN,
      missingSinceNs: Number.NaN,
      stalls: own?.stalls.reduce(sum, 0) ?? 0,
      recoveries: own?.recoveries.subarray(OUTCOME_LABELS.length).reduce(sum, 0) ?? 0,
      lastStall: own?.lastStall,
      stallsOfDay: own === undefined ? Number.NaN : (own.stallsOfDay?.count(nowNs()) ?? 0),
      recoveriesOfDay: own === undefined ? Number.NaN : (own.recoveriesOfDay?.count(nowNs()) ?? 0),
      beatsPerS: own === undefined ? Number.NaN : (rates?.rateOf(own) ?? Number.NaN),
    };
    this.#agents.set(number, added);
    return added;
  }

  #addWithoutMembers(): void {
    const { expected, rows, nowNs } = this.#sources;
    for (const number of expected.numbers) {
      const agent = this.#agents.get(number) ?? this.#add(number);
      if (expected.missingOf(number) > 0) {
        agent.state = worseState(agent.state, "missing");
        agent.missingSinceNs = expected.missingSinceNs(number);
      } else if (agent.members === 0) {
        // Its grace runs: it is neither missing nor gone yet.
        agent.state = "new";
        agent.graceLeftNs = expected.graceLeftNs(number, nowNs());
      }
    }
    for (const { number } of rows?.shown() ?? [])
      if (number > AGENT_NEW && !this.#agents.has(number)) this.#add(number);
  }
}

/** What is compared is worked out once for each: there may be thousands. */
interface Ranked {
  readonly agent: AgentStatus;
  readonly rank: number;
  readonly ratio: number;
}

function worstFirst(one: Ranked, other: Ranked): number {
  if (one.rank !== other.rank) return one.rank - other.rank;
  if (one.ratio !== other.ratio) return other.ratio - one.ratio;
  return one.agent.agent < other.agent.agent ? -1 : 1;
}

function sum(total: number, count: number): number {
  return total + count;
}
