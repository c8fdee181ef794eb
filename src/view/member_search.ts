// Whom somebody means by a name, a pid or "ADDRESS/PID" (spec 16 section 8.1), and in which state
// that is. A name that is not known is refused with the nearest one: nothing is done to a guess.
import { AGENT_STATES, type AgentState, worseState } from "../agents/agent_state.ts";
import type { ExpectedAgents } from "../agents/expected_agents.ts";
import type { MuteTarget } from "../agents/mutes.ts";
import { matchesGlob } from "../base/glob.ts";
import { didYouMean } from "../config/problems/suggestion.ts";
import { memberState } from "../tracker/member_state.ts";
import { sourceOf } from "../tracker/slots.ts";
import type { Tracker } from "../tracker/tracker.ts";

export interface Found {
  /** The agent; "" = the member is not identified yet. */
  readonly name: string;
  /** One process is meant. */
  readonly isMember: boolean;
  /** Of that one; NaN = the agent is meant. */
  readonly pid: number;
  /** Valid until the next turn. */
  readonly slots: number[];
}

export interface Unfound {
  readonly error: "no_such_agent";
  readonly text: string;
  readonly hint?: string | undefined;
}

interface MemberSearchOptions {
  readonly tracker: Tracker;
  readonly expected: Pick<ExpectedAgents, "expectedOf" | "missingOf">;
  readonly nowNs: () => number;
}

const NO_RANKS = new Uint8Array(new ArrayBuffer(0));
const GONE = AGENT_STATES.indexOf("gone");
const STATE_RANKS = Object.fromEntries(
  AGENT_STATES.map((state, rank) => [state, rank]),
) as Readonly<Record<AgentState, number>>;

export class MemberSearch {
  readonly #options: MemberSearchOptions;

  constructor(options: MemberSearchOptions) {
    this.#options = options;
  }

  /** Digits are a pid, also where an agent is called so. */
  find(text: string): Found | Unfound {
    const [, source = "", digits] = /^(?:(.+)\/)?([0-9]{1,10})$/.exec(text) ?? [];
    if (digits !== undefined) return this.#member(text, source, Number(digits));
    const { agents } = this.#options.tracker.table;
    const number = agents.numberOf(text);
    if (number === undefined) return this.#unknown(text);
    const isOf = (slot: number): boolean => this.#slots.agent[slot] === number;
    return { name: text, isMember: false, pid: Number.NaN, slots: this.#slotsWhere(isOf) };
  }

  /** Why a pattern is refused: it matches no agent that is known. */
  unmatched(glob: string): Unfound | undefined {
    for (const name of this.#options.tracker.table.agents.names())
      if (matchesGlob(glob, name)) return undefined;
    return { error: "no_such_agent", text: `no agent's name matches ${JSON.stringify(glob)}` };
  }

  /** The worst state of those that are meant. */
  stateOf(target: MuteTarget): AgentState {
    return this.statesOf([target])[0]!;
  }

  /**
   * The same of each of `targets`: all members are passed once, and beats wait while 100,000 are,
   * so nothing is made for any of them.
   */
  statesOf(targets: readonly MuteTarget[]): AgentState[] {
    const now = this.#options.nowNs();
    const isOfMembers = targets.every(({ kind }) => kind === "member");
    const worst = isOfMembers ? NO_RANKS : this.#worstRanks(now);
    return targets.map((target) =>
      target.kind === "member" ? this.#ofKey(target.key, now) : this.#worstOf(target, worst),
    );
  }

  #ofKey(key: number, nowNs: number): AgentState {
    const { table } = this.#options.tracker;
    const slot = table.slotOf(key);
    return slot < 0 ? "gone" : memberState(table, slot, nowNs);
  }

  /** By the rows of agents, the place of the worst state of their members. */
  #worstRanks(nowNs: number): Uint8Array {
    const { table, len } = this.#options.tracker;
    const { rowCount } = table.agents;
    const { agent } = this.#slots;
    const worst = new Uint8Array(rowCount).fill(GONE);
    for (let slot = 0; slot < len; slot++) {
      const rank = STATE_RANKS[memberState(table, slot, nowNs)];
      const row = agent[slot]! % rowCount;
      if (rank < worst[row]!) worst[row] = rank;
    }
    return worst;
  }

  #worstOf(target: MuteTarget, worstRanks: Uint8Array): AgentState {
    const { tracker, expected } = this.#options;
    const { agents } = tracker.table;
    const names =
      target.kind === "agent"
        ? [target.name]
        : [...agents.names()].filter((name) => isMeant(target, name));
    let worst: AgentState = "gone";
    for (const name of names) {
      const number = agents.numberOf(name);
      if (number === undefined) continue;
      const rank = worstRanks[number % agents.rowCount]!;
      // Without members it is gone, unless its grace runs and they may still come.
      const without = expected.expectedOf(number) > 0 ? "new" : "gone";
      worst = worseState(worst, rank === GONE ? without : AGENT_STATES[rank]!);
      if (expected.missingOf(number) > 0) worst = worseState(worst, "missing");
    }
    return worst;
  }

  #member(text: string, source: string, pid: number): Found | Unfound {
    const { table } = this.#options.tracker;
    const isIt = (slot: number): boolean => {
      const { pid: pids, key } = this.#slots;
      if (pids[slot] !== pid) return false;
      return source === "" ? key[slot] === pid : sourceOf(this.#slots, slot) === source;
    };
    const slots = this.#slotsWhere(isIt);
    const [slot] = slots;
    if (slot === undefined)
      return { error: "no_such_agent", text: `pid ${text} is no member: it has never beaten` };
    const name = table.agents.nameOf(this.#slots.agent[slot]!);
    return { name, isMember: true, pid, slots };
  }

  #unknown(text: string): Unfound {
    const hint = didYouMean(text, this.#options.tracker.table.agents.names());
    return { error: "no_such_agent", text: `no agent is called ${JSON.stringify(text)}`, hint };
  }

  get #slots() {
    return this.#options.tracker.slots;
  }

  #slotsWhere(isWanted: (slot: number) => boolean): number[] {
    const found: number[] = [];
    for (let slot = 0; slot < this.#options.tracker.len; slot++)
      if (isWanted(slot)) found.push(slot);
    return found;
  }
}

function isMeant(target: MuteTarget, name: string): boolean {
  if (target.kind === "glob") return matchesGlob(target.glob, name);
  return target.kind === "all";
}
