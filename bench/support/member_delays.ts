// What the probes in the daemon have counted of members (probed_members.ts).
import { Delays, probedBy } from "./delays.ts";
import type { DaemonUnderTest } from "./receivers.ts";

type Counts = readonly (readonly [us: number, count: number])[];

/** As the probe writes it, in microseconds. */
export interface MembersProbed {
  readonly beats: Counts;
  readonly firstBeats: Counts;
  /** For each stall, from its deadline until it was reported. */
  readonly stalls: readonly number[];
  /** When all new members had a name, on the monotonic clock; 0 = not yet. */
  readonly namedUs: number;
}

export interface MemberDelays {
  readonly beats: Delays;
  readonly firstBeats: Delays;
  readonly stalls: Delays;
  readonly stallCount: number;
  readonly namedUs: number;
}

/** Since the last call. */
export async function memberDelaysOf(daemon: DaemonUnderTest): Promise<MemberDelays> {
  const { beats, firstBeats, stalls, namedUs } = (await probedBy(daemon)) as MembersProbed;
  const sorted = stalls.toSorted((a, b) => a - b);
  return {
    beats: new Delays(beats),
    firstBeats: new Delays(firstBeats),
    stalls: new Delays(sorted.map((us) => [us, 1] as const)),
    stallCount: stalls.length,
    namedUs,
  };
}
