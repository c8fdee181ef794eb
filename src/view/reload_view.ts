// What `reload` answers (spec 17): what has changed, or why nothing was applied. No secret is ever in
// it, before or after.

export interface ReloadResult {
  readonly v: 1;
  readonly file: string;
  readonly took_ms: number;
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
  /** As written in the file; null = it was not there. Both null = a secret. */
  readonly before: string | null;
  readonly after: string | null;
  readonly effect: string;
}

export interface ReloadProblem {
  /** FILE:LINE:COL. */
  readonly place: string;
  /** Path of the key, what was found, what is wanted. */
  readonly text: string;
  readonly takes_restart: boolean;
}
