// A frame of the daemon's own that goes the whole way, through the real sockets (spec 12 section
// 9): what it took is how well the observer can hear. Whoever asks knows no more of it than this.
import type { ObserverClock } from "./clock.ts";
import type { SelfBeats } from "./self_beats.ts";

export interface SelfBeat {
  /** False: no listener can have one, as where only accepted keys are heard. */
  readonly isKept: boolean;
  /** Observer time at which the last one that went round on every listener was sent. */
  readonly sentNs: number;
  /** How long that one took, of the slowest listener. */
  readonly tookNs: number;
}

/** Of real ones. Their clock and the observer's may differ, but not in how long ago it was. */
export class HeardSelfBeats implements SelfBeat {
  readonly #beats: SelfBeats;
  readonly #clock: ObserverClock;

  constructor(beats: SelfBeats, clock: ObserverClock) {
    this.#beats = beats;
    this.#clock = clock;
  }

  get isKept(): boolean {
    return this.#beats.areSent;
  }

  get sentNs(): number {
    return this.#clock.lastNs - this.#beats.roundAgeNs();
  }

  get tookNs(): number {
    return this.#beats.roundTookNs();
  }
}
