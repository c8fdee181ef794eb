// Back-off and budget of one agent or member (spec 10 section 3): what is remembered of its
// recoveries, and the pauses that follow from it.
import { saturatingSub } from "../base/saturating.ts";
import type { PaceRecord } from "../snapshot/records.ts";

export interface HistorySettings {
  readonly debounceNs: number;
  readonly backoffMaxNs: number | undefined;
  readonly backoffResetNs: number;
  readonly budget: number | undefined;
  readonly budgetWindowNs: number;
}

/** What the pace is counted by: the tracker's key of a member, or a name of its agent or unit. */
export type PaceKey = number | string;

export interface Fired {
  generation: number;
  firedNs: number;
}

export interface Pace extends Fired {
  /** Those of the plan that was last asked for. */
  settings: HistorySettings;
  /** Recoveries since the agent was last healthy for long enough. */
  level: number;
  /** When it last began to beat again after `firedNs`; NaN = as far as is known, it did not. */
  resumedNs: number;
  /** Starts within the budget window, oldest first. */
  starts: number[];
  isGivenUp: boolean;
}

export function isPaced({ backoffMaxNs, budget }: HistorySettings): boolean {
  return backoffMaxNs !== undefined || budget !== undefined;
}

export function newPace(settings: HistorySettings): Pace {
  const empty = { generation: NaN, level: 0, firedNs: NaN, resumedNs: NaN };
  return { ...empty, settings, starts: [], isGivenUp: false };
}

/** Until when after its last recovery an agent waits for the next. */
export function pauseNs({
  level,
  settings: { debounceNs, backoffMaxNs },
}: Pick<Pace, "level" | "settings">): number {
  if (level === 0 || backoffMaxNs === undefined) return 0;
  // 2^60 debounces are beyond every maximum: no power of two overflows.
  return Math.min(debounceNs * 2 ** Math.min(level - 1, 60), backoffMaxNs);
}

/**
 * How long the agent beat without a stall since its last recovery. A named one comes back as
 * another process, whose first beat is not known here: it counts from the recovery itself.
 */
export function healthyNs(pace: Pace, key: PaceKey, lastBeatNs: number): number {
  const isNamed = typeof key === "string";
  const sinceNs = Number.isNaN(pace.resumedNs) && isNamed ? pace.firedNs : pace.resumedNs;
  return Number.isNaN(sinceNs) ? 0 : saturatingSub(lastBeatNs, sinceNs);
}

export function recordOfPace(key: PaceKey, pace: Pace): PaceRecord {
  const { settings: _, ...values } = pace;
  const isNamed = typeof key === "string";
  return { ...values, name: isNamed ? key : "", key: isNamed ? 0 : key };
}

export function paceOfRecord(record: PaceRecord, settings: HistorySettings): [PaceKey, Pace] {
  const { name, key, starts, ...values } = record;
  return [name === "" ? key : name, { ...values, settings, starts: [...starts] }];
}
