// Simulated time. `trueNs` is what passes in the world and never goes back; the raw clock that the
// observer reads is off by a skew that a scenario changes, even in the middle of a turn. Receiving
// takes time, reading the clock takes none, so the number of readings is the observer's own
// business.
import type { RawClock } from "../../src/observer/clock.ts";

export class SimulatedClock implements RawClock {
  trueNs = 0;
  /** How much of what it reads the machine was suspended. */
  asleepTotalNs = 0;
  skewNs = 0;
  /** What one receive costs in this turn, and each of its datagrams. */
  receiveNs = 2_000;
  datagramNs = 700;
  /** In this turn the skew changes by `stepNs` after so many receives; 0 = not. */
  stepAfterReceives = 0;
  stepNs = 0;
  /** While true every reading fails, which gives 0. */
  unreadable = false;
  /** Raw readings of this turn. */
  readings: number[] = [];
  #receives = 0;

  beginTurn(): void {
    this.readings = [];
    this.#receives = 0;
  }

  endTurn(): void {
    this.receiveNs = 2_000;
    this.datagramNs = 700;
    this.stepAfterReceives = 0;
    this.unreadable = false;
  }

  get rawNs(): number {
    return this.unreadable ? 0 : Math.max(0, this.trueNs + this.skewNs);
  }

  readNs(): number {
    this.readings.push(this.rawNs);
    return this.rawNs;
  }

  asleepNs(): number {
    return this.asleepTotalNs;
  }

  afterReceive(datagramCount: number): void {
    this.trueNs += this.receiveNs + datagramCount * this.datagramNs;
    this.#receives += 1;
    if (this.#receives === this.stepAfterReceives) this.skewNs += this.stepNs;
  }

  /** The same moment with the same future, for the model's replay of the turn. */
  fork(): SimulatedClock {
    const copy = new SimulatedClock();
    copy.trueNs = this.trueNs;
    copy.skewNs = this.skewNs;
    copy.asleepTotalNs = this.asleepTotalNs;
    copy.receiveNs = this.receiveNs;
    copy.datagramNs = this.datagramNs;
    copy.stepAfterReceives = this.stepAfterReceives;
    copy.stepNs = this.stepNs;
    copy.unreadable = this.unreadable;
    return copy;
  }
}
