// What recovery did to which agent, as far as it decides what it may do next (spec 10 section 3,
// checks 3, 4 and 8 and the pace): the debounce window of each process, and the back-off and the
// budget of each agent. An entry whose time is over decides nothing any more, so it may be dropped
// at any time, and one within its time never. The state and the journal keep it for the daemon that
// comes after this one.
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_S } from "../base/time.ts";
import { sameLineage } from "../processes/generation.ts";
import type { PaceRecord, WindowRecord } from "../snapshot/records.ts";
import { RECOVERY, type RecoveryCounters } from "./counters.ts";
import type { NotedRecovery } from "./fired_notes.ts";
import {
  type Fired,
  healthyNs,
  type HistorySettings,
  isPaced,
  newPace,
  type Pace,
  type PaceKey,
  paceOfRecord,
  pauseNs,
  recordOfPace,
} from "./pace.ts";

/** How many members there may be: what is kept for each of them follows it. */
export interface Room {
  readonly capacity: number;
}

/** No window is open for this process. */
export const WINDOW_CLEAR = 0;
/** It was recovered within the debounce. */
export const WINDOW_OPEN = 1;
/** A window was open for an earlier process of this pid; it is forgotten. */
export const WINDOW_RECYCLED = 2;

export const PACE_CLEAR = 0;
/** The pause since the last recovery is not over. */
export const PACE_BACKING_OFF = 1;
/** The budget of the window is used up. */
export const PACE_GAVE_UP = 2;
/** No room to remember one more agent. */
export const PACE_FULL = 3;

/** A window this many debounces old is dropped; it passed long ago. */
const PRUNE_DEBOUNCES = 10;
/** Dropped by one decision, which adds at most one: a table shrinks, and no decision is slow. */
const PRUNED_MAX = 16;
/** Between two counts of those still given up: no gauge is read more often. */
const LOOK_NS = NS_PER_S;

export class History {
  readonly #counters: RecoveryCounters;
  readonly #room: Room;
  #settings: HistorySettings;
  /**
   * Debounce windows by the tracker's key, with the generation beside it: a reused pid does not
   * inherit the window of the process before it. In the order of firing, the oldest first.
   */
  readonly #windows = new Map<number, Fired>();
  #youngestNs = -Infinity;
  /** No window was opened before then. */
  #oldestNs = -Infinity;
  /** Empty unless a back-off or a budget is set. In the order of the last recovery. */
  readonly #paces = new Map<PaceKey, Pace>();
  readonly #givenUp = new Set<Pace>();
  #nextLookNs = 0;
  /** Whatever the next daemon has to know of has changed so often. */
  changes = 0;

  /**
   * At most as many processes as `room` says, and as many agents, are remembered. `settings` say
   * for how long: those of the plan if there is one, else the longest of each kind. A plan gives
   * its own below.
   */
  constructor(room: Room, settings: HistorySettings, counters: RecoveryCounters) {
    this.#counters = counters;
    this.#room = room;
    this.#settings = settings;
  }

  /**
   * Holds what the daemon before this one noted, the oldest first, beyond what its state of
   * `stateNs` has: windows, and recoveries that count for back-off and budget.
   */
  hold(noted: readonly NotedRecovery[], stateNs: number, nowNs: number): void {
    // The journal may come by a reload: the last recovery of a process is the one that counts.
    for (const { key, generation, firedNs, isSameBoot } of noted) {
      if (!isSameBoot || firedNs < (this.#windows.get(key)?.firedNs ?? -Infinity)) continue;
      if (this.#makeRoom(key, nowNs, 0)) this.#setWindow(key, generation, firedNs);
    }
    this.#sortWindows();
    for (const [key, starts] of Map.groupBy(noted, ({ paceKey }) => paceKey)) {
      if (key === undefined) continue;
      const after = starts.filter((one) => one.isAfterState && (one.isSameBoot || isName(key)));
      for (const { generation, firedNs } of after.slice(this.#countedSince(key, stateNs)))
        this.#count(key, generation, firedNs, this.#settings);
    }
  }

  /** Recoveries since then that a state has. It was written while more of them began. */
  #countedSince(key: PaceKey, stateNs: number): number {
    const pace = this.#paces.get(key);
    if (pace === undefined) return 0;
    const isLastKnown = pace.firedNs >= stateNs;
    return Math.max(Number(isLastKnown), pace.starts.filter((ns) => ns >= stateNs).length);
  }

  /** What the next daemon has to know. */
  *windowRecords(): Iterable<WindowRecord> {
    for (const [key, window] of this.#windows) yield { key, ...window };
  }

  *paceRecords(): Iterable<PaceRecord> {
    for (const [key, pace] of this.#paces) yield recordOfPace(key, pace);
  }

  /** What the daemon before this one knew, in times of this one, as far as there is room. */
  restore(windows: readonly WindowRecord[], paces: readonly PaceRecord[], nowNs: number): void {
    for (const { key, generation, firedNs } of windows)
      if (this.#makeRoom(key, nowNs, 0)) this.#setWindow(key, generation, firedNs);
    this.#sortWindows();
    // Their order is that of their last recoveries.
    for (const record of paces) {
      if (this.#paces.size >= this.#room.capacity) return;
      const [key, pace] = paceOfRecord(record, this.#settings);
      this.#paces.set(key, pace);
      this.#giveUp(pace, pace.isGivenUp);
    }
  }

  /** What is remembered has to last as long as other plans ask for it. */
  change(settings: HistorySettings): void {
    this.#settings = settings;
  }

  get windowCount(): number {
    return this.#windows.size;
  }

  get paceCount(): number {
    return this.#paces.size;
  }

  /** Whether the process of `key` was recovered within the debounce: a WINDOW_* code. */
  checkWindow(
    key: number,
    generation: number,
    nowNs: number,
    debounceNs = this.#settings.debounceNs,
  ): number {
    const code = this.lookAtWindow(key, generation, nowNs, debounceNs);
    const window = this.#windows.get(key);
    if (window !== undefined && !sameLineage(window.generation, generation))
      this.#windows.delete(key);
    return code;
  }

  /** The same, for who only asks: nothing is changed by it. */
  lookAtWindow(key: number, generation: number, nowNs: number, debounceNs: number): number {
    const window = this.#windows.get(key);
    if (window === undefined || !this.#isOpen(window, nowNs, debounceNs)) return WINDOW_CLEAR;
    return sameLineage(window.generation, generation) ? WINDOW_OPEN : WINDOW_RECYCLED;
  }

  /** Drops windows that have long passed, the oldest first, a few at a time. */
  prune(nowNs: number): void {
    const ageNs = PRUNE_DEBOUNCES * this.#settings.debounceNs;
    // A map that was written often is slow to say which of its entries is the oldest.
    if (saturatingSub(nowNs, this.#oldestNs) <= ageNs) return;
    let dropped = 0;
    for (const [key, { firedNs }] of this.#windows) {
      this.#oldestNs = firedNs;
      if (dropped++ >= PRUNED_MAX) return;
      if (saturatingSub(nowNs, firedNs) <= ageNs) return;
      this.#windows.delete(key);
    }
    this.#oldestNs = nowNs;
  }

  /**
   * Makes sure that `began()` has room: an entry of the key, a free place, or that of the oldest
   * window if it has passed. False if there is none.
   */
  makeRoom(key: number, nowNs: number): boolean {
    return this.#makeRoom(key, nowNs, this.#settings.debounceNs);
  }

  /** A recovery is in progress no more: the next daemon is not to decide it again. */
  over(): void {
    this.changes += 1;
  }

  /** A recovery has begun. */
  began(
    key: number,
    paceKey: PaceKey,
    generation: number,
    nowNs: number,
    settings = this.#settings,
  ): void {
    this.changes += 1;
    this.#openWindow(key, generation, nowNs);
    this.#count(paceKey, generation, nowNs, settings);
  }

  #count(paceKey: PaceKey, generation: number, nowNs: number, settings: HistorySettings): void {
    if (!isPaced(settings)) return;
    const pace = this.#paces.get(paceKey) ?? newPace(settings);
    pace.settings = settings;
    pace.generation = generation;
    pace.level += 1;
    pace.firedNs = nowNs;
    pace.resumedNs = NaN;
    if (settings.budget !== undefined) pace.starts.push(nowNs);
    this.#paces.delete(paceKey);
    this.#paces.set(paceKey, pace);
  }

  /**
   * Whether back-off and budget allow one more: a PACE_* code. `lastBeatNs` is that before the
   * stall.
   */
  checkPace(
    key: PaceKey,
    generation: number,
    lastBeatNs: number,
    nowNs: number,
    settings = this.#settings,
  ): number {
    if (!isPaced(settings)) return PACE_CLEAR;
    this.#prunePaces(nowNs);
    const pace = this.#paceOf(key, generation);
    if (pace === undefined) return this.#paces.size < this.#room.capacity ? PACE_CLEAR : PACE_FULL;
    pace.settings = settings;
    if (healthyNs(pace, key, lastBeatNs) >= settings.backoffResetNs) pace.level = 0;
    this.#forgetStarts(pace, nowNs);
    const code = this.lookAtPace(key, generation, lastBeatNs, nowNs, settings);
    this.#giveUp(pace, code === PACE_GAVE_UP);
    return code;
  }

  /** The same, for who only asks: that an agent is given up is news still. */
  lookAtPace(
    key: PaceKey,
    generation: number,
    lastBeatNs: number,
    nowNs: number,
    settings: HistorySettings,
  ): number {
    if (!isPaced(settings)) return PACE_CLEAR;
    const pace = this.#paces.get(key);
    if (
      pace === undefined ||
      (typeof key === "number" && !sameLineage(pace.generation, generation))
    )
      return pace !== undefined || this.#paces.size < this.#room.capacity ? PACE_CLEAR : PACE_FULL;
    const { backoffResetNs, budget = Infinity } = settings;
    if (this.usedOf(key, nowNs, settings.budgetWindowNs) >= budget) return PACE_GAVE_UP;
    const isHealthy = healthyNs(pace, key, lastBeatNs) >= backoffResetNs;
    const pause = pauseNs({ level: isHealthy ? 0 : pace.level, settings });
    return this.#isOpen(pace, nowNs, pause) ? PACE_BACKING_OFF : PACE_CLEAR;
  }

  /**
   * True if `checkPace()` has said before that this agent is given up, and nothing changed since.
   */
  isGivenUp(key: PaceKey): boolean {
    return this.#paces.get(key)?.isGivenUp ?? false;
  }

  /** Recoveries of the agent within the window of its budget. */
  usedOf(key: PaceKey, nowNs: number, budgetWindowNs: number): number {
    const { starts } = this.#paces.get(key) ?? { starts: [] };
    return starts.filter((startNs) => nowNs - startNs < budgetWindowNs).length;
  }

  /** Agents whose budget is used up. */
  get givenUpCount(): number {
    return this.#givenUp.size;
  }

  /**
   * The agent beats again: from now on it may prove healthy. One that comes and goes never does.
   */
  resumed(key: PaceKey, generation: number, nowNs: number): void {
    const pace = this.#paceOf(key, generation);
    if (pace === undefined) return;
    pace.resumedNs = nowNs;
    this.changes += 1;
  }

  /** When `checkPace()` may be clear for this agent, if it stays silent. */
  nextNs(key: PaceKey): number {
    const pace = this.#paces.get(key);
    if (pace === undefined) return -Infinity;
    const { budget, budgetWindowNs } = pace.settings;
    const excess = pace.starts.length - (budget ?? Infinity);
    const budgetNs = excess < 0 ? -Infinity : pace.starts[excess]! + budgetWindowNs;
    return Math.max(pace.firedNs + pauseNs(pace), budgetNs);
  }

  /** Given-up agents whose window has room again are no longer given up. Looks once a second. */
  maintain(nowNs: number): void {
    if (nowNs < this.nextLookNs()) return;
    this.#nextLookNs = nowNs + LOOK_NS;
    for (const pace of this.#givenUp) {
      this.#forgetStarts(pace, nowNs);
      this.#giveUp(pace, pace.starts.length >= (pace.settings.budget ?? Infinity));
    }
  }

  /** When `maintain()` has something to do; Infinity = no agent is given up. */
  nextLookNs(): number {
    return this.#givenUp.size === 0 ? Infinity : this.#nextLookNs;
  }

  #isOpen({ firedNs }: Fired, nowNs: number, lengthNs: number): boolean {
    return saturatingSub(nowNs, firedNs) < lengthNs;
  }

  #makeRoom(key: number, nowNs: number, debounceNs: number): boolean {
    if (this.#windows.has(key) || this.#windows.size < this.#room.capacity) return true;
    const [oldest] = this.#windows;
    if (oldest === undefined || this.#isOpen(oldest[1], nowNs, debounceNs)) return false;
    this.#windows.delete(oldest[0]);
    this.#counters.add(RECOVERY.lastFiredEvictions);
    return true;
  }

  #openWindow(key: number, generation: number, firedNs: number): void {
    const isInOrder = firedNs >= this.#youngestNs;
    this.#setWindow(key, generation, firedNs);
    if (!isInOrder) this.#sortWindows();
  }

  #setWindow(key: number, generation: number, firedNs: number): void {
    this.#windows.delete(key);
    this.#windows.set(key, { generation, firedNs });
    if (firedNs < this.#oldestNs) this.#oldestNs = firedNs;
    if (firedNs > this.#youngestNs) this.#youngestNs = firedNs;
  }

  /** Only a clock that went back, or a journal, brings a window out of order. */
  #sortWindows(): void {
    const inOrder = [...this.#windows].sort(([, a], [, b]) => a.firedNs - b.firedNs);
    this.#windows.clear();
    for (const [key, window] of inOrder) this.#windows.set(key, window);
  }

  #paceOf(key: PaceKey, generation: number): Pace | undefined {
    const pace = this.#paces.get(key);
    // Agents and units outlive their processes.
    if (pace === undefined || typeof key === "string") return pace;
    if (sameLineage(pace.generation, generation)) return pace;
    this.#dropPace(key, pace);
    return undefined;
  }

  #forgetStarts({ starts, settings: { budgetWindowNs } }: Pace, nowNs: number): void {
    while (starts.length > 0 && nowNs - starts[0]! >= budgetWindowNs) starts.shift();
  }

  #prunePaces(nowNs: number): void {
    const { backoffMaxNs, backoffResetNs, budget, budgetWindowNs } = this.#settings;
    const backoffNs = backoffMaxNs === undefined ? 0 : backoffMaxNs + backoffResetNs;
    const ageNs = Math.max(backoffNs, budget === undefined ? 0 : budgetWindowNs);
    let looks = 0;
    for (const [key, pace] of this.#paces) {
      if (looks++ >= PRUNED_MAX || nowNs - pace.firedNs < ageNs) return;
      this.#dropPace(key, pace);
    }
  }

  #dropPace(key: PaceKey, pace: Pace): void {
    this.#giveUp(pace, false);
    this.#paces.delete(key);
  }

  #giveUp(pace: Pace, isGivenUp: boolean): void {
    if (pace.isGivenUp !== isGivenUp) this.changes += 1;
    pace.isGivenUp = isGivenUp;
    if (isGivenUp) this.#givenUp.add(pace);
    else this.#givenUp.delete(pace);
  }
}

function isName(key: PaceKey): boolean {
  return typeof key === "string";
}
