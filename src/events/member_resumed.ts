// A stalled member that beats again, as the sinks see it (spec 09 section 1.2). Returns are rare
// beside beats, so each is one object.
import type { Origin } from "../base/origin.ts";
import type { StallVerdict } from "./stall_verdict.ts";

export interface MemberResumed {
  readonly observerNs: number;
  /** Number of the listener of the beat that ended the silence. */
  readonly listener: number;
  /** Number of its agent, as its stall had it. */
  readonly agent: number;
  readonly pid: number;
  /** The tracker's key: the pid, unless another source holds that. */
  readonly key: number;
  /** The address from which it beats by plain UDP; "" = kernel or key vouch for it. */
  readonly source: string;
  readonly nonceHi: number;
  readonly nonceLo: number;
  readonly status: number;
  readonly origin: Origin;
  readonly generation: number;
  /** Observer time of the last beat before its silence; NaN = that is not kept. */
  readonly lastNs: number;
  /** What its process was doing when its stall was judged. */
  readonly verdict: StallVerdict | undefined;
}
