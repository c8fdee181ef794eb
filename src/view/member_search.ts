// Whom somebody means by a name, a pid or "ADDRESS/PID" (spec 16 section 8.1), and in which state
// that is. A name that is not known is refused with the nearest one: nothing is done to a guess.
import { AGENT_STATES, type AgentState, worseState } from "../agents/agent_state.ts";
import type { ExpectedAgents } from "../agents/expected_agents.ts";
import type { MuteTarget } from "../agents/mutes.ts";
import { matchesGlob } from "../base/glob.ts";
import { didYouMean } from "../config/problems/suggestion.ts";
import { memberState, worstStates } from "../tracker/member_state.ts";
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
    return { name: text, isMember: false, pid: Number.NaN, slots: this.#slotsOf(number) };
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
    const worst = isOfMembers ? NO_RANKS : worstStates(this.#options.tracker.table, now);
    return targets.map((target) =>
      target.kind === "member" ? this.#ofKey(target.key, now) : this.#worstOf(target, worst),
    );
  }

  #ofKey(key: number, nowNs: number): AgentState {
    const { table } = this.#options.tracker;
    const slot = table.slotOf(key);
    return slot < 0 ? "gone" : memberState(table, slot, nowNs);
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
    const slots = source === "" ? this.#slotsOfPid(pid) : this.#slotsFrom(source, pid);
    const [slot] = slots;
    if (slot === undefined && source === "")
      return { error: "no_such_agent", text: `pid ${text} is no member: it has never beaten` };
    // Of those of other machines nobody keeps which there were.
    if (slot === undefined)
      return { error: "no_such_agent", text: `${text} is no member: it is gone, or never was one` };
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

  // All members are passed between two beats: nothing is called for each of them.
  #slotsOf(number: number): number[] {
    const { len } = this.#options.tracker;
    const { agent } = this.#slots;
    const found: number[] = [];
    for (let slot = 0; slot < len; slot++) if (agent[slot] === number) found.push(slot);
    return found;
  }

  #slotsFrom(source: string, pid: number): number[] {
    const { len } = this.#options.tracker;
    const { pid: pids } = this.#slots;
    const found: number[] = [];
    for (let slot = 0; slot < len; slot++)
      if (pids[slot] === pid && sourceOf(this.#slots, slot) === source) found.push(slot);
    return found;
  }

  /** The one whose key is its pid. */
  #slotsOfPid(pid: number): number[] {
    const slot = this.#options.tracker.slotOf(pid);
    return slot >= 0 && this.#slots.pid[slot] === pid ? [slot] : [];
  }
}

function isMeant(target: MuteTarget, name: string): boolean {
  if (target.kind === "glob") return matchesGlob(target.glob, name);
  return target.kind === "all";
}
