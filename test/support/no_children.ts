/** What is asked of the children of recoveries by its counters, where there are none. */
export class NoChildren {
  readonly recycleResets = 0;
  readonly invariantViolations = 0;
  readonly probeExhausted = 0;
  readonly reapTruncated = 0;
}
