// The datagrams that a UDP socket lost because its buffer was full. The kernel counts those that a
// filter dropped into the same number: while one is on, only what exceeds its estimate by more than
// the estimate's own error is counted as lost.

/** In standard deviations: a number that only grows must not grow by chance. */
const ERROR_DEVIATIONS = 4;

interface FilterCount {
  readonly isAttached: boolean;
  /** Dropped by the filter since it was put on, estimated, and the variance of that. */
  readonly dropped: number;
  readonly droppedVariance: number;
}

export class KernelDrops {
  readonly #drain: () => number;
  readonly #filter: FilterCount;
  #total = 0;
  /** True from the attachment to the first look after the end of the filter. */
  #isMixed = false;
  /** Since the attachment: all drops, and those of them that were counted as lost. */
  #mixed = 0;
  #counted = 0;

  /** `drain`: what the kernel counted since the last call. */
  constructor(drain: () => number, filter: FilterCount) {
    this.#drain = drain;
    this.#filter = filter;
  }

  /** The filter is about to be put on: until now every drop was a full buffer. */
  beforeAttach(): void {
    this.look();
    this.#isMixed = true;
    this.#mixed = 0;
    this.#counted = 0;
  }

  /** Datagrams lost to a full buffer until now. */
  get total(): number {
    this.look();
    return this.#total;
  }

  /** Counts what the socket has lost, before it is another one. */
  look(): void {
    const drops = this.#drain();
    this.#total += this.#isMixed ? this.#lostOf(drops) : drops;
  }

  #lostOf(drops: number): number {
    const { isAttached, dropped, droppedVariance } = this.#filter;
    this.#isMixed = isAttached;
    this.#mixed += drops;
    const error = ERROR_DEVIATIONS * Math.sqrt(droppedVariance + 1);
    const lost = Math.max(this.#counted, Math.floor(this.#mixed - dropped - error));
    const news = lost - this.#counted;
    this.#counted = lost;
    return news;
  }
}
