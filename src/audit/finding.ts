// What a check of an audit log finds, and what comes of all that it found (spec 11 section 7).

/** What a finding means, the worst first; a note is worth knowing and no damage. */
export const FINDING_KINDS = ["broken", "section", "behind", "key", "note"] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly kind: FindingKind;
}

export interface Verdict {
  readonly isIntact: boolean;
  /** The worst that was found; "note" = nothing is wrong. */
  readonly worst: FindingKind;
  readonly recordCount: number;
  readonly seqFirst: number | undefined;
  readonly seqLast: number | undefined;
  /** The chain of the last record; undefined = there is none. */
  readonly head: string | undefined;
  /** The key that the last section is under; undefined = none. */
  readonly keyId: string | undefined;
  /** The first finding that is no note. */
  readonly firstProblem: Finding | undefined;
}
