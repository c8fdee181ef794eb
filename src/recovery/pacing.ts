// The pace of recoveries of one agent beyond the debounce (spec 10 section 3): a pause that doubles with every recovery
// until the agent was healthy for a while, and a budget per window, after which the daemon gives up on it and says so.
// Keyed by pid with the generation beside it, or by unit, which outlives restarts. Consulted only if one of both is set.
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_S } from "../base/time.ts";
import { sameLineage } from "./decision.ts";

/** A pid, or the name of a unit. */
export type PaceKey = number | string;

export const PACE_CLEAR = 0;
/** The pause since the last recovery is not over. */
export const PACE_BACKING_OFF = 1;
/** The budget of the window is used up. */
export const PACE_GAVE_UP = 2;
/** No room to remember one more agent. */
export const PACE_FULL = 3;

export interface PacingSettings {
  readonly debounceNs: number;
  readonly backoffMaxNs: number | undefined;
  readonly backoffResetNs: number;
  readonly budget: number | undefined;
  readonly budgetWindowNs: number;
}

interface Entry {
  generation: number;
  /** Recoveries since the agent was last healthy for long enough. */
  level: number;
  firedNs: number;
  /** When it last began to beat again after `firedNs`; NaN = not that we know. */
  resumedNs: number;
  /** Starts within the budget window, oldest first. */
  starts: number[];
  isGivenUp: boolean;
}

/** Entries dropped by one look-up: the table shrinks, and no decision is slow. */
const PRUNED_MAX = 16;
/** Between two looks at who is still given up: nobody reads a gauge more often. */
const LOOK_NS = NS_PER_S;

export class Pacing {
  readonly #capacity: number;
  /** In the order of their last recovery, the oldest first. */
  readonly #entries = new Map<PaceKey, Entry>();
  #settings: PacingSettings | undefined = undefined;
  readonly #givenUp = new Set<Entry>();
  #nextLookNs = 0;

  /** At most `capacity` agents are remembered. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  configure(settings: PacingSettings): void {
    const isOn = settings.backoffMaxNs !== undefined || settings.budget !== undefined;
    this.#settings = isOn ? settings : undefined;
    if (isOn) return;
    this.#entries.clear();
    this.#givenUp.clear();
  }

  /** Agents whose budget is used up. */
  get givenUpCount(): number {
    return this.#givenUp.size;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether a recovery may begin: a PACE_* code. `lastBeatNs` is the last beat before the stall. */
  check(key: PaceKey, generation: number, lastBeatNs: number, nowNs: number): number {
    if (this.#settings === undefined) return PACE_CLEAR;
    this.#prune(nowNs);
    const entry = this.#entryOf(key, generation);
    if (entry === undefined) return this.#entries.size < this.#capacity ? PACE_CLEAR : PACE_FULL;
    const { backoffResetNs, budget } = this.#settings;
    if (healthyNs(entry, key, lastBeatNs) >= backoffResetNs) entry.level = 0;
    this.#forgetStarts(entry, nowNs);
    if (entry.starts.length >= (budget ?? Infinity)) {
      this.#giveUp(entry, true);
      return PACE_GAVE_UP;
    }
    this.#giveUp(entry, false);
    const open = saturatingSub(nowNs, entry.firedNs) < this.#pauseNs(entry.level);
    return open ? PACE_BACKING_OFF : PACE_CLEAR;
  }

  /** True if `check()` has said before that this agent is given up, and nothing has changed that since. */
  isGivenUp(key: PaceKey): boolean {
    return this.#entries.get(key)?.isGivenUp ?? false;
  }

  /** A recovery has begun. */
  fired(key: PaceKey, generation: number, nowNs: number): void {
    if (this.#settings === undefined) return;
    const entry = this.#entries.get(key) ?? newEntry();
    entry.generation = generation;
    entry.level += 1;
    entry.firedNs = nowNs;
    entry.resumedNs = NaN;
    if (this.#settings.budget !== undefined) entry.starts.push(nowNs);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  /** The agent beats again: from now on it may prove healthy. An agent that comes and goes never does. */
  resumed(key: PaceKey, generation: number, nowNs: number): void {
    const entry = this.#entryOf(key, generation);
    if (entry !== undefined) entry.resumedNs = nowNs;
  }

  /** When `check()` may be clear for this agent, if it stays silent. */
  nextNs(key: PaceKey): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#settings === undefined) return -Infinity;
    const pauseEndNs = entry.firedNs + this.#pauseNs(entry.level);
    return Math.max(pauseEndNs, this.#budgetNs(entry));
  }

  /** Given-up agents whose window has room again are no longer given up. Looks at most once a second. */
  maintain(nowNs: number): void {
    if (this.#settings === undefined || nowNs < this.nextLookNs()) return;
    this.#nextLookNs = nowNs + LOOK_NS;
    for (const entry of this.#givenUp) {
      this.#forgetStarts(entry, nowNs);
      if (entry.starts.length < (this.#settings.budget ?? Infinity)) this.#giveUp(entry, false);
    }
  }

  /** When `maintain()` has something to look at; Infinity = nobody is given up. */
  nextLookNs(): number {
    return this.#givenUp.size === 0 ? Infinity : this.#nextLookNs;
  }

  #entryOf(key: PaceKey, generation: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || typeof key === "string") return entry;
    if (sameLineage(entry.generation, generation)) return entry;
    this.#drop(key, entry);
    return undefined;
  }

  #pauseNs(level: number): number {
    const { debounceNs, backoffMaxNs } = this.#settings!;
    if (level === 0 || backoffMaxNs === undefined) return 0;
    // 2^60 debounces are beyond every maximum: no power of ours overflows.
    return Math.min(debounceNs * 2 ** Math.min(level - 1, 60), backoffMaxNs);
  }

  /** When the budget has room again. */
  #budgetNs(entry: Entry): number {
    const { budget, budgetWindowNs } = this.#settings!;
    const excess = entry.starts.length - (budget ?? Infinity);
    return excess < 0 ? -Infinity : entry.starts[excess]! + budgetWindowNs;
  }

  #forgetStarts(entry: Entry, nowNs: number): void {
    const { budgetWindowNs } = this.#settings!;
    while (entry.starts.length > 0 && nowNs - entry.starts[0]! >= budgetWindowNs) {
      entry.starts.shift();
    }
  }

  #prune(nowNs: number): void {
    const { backoffMaxNs, backoffResetNs, budget, budgetWindowNs } = this.#settings!;
    const backoffNs = backoffMaxNs === undefined ? 0 : backoffMaxNs + backoffResetNs;
    const ageNs = Math.max(backoffNs, budget === undefined ? 0 : budgetWindowNs);
    let looks = 0;
    for (const [key, entry] of this.#entries) {
      if (looks++ >= PRUNED_MAX || nowNs - entry.firedNs < ageNs) return;
      this.#drop(key, entry);
    }
  }

  #drop(key: PaceKey, entry: Entry): void {
    this.#giveUp(entry, false);
    this.#entries.delete(key);
  }

  #giveUp(entry: Entry, isGivenUp: boolean): void {
    if (entry.isGivenUp === isGivenUp) return;
    entry.isGivenUp = isGivenUp;
    if (isGivenUp) this.#givenUp.add(entry);
    else this.#givenUp.delete(entry);
  }
}

function newEntry(): Entry {
  return { generation: NaN, level: 0, firedNs: NaN, resumedNs: NaN, starts: [], isGivenUp: false };
}

/**
 * How long the agent beat without a stall since its last recovery. A unit comes back as another process, which nobody told us of: it
 * counts from the recovery itself.
 */
function healthyNs(entry: Entry, key: PaceKey, lastBeatNs: number): number {
  const sinceNs =
    Number.isNaN(entry.resumedNs) && typeof key === "string" ? entry.firedNs : entry.resumedNs;
  return Number.isNaN(sinceNs) ? 0 : saturatingSub(lastBeatNs, sinceNs);
}
