// The two limiters (spec 04 sections 6 and 7). The per-pid limit compares with the last accepted beat and spends no
// global token; the global bucket is paid by everything that would cost us work or make an event.
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

  constructor(options: AdmissionOptions) {
    const { perPidRate, globalRate, globalBurst } = options;
    this.intervalNs = perPidRate > 0 ? Math.max(1, Math.floor(NS_PER_S / perPidRate)) : 0;
    this.bucket = new TokenBucket(globalRate, globalBurst);
  }
}
