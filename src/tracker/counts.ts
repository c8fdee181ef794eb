// The counters of the tracker (spec 03 section 3): saturating, read and zeroed by the metrics once per turn.

export const COUNT_EVICTIONS = 0;
export const COUNT_CAPACITY_EXCEEDED = 1;
export const COUNT_NONCE_WRAPS = 2;
export const COUNT_OUT_OF_ORDER = 3;
export const COUNT_EVICTION_SCAN_TRUNCATED = 4;
export const COUNT_ORIGIN_CONFLICTS = 5;
export const COUNT_NAMESPACE_CONFLICTS = 6;
export const COUNT_PID_RECYCLES = 7;
export const COUNT_INVARIANT_VIOLATIONS = 8;
export const COUNT_REMOVED_PID_DROPS = 9;
export const COUNT_UID_SHARES = 10;
export const COUNT_NONCE_RESTARTS = 11;
const COUNT_COUNT = 12;

export class Counts {
  readonly #values = new Float64Array(COUNT_COUNT);

  add(count: number): void {
    const values = this.#values;
    if (values[count]! < Number.MAX_SAFE_INTEGER) values[count]! += 1;
  }

  take(count: number): number {
    const value = this.#values[count]!;
    this.#values[count] = 0;
    return value;
  }
}
