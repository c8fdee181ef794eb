// Who may hold members of the daemon before this one (spec 18 section 6.1).

export interface RestoredGate {
  /**
   * Asked of each slot that is due and may be judged, while the slot is valid: until when the
   * member is held. `nowNs` or earlier = it is judged; NaN = that is not known yet, its lane is
   * judged no further at this time.
   */
  judgedFromNs(slot: number, nowNs: number): number;
  /** It is silent for its threshold, and waits for another look. */
  isHeld(slot: number): boolean;
}
