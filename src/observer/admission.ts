// The two limiters (spec 04 sections 6 and 7). The limit of one member is a bucket of its own and
// spends no global token; the global bucket is paid by everything that would cost us work or make
// an event. A part of it is kept for agents that are known and vouched for: else a flood of rubbish
// would shed their beats, and they would look silent.
import { GLOBAL_RESERVE_PART } from "../base/limits.ts";
import { TokenBucket } from "../tables/token_bucket.ts";
import { BeatAllowance } from "../tracker/beat_allowance.ts";

export interface AdmissionOptions {
  /** Accepted beats per second and pid, an integer; 0 = off. */
  readonly perPidRate: number;
  readonly globalRate: number;
  readonly globalBurst: number;
}

export class Admission {
  readonly allowance: BeatAllowance;
  readonly bucket: TokenBucket;
  /** Tokens of the bucket that only a beat of a known agent may spend. */
  readonly reserve: number;

  constructor(options: AdmissionOptions) {
    const { perPidRate, globalRate, globalBurst } = options;
    this.allowance = new BeatAllowance(perPidRate);
    this.bucket = new TokenBucket(globalRate, globalBurst);
    this.reserve = Math.floor(globalBurst * GLOBAL_RESERVE_PART);
  }
}
