// Which end a newcomer excuses (spec 14 section 4.1): a supervisor starts another process for the
// one that ended, and that is no alarm. One newcomer excuses one end, of the same agent, uid and
// unit, or else eight workers would excuse each other's crashes for ever.
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";

/** Start times have ticks of 10 ms, and an end is seen a moment later. */
const START_TOLERANCE_NS = 20 * NS_PER_MS;
/** In a rolling restart the new one may come first. */
const REPLACED_BEFORE_NS = 5 * NS_PER_S;
const NEWCOMERS_KEPT_NS = 60 * NS_PER_S;
const NEWCOMERS_MAX = 4_096;

/** An end that waits for its deadline. Times are of the observer's clock. */
export interface OpenEnd {
  /** What a newcomer must have in common with it: agent, uid and unit. */
  readonly group: string;
  readonly pid: number;
  readonly generation: number;
  readonly startedNs: number;
  /** Not before this it ended. */
  readonly endedNs: number;
  /** When it is judged. */
  readonly dueNs: number;
}

/** A member whose first beat has come. */
export interface Newcomer {
  readonly group: string;
  readonly pid: number;
  readonly startedNs: number;
  readonly beganNs: number;
}

interface Group {
  readonly ends: OpenEnd[];
  readonly newcomers: Newcomer[];
}

export class Replacements {
  readonly #groups = new Map<string, Group>();
  /** Those that have excused no end, the one that came first before the others. */
  readonly #newcomers = new Set<Newcomer>();

  /** Ends that no newcomer has excused and that were not judged. */
  get openCount(): number {
    let count = 0;
    for (const { ends } of this.#groups.values()) count += ends.length;
    return count;
  }

  get newcomerCount(): number {
    return this.#newcomers.size;
  }

  /** A member has ended: the newcomer that excuses it; undefined = it waits for one. */
  ended(end: OpenEnd): Newcomer | undefined {
    // It was a newcomer itself, and excuses nothing any more.
    const itself = this.#groups.get(end.group)?.newcomers.find(({ pid }) => pid === end.pid);
    if (itself !== undefined) this.#forget(itself);
    const group = this.#groupOf(end.group);
    let first: Newcomer | undefined;
    for (const newcomer of group.newcomers)
      if (excuses(newcomer, end) && (first === undefined || newcomer.startedNs < first.startedNs))
        first = newcomer;
    if (first === undefined) group.ends.push(end);
    else this.#forget(first);
    return first;
  }

  /** A member has begun to beat: the end that it excuses, if one waits for it. */
  began(newcomer: Newcomer): OpenEnd | undefined {
    this.maintain(newcomer.beganNs);
    const group = this.#groupOf(newcomer.group);
    let first: OpenEnd | undefined;
    for (const end of group.ends)
      if (excuses(newcomer, end) && (first === undefined || end.dueNs < first.dueNs)) first = end;
    if (first !== undefined) {
      this.closed(first);
      return first;
    }
    group.newcomers.push(newcomer);
    this.#newcomers.add(newcomer);
    return undefined;
  }

  /** The end was judged, or its member is not known any more. */
  closed(end: OpenEnd): void {
    const group = this.#groups.get(end.group);
    if (group === undefined) return;
    const index = group.ends.indexOf(end);
    if (index >= 0) group.ends.splice(index, 1);
    this.#dropIfEmpty(end.group, group);
  }

  /** Forgets the newcomers that came too long ago to excuse any end, and those beyond the bound. */
  maintain(nowNs: number): void {
    for (const newcomer of this.#newcomers) {
      const isKept = nowNs - newcomer.beganNs <= NEWCOMERS_KEPT_NS;
      if (isKept && this.#newcomers.size < NEWCOMERS_MAX) return;
      this.#forget(newcomer);
    }
  }

  #groupOf(name: string): Group {
    const found = this.#groups.get(name);
    if (found !== undefined) return found;
    const made: Group = { ends: [], newcomers: [] };
    this.#groups.set(name, made);
    return made;
  }

  #forget(newcomer: Newcomer): void {
    this.#newcomers.delete(newcomer);
    const group = this.#groups.get(newcomer.group)!;
    group.newcomers.splice(group.newcomers.indexOf(newcomer), 1);
    this.#dropIfEmpty(newcomer.group, group);
  }

  #dropIfEmpty(name: string, { ends, newcomers }: Group): void {
    if (ends.length === 0 && newcomers.length === 0) this.#groups.delete(name);
  }
}

function excuses(newcomer: Newcomer, end: OpenEnd): boolean {
  const { startedNs } = newcomer;
  // Of several that were started together none excuses another, also not one whose end is known
  // only as some time after its last beat.
  const aheadNs = startedNs - end.startedNs;
  if (aheadNs <= START_TOLERANCE_NS) return false;
  if (startedNs >= end.endedNs - START_TOLERANCE_NS) return true;
  return startedNs >= end.endedNs - REPLACED_BEFORE_NS && aheadNs > REPLACED_BEFORE_NS;
}
