// All histograms of the catalogue in three typed arrays, stored non-cumulative: an observation touches one bucket, and the
// renderer adds them up (spec 08 section 1). Sums are kept in integer nanoseconds, so they do not drift.
import { assert } from "../base/assert.ts";
import { saturatingAdd } from "../base/saturating.ts";
import { NS_PER_S } from "../base/time.ts";
import { FAMILIES } from "./catalogue.ts";
import { HISTOGRAM_COUNT } from "./series.ts";

/** Buckets of the widest histogram, with its +Inf bucket. */
const BUCKET_COUNT_MAX = 16;

export class Histograms {
  readonly #bounds = new Float64Array(HISTOGRAM_COUNT * BUCKET_COUNT_MAX);
  readonly #boundCounts = new Uint8Array(HISTOGRAM_COUNT);
  readonly #counts = new Float64Array(HISTOGRAM_COUNT * BUCKET_COUNT_MAX);
  readonly #sumsNs = new Float64Array(HISTOGRAM_COUNT);

  constructor() {
    let histogram = 0;
    for (const family of FAMILIES) {
      if (family.type !== "histogram") continue;
      assert(family.bounds.length < BUCKET_COUNT_MAX, "the bounds and +Inf fit into a row");
      for (let i = 0; i < Math.max(1, family.values.length); i++) {
        const row = histogram * BUCKET_COUNT_MAX;
        for (const [j, bound] of family.bounds.entries()) this.#bounds[row + j] = Number(bound);
        this.#boundCounts[histogram] = family.bounds.length;
        histogram += 1;
      }
    }
  }

  /** Counts `seconds` in the first bucket whose bound is at least that, else in +Inf. */
  observe(histogram: number, seconds: number): void {
    assert(histogram >= 0 && histogram < HISTOGRAM_COUNT, "a histogram id comes from series.ts");
    const row = histogram * BUCKET_COUNT_MAX;
    const end = row + this.#boundCounts[histogram]!;
    let bucket = row;
    while (bucket < end && seconds > this.#bounds[bucket]!) bucket += 1;
    this.#counts[bucket]! += 1;
    this.#sumsNs[histogram] = saturatingAdd(
      this.#sumsNs[histogram]!,
      Math.round(seconds * NS_PER_S),
    );
  }

  /** Counts `times` observations of 0. */
  observeZeros(histogram: number, times: number): void {
    assert(histogram >= 0 && histogram < HISTOGRAM_COUNT, "a histogram id comes from series.ts");
    this.#counts[histogram * BUCKET_COUNT_MAX]! += times;
  }

  /** Observations of one bucket alone; the bucket after the last bound is +Inf. */
  bucketCountAt(histogram: number, bucket: number): number {
    return this.#counts[histogram * BUCKET_COUNT_MAX + bucket]!;
  }

  sumNsAt(histogram: number): number {
    return this.#sumsNs[histogram]!;
  }
}
