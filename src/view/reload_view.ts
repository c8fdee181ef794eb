// What `reload` answers: what has changed, or why nothing was applied. No secret is
// ever in it, before or after.

export interface ReloadResult {
  readonly v: 1;
  readonly time: string;
  /** "" = the daemon was started without one. */
  readonly file: string;
  readonly took_ms: number;
  /** The longest time of it in which the daemon did nothing else, to a tenth. */
  readonly pause_ms: number;
  /** False: nothing was applied. */
  readonly applied: boolean;
  /** `reload --dry-run`. */
  readonly dry_run: boolean;
  readonly changes: readonly ReloadChange[];
  /** Faults of the file, and keys that take a restart. */
  readonly problems: readonly ReloadProblem[];
}

export interface ReloadChange {
  /** What has it: "agent worker", "plan restart", "listener edge", or the table. */
  readonly where: string;
  readonly key: string;
  /** "5s -> 2s", "added", "removed" or "(secret)". */
  readonly how: string;
  /**
   * What it means for what is watched now: "8 members, judged from 2026-11-28T02:14:04.000Z"; "" =
   * nothing.
   */
  readonly effect: string;
}

export interface ReloadProblem {
  /** FILE:LINE:COL, or FILE; "" = it has none. */
  readonly place: string;
  /** Path of the key, what was found, what is wanted. */
  readonly text: string;
  readonly takes_restart: boolean;
}
