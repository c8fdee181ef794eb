// The two limiters (spec 04 sections 6 and 7). The per-pid limit compares with the last accepted beat and spends no
// global token; the global bucket is paid by everything that would cost us work or make an event. A part of it is kept
// for agents that are known and vouched for: else a flood of rubbish would shed their beats, and they would look silent.
import { GLOBAL_RESERVE_PART } from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import { TokenBucket } from "../tables/token_bucket.ts";

export interface AdmissionOptions {
  /** Accepted beats per second and pid; 0 = off. */
  readonly perPidRate: number;
  readonly globalRate: number;
  readonly globalBurst: number;
}

export class Admission {
  /** Shortest distance of two accepted beats of one pid; 0 = no limit. */
  readonly intervalNs: number;
  readonly bucket: TokenBucket;
  /** Tokens of the bucket that only a beat of a known agent may spend. */
  readonly reserve: number;

  constructor(options: AdmissionOptions) {
    const { perPidRate, globalRate, globalBurst } = options;
    this.intervalNs = perPidRate > 0 ? Math.max(1, Math.floor(NS_PER_S / perPidRate)) : 0;
    this.bucket = new TokenBucket(globalRate, globalBurst);
    this.reserve = Math.floor(globalBurst * GLOBAL_RESERVE_PART);
  }
}
