// Members whose threshold has passed without a beat and without a known end, in the order in which
// they fell silent: what the guard weighs (spec 12 section 10). Only a fall and a return touch it,
// never a beat of a member that was not silent.

export interface Fall {
  readonly key: number;
  /** Attested; NaN = none is. */
  readonly uid: number;
  /** A rule of the configuration names its agent. */
  readonly isRuled: boolean;
  readonly thresholdNs: number;
  readonly atNs: number;
}

/** Of the members that fell silent within a window. */
interface Weighed {
  readonly windowNs: number;
  readonly count: number;
  /** Less than the count if most of them are of one uid and have no rule. */
  readonly weight: number;
}

export class Silences {
  /** By key; a Map keeps the order in which its keys came, and that is the order of the falls. */
  readonly #falls = new Map<number, Fall>();
  /** No fall matters for longer: the longest window that a weighing was asked for or can find. */
  #longestNs = 0;

  get count(): number {
    return this.#falls.size;
  }

  add(fall: Fall): void {
    this.#falls.set(fall.key, fall);
    this.#longestNs = Math.max(this.#longestNs, fall.thresholdNs);
  }

  has(key: number): boolean {
    return this.#falls.has(key);
  }

  /** It beats again, its end is known, or it is watched no more. */
  remove(key: number): void {
    this.#falls.delete(key);
    if (this.#falls.size === 0) this.#longestNs = 0;
  }

  /** Forgets the falls that no window at `nowNs` or later reaches; each is passed once. */
  expire(nowNs: number, windowNs = 0): void {
    const reachNs = Math.max(this.#longestNs, windowNs);
    for (const fall of this.#falls.values()) {
      if (nowNs - fall.atNs <= reachNs) return;
      this.remove(fall.key);
    }
  }

  /**
   * Those within `windowNs` of `nowNs`; without one, within the largest threshold of those that
   * fell silent no longer ago than their own.
   */
  weigh(nowNs: number, windowNs = this.#windowNs(nowNs)): Weighed {
    let count = 0;
    let most = 0;
    const ofUid = new Map<number, number>();
    for (const { atNs, uid, isRuled } of this.#falls.values()) {
      if (nowNs - atNs > windowNs) continue;
      count += 1;
      if (isRuled) continue;
      const own = (ofUid.get(uid) ?? 0) + 1;
      ofUid.set(uid, own);
      if (own > most) most = own;
    }
    // One uid without a rule is at most half of it: nobody hides the others by falling silent.
    return { windowNs, count, weight: Math.min(count, 2 * (count - most)) };
  }

  #windowNs(nowNs: number): number {
    let longestNs = 0;
    for (const { atNs, thresholdNs } of this.#falls.values())
      if (thresholdNs > longestNs && nowNs - atNs <= thresholdNs) longestNs = thresholdNs;
    return longestNs;
  }
}
