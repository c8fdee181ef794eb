// Who takes the place of a member that is being recovered and whose process has ended (spec 10
// section 3.3): another member of its agent, uid and unit, which started after the last beat of the
// one that is gone. One newcomer takes one place.
import type { Sequence } from "./sequence.ts";

/** A member whose first beat has come. */
export interface Newcomer {
  /** Number of its agent. */
  readonly agent: number;
  readonly uid: number;
  /** The unit that it runs in; "" = none, or that is not known. */
  readonly unit: string;
  readonly pid: number;
  /** When its process started, in observer time. */
  readonly startedNs: number;
}

/** The oldest recovery in progress of whose member the newcomer may take the place. */
export function placeOf(newcomer: Newcomer, sequences: Iterable<Sequence>): Sequence | undefined {
  for (const sequence of sequences) if (mayTakePlace(newcomer, sequence)) return sequence;
  return undefined;
}

function mayTakePlace(newcomer: Newcomer, { stall, unit, successorPid, hasBegun }: Sequence) {
  const { agent, uid, startedNs } = newcomer;
  if (stall.agent !== agent || stall.uid !== uid || stall.pid === newcomer.pid) return false;
  const isFree = hasBegun && Number.isNaN(successorPid);
  const isOfUnit = unit === undefined || unit.name === newcomer.unit;
  return isFree && isOfUnit && startedNs > stall.lastNs;
}
