// A member that is late, as the sinks see it (spec 03 section 7.2): silent for longer than its rule
// says is worth showing, and not stalled. Rare beside beats, so each is one object.

export interface MemberLate {
  /** When that was found. */
  readonly observerNs: number;
  /** Number of its agent. */
  readonly agent: number;
  readonly pid: number;
  /** The tracker's key: the pid, unless another source holds that. */
  readonly key: number;
  /** The address from which it beats by plain UDP; "" = kernel or key vouch for it. */
  readonly source: string;
  /** Number of the listener of its last beat. */
  readonly listener: number;
  /** Start time of its process; NaN = unknown. */
  readonly generation: number;
  readonly lastNs: number;
  readonly lateNs: number;
  readonly thresholdNs: number;
}
