/** What decides when the member of a slot is late, and when it is stalled. */
export interface Terms {
  readonly thresholdNs: number;
  /** Below the threshold; +Infinity = it is never late. */
  readonly lateNs: number;
  /** From its first beat on, in which it is not judged. */
  readonly graceNs: number;
}
