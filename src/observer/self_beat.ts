// A frame of the daemon's own that goes the whole way, through the real sockets (spec 12 section
// 9): what it took is how well the observer can hear. Whoever asks knows no more of it than this.

export interface SelfBeat {
  /** False: no listener can have one, as where only accepted keys are heard. */
  readonly isKept: boolean;
  /** Observer time at which the last one that went round on every listener was sent. */
  readonly sentNs: number;
  /** How long that one took, of the slowest listener. */
  readonly tookNs: number;
}
