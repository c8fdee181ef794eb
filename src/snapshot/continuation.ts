// Whether a state is of the world that this daemon lives in, and what its times are now (spec 18
// section 5). Pids, start times and monotonic times are worth something only within one boot, one
// time namespace and one pid namespace. A clock that is behind what was stored is not the same
// clock, whatever the boot id says: a time namespace or a restored machine.
import { saturatingSub } from "../base/saturating.ts";
import { nsFromMs } from "../base/time.ts";
import { NS_MAX } from "./fields.ts";
import type { Moment } from "./records.ts";

/** Where a daemon is, and one moment on its four clocks. */
export type Here = Omit<Moment, "version" | "isFinal">;

/** Why nothing of this machine's processes can be taken over. */
export type OtherBoot = "unknown" | "boot" | "time_namespace" | "pid_namespace" | "clock_ahead";

export interface Continuation {
  /** "" = the same boot. */
  readonly otherBoot: OtherBoot | "";
  /** Between the moment of the state and now. */
  readonly elapsedNs: number;
  /** When something was, as an observer time of this daemon: never later than now. */
  past(storedNs: number): number;
  /** The same of many. */
  pasts(storedNs: Float64Array): Float64Array;
  /** When something ends, at most `aheadNsMax` from now. */
  end(storedNs: number, aheadNsMax: number): number;
}

/** `isBoottime`: the observer's clock goes on while the machine sleeps. */
export function continuationOf(moment: Moment, here: Here, isBoottime: boolean): Continuation {
  const otherBoot = otherBootOf(moment, here);
  const clock = isBoottime ? "boottimeNs" : "monotonicNs";
  const elapsedNs =
    otherBoot === ""
      ? here[clock] - moment[clock]
      : saturatingSub(nsFromMs(here.unixMs), nsFromMs(moment.unixMs));
  // Of other daemons' times only the distance to their moment means anything.
  const shifted = (storedNs: number): number =>
    writable(here.observerNs - elapsedNs + (storedNs - moment.observerNs));
  return {
    otherBoot,
    elapsedNs,
    past: (storedNs) =>
      Number.isNaN(storedNs) ? storedNs : shifted(Math.min(storedNs, moment.observerNs)),
    pasts: (storedNs) => pasts(storedNs, moment.observerNs, here.observerNs - elapsedNs),
    end: (storedNs, aheadNsMax) => Math.min(shifted(storedNs), here.observerNs + aheadNsMax),
  };
}

/** As `past` of each, in one loop. */
function pasts(storedNs: Float64Array, momentNs: number, momentNowNs: number): Float64Array {
  const { length } = storedNs;
  const pastNs = new Float64Array(length);
  for (let at = 0; at < length; at++) {
    const stored = storedNs[at]!;
    const past = momentNowNs + ((stored > momentNs ? momentNs : stored) - momentNs);
    pastNs[at] = past > NS_MAX ? NS_MAX : past < -NS_MAX ? -NS_MAX : past;
  }
  return pastNs;
}

/** What was stored may be as far off as a file can say, and is to be stored again. */
function writable(ns: number): number {
  return Math.min(NS_MAX, Math.max(-NS_MAX, ns));
}

function otherBootOf(moment: Moment, here: Here): OtherBoot | "" {
  if (moment.bootId === "" || here.bootId === "") return "unknown";
  if (moment.bootId !== here.bootId) return "boot";
  // NaN, which is not known, equals nothing.
  if (moment.timeNamespace !== here.timeNamespace) return "time_namespace";
  if (moment.pidNamespace !== here.pidNamespace) return "pid_namespace";
  const isAhead = moment.monotonicNs > here.monotonicNs || moment.boottimeNs > here.boottimeNs;
  return isAhead ? "clock_ahead" : "";
}
