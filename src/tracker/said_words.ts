// What a member has said of itself beside its beats, at a notify door (spec 20 section 3). Kept by
// slot, and never judged by.
export interface SaidWords {
  /** The last STATUS=, as it came; "" = none. */
  status: string;
  /** It has said RELOADING=1, and not READY=1 since. */
  isReloading: boolean;
  /** The last ERRNO=; 0 = none. */
  errno: number;
  /** It has said WATCHDOG=trigger, and not beaten since. */
  hasTriggered: boolean;
  /** Observer time of that: since then it is judged as if it had been silent. NaN = not known. */
  triggeredNs: number;
  /** Another process in its place has beaten for it. */
  isSpokenFor: boolean;
}

export function noWords(): SaidWords {
  return {
    ...{ status: "", isReloading: false, errno: 0, isSpokenFor: false },
    ...{ hasTriggered: false, triggeredNs: Number.NaN },
  };
}
