// How well the daemon hears itself, as spec 12 section 9 says it: when the last beat was sent that
// came round, and how long it took, at the worst of its listeners.
import type { SelfBeat } from "../../src/observer/self_beat.ts";

interface SelfBeatModelOptions {
  /** How many. */
  readonly listeners: number;
  readonly wasSent: () => boolean;
  /** Observer time, and true time, which a wrong clock moves apart. */
  readonly nowNs: () => number;
  readonly trueNs: () => number;
}

export class SelfBeatModel implements SelfBeat {
  readonly #options: SelfBeatModelOptions;
  readonly #rounds = new Map<number, { readonly sentNs: number; readonly tookNs: number }>();

  constructor(options: SelfBeatModelOptions) {
    this.#options = options;
  }

  /** One was taken that was under way to listener `number`. A second copy of it means nothing. */
  round(number: number, sentNs: number, takenNs: number): void {
    if (this.#rounds.get(number)?.sentNs === sentNs) return;
    this.#rounds.set(number, { sentNs, tookNs: takenNs - sentNs });
  }

  get isKept(): boolean {
    return this.#options.wasSent();
  }

  get sentNs(): number {
    const { nowNs, trueNs } = this.#options;
    const agesNs = this.#all().map(({ sentNs }) => trueNs() - sentNs);
    return nowNs() - Math.max(...agesNs);
  }

  get tookNs(): number {
    return Math.max(...this.#all().map(({ tookNs }) => tookNs));
  }

  #all(): readonly { readonly sentNs: number; readonly tookNs: number }[] {
    const never = { sentNs: Number.NEGATIVE_INFINITY, tookNs: Number.NaN };
    const numbers = Array.from({ length: this.#options.listeners }, (_, number) => number);
    return numbers.map((number) => this.#rounds.get(number) ?? never);
  }
}
