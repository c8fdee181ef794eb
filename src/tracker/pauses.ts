// Times in which the observer could hear no member: it was stopped, its machine stood still, or
// it was busy with something else. Such a time moves the deadline of each member that was silent
// through it (spec 12 section 8). The pauses are kept here and not in the slots, so a beat costs
// nothing more and a pause costs the same with ten agents as with a million.

/** Pauses of the observer that move deadlines; of a longer row of them only the last count. */
export const PAUSES_KEPT_MAX = 64;

export class Pauses {
  /**
   * A ring: observer time at which each pause ended, in rising order from the oldest, and its
   * length.
   */
  readonly #endNs = new Float64Array(PAUSES_KEPT_MAX);
  readonly #ns = new Float64Array(PAUSES_KEPT_MAX);
  /** The sum of all, also of those that are forgotten. */
  totalNs = 0;
  #next = 0;
  #count = 0;
  /** When silence last began again for all members. */
  #anewNs = Number.NEGATIVE_INFINITY;
  /** When this daemon began to listen, if members have beaten before. */
  #startNs = Number.NEGATIVE_INFINITY;

  /**
   * A pause of `ns` ended at `endNs`. The oldest of more than 64 is forgotten: a machine that is
   * late every time is slow and not paused, and its agents must be judged in the end.
   */
  add(endNs: number, ns: number): void {
    this.#endNs[this.#next] = endNs;
    this.#ns[this.#next] = ns;
    this.totalNs += ns;
    this.#next = (this.#next + 1) % PAUSES_KEPT_MAX;
    if (this.#count < PAUSES_KEPT_MAX) this.#count += 1;
  }

  /**
   * No silence counts that is older than `nowNs`, so that each member has a whole threshold from
   * here on, unless it was given one back since its last beat.
   */
  beginAnew(nowNs: number): void {
    this.#anewNs = nowNs;
  }

  /**
   * Nobody listened before `nowNs`: whatever a member of the daemon before this one was silent for
   * by then says nothing of it, and is no pause of this daemon either.
   */
  startAt(nowNs: number): void {
    this.#startNs = nowNs;
  }

  /** Nobody listened then. */
  isBeforeStart(ns: number): boolean {
    return ns < this.#startNs;
  }

  /** The last one; undefined = there was none. */
  get last(): { readonly endNs: number; readonly ns: number } | undefined {
    if (this.#count === 0) return undefined;
    const at = (this.#next - 1 + PAUSES_KEPT_MAX) % PAUSES_KEPT_MAX;
    return { endNs: this.#endNs[at]!, ns: this.#ns[at]! };
  }

  /** Observer time without the pauses: what is not about silence goes by it, as a grace. */
  awakeNs(nowNs: number): number {
    return nowNs - this.totalNs;
  }

  /**
   * By how much the deadline of a member whose last beat was at `lastNs` is later. Of silence that
   * began again at most one threshold is given back: else a member with a long one would never be
   * judged on a machine that stands still now and then.
   */
  excusedNs(lastNs: number, thresholdNs: number): number {
    const pausedNs = this.sinceNs(lastNs);
    const unheardNs = this.unheardNs(lastNs);
    const anewNs = this.#anewNs;
    const heardFromNs = lastNs + unheardNs;
    if (heardFromNs >= anewNs) return unheardNs + pausedNs;
    const silentNs = anewNs - heardFromNs - (pausedNs - this.sinceNs(anewNs));
    return unheardNs + pausedNs + Math.min(thresholdNs, silentNs);
  }

  /** For how long after `lastNs` no daemon listened. */
  unheardNs(lastNs: number): number {
    return Math.max(0, this.#startNs - lastNs);
  }

  /** The sum of the pauses that ended after `lastNs`. */
  sinceNs(lastNs: number): number {
    let sumNs = 0;
    for (let back = 1; back <= this.#count; back++) {
      const at = (this.#next - back + PAUSES_KEPT_MAX) % PAUSES_KEPT_MAX;
      if (this.#endNs[at]! <= lastNs) break;
      sumNs += this.#ns[at]!;
    }
    return sumNs;
  }
}
