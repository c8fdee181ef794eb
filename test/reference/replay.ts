// The replay machine and the sender table as spec 02 sections 5 and 6 describe them: objects in a
// Map, bigint values, one line per row of the table of cases. It does not know the probe budget of
// the real index.

export interface SealedBeat {
  readonly pid: number;
  readonly prefix: bigint;
  readonly counter: number;
  readonly nonce: bigint;
  readonly timestamp: bigint;
}

export interface SenderState {
  prefix: bigint;
  counter: number;
  previousPrefix: bigint;
  previousCounter: number;
  nonceMax: bigint;
  timestampMax: bigint;
  terminalTimestamp: bigint | undefined;
  seenInstantNs: number;
  seenNs: number;
}

export type ReplayVerdict = "pass" | "replay" | "sender_table_full";

export const TERMINAL = 2n ** 64n - 1n;
const TTL_NS = 600e9;

export class ReferenceSenders {
  /**
   * Prefixes of sessions that are over, and those that fell out of the history; the real sets hold
   * very many.
   */
  readonly retired = new Set<bigint>();
  readonly rotated = new Set<bigint>();
  readonly senders = new Map<number, SenderState>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  sweep(instantNs: number): void {
    for (const [pid, state] of this.senders)
      if (instantNs - state.seenInstantNs >= TTL_NS) this.senders.delete(pid);
  }

  /** A hello or a bye, of which only pid, prefix and counter count. */
  arriveControl(beat: SealedBeat, instantNs: number, nowNs: number): ReplayVerdict {
    const known = this.senders.get(beat.pid);
    if (known === undefined) {
      if (this.senders.size >= this.#capacity) this.sweep(instantNs);
      if (this.senders.size >= this.#capacity) return "sender_table_full";
      this.senders.set(beat.pid, fresh({ ...beat, nonce: 0n, timestamp: 0n }, instantNs, nowNs));
      return "pass";
    }
    const isCurrent = beat.prefix === known.prefix;
    if (!isCurrent && beat.prefix !== known.previousPrefix) return "replay";
    if (beat.counter <= (isCurrent ? known.counter : known.previousCounter)) return "replay";
    if (isCurrent) known.counter = beat.counter;
    else known.previousCounter = beat.counter;
    known.seenInstantNs = instantNs;
    known.seenNs = nowNs;
    return "pass";
  }

  arrive(beat: SealedBeat, instantNs: number, nowNs: number, gapNs: number): ReplayVerdict {
    const known = this.senders.get(beat.pid);
    if (known !== undefined)
      return this.#advance(known, beat, instantNs, nowNs, gapNs) ? "pass" : "replay";
    if (this.senders.size >= this.#capacity) this.sweep(instantNs);
    if (this.senders.size >= this.#capacity) return "sender_table_full";
    this.senders.set(beat.pid, fresh(beat, instantNs, nowNs));
    return "pass";
  }

  #advance(
    state: SenderState,
    beat: SealedBeat,
    instantNs: number,
    nowNs: number,
    gapNs: number,
  ): boolean {
    const terminal = beat.nonce === TERMINAL;
    if (beat.prefix === state.prefix) {
      if (beat.counter <= state.counter) return false;
      state.counter = beat.counter;
    } else if (beat.prefix === state.previousPrefix) {
      if (beat.counter <= state.previousCounter) return false;
      state.previousCounter = beat.counter;
    } else if (this.retired.has(beat.prefix)) {
      return false;
    } else if (isNewest(state, beat)) {
      if (state.previousPrefix !== 0n) this.rotated.add(state.previousPrefix);
      state.previousPrefix = state.prefix;
      state.previousCounter = state.counter;
      state.prefix = beat.prefix;
      state.counter = beat.counter;
    } else if (
      !terminal &&
      (beat.timestamp > state.timestampMax ||
        (Math.max(0, nowNs - state.seenNs) >= gapNs && !this.rotated.has(beat.prefix)))
    ) {
      this.#retire(state.prefix);
      this.#retire(state.previousPrefix);
      this.senders.set(beat.pid, fresh(beat, instantNs, nowNs));
      return true;
    } else return false;
    observe(state, beat);
    state.seenInstantNs = instantNs;
    state.seenNs = nowNs;
    return true;
  }

  #retire(prefix: bigint): void {
    if (prefix !== 0n) this.retired.add(prefix);
  }
}

function isNewest(state: SenderState, beat: SealedBeat): boolean {
  if (beat.timestamp < state.timestampMax) return false;
  if (beat.nonce === TERMINAL)
    return state.terminalTimestamp === undefined || beat.timestamp > state.terminalTimestamp;
  return beat.nonce > state.nonceMax;
}

function fresh(beat: SealedBeat, instantNs: number, nowNs: number): SenderState {
  const state: SenderState = {
    prefix: beat.prefix,
    counter: beat.counter,
    previousPrefix: 0n,
    previousCounter: 0,
    nonceMax: 0n,
    timestampMax: 0n,
    terminalTimestamp: undefined,
    seenInstantNs: instantNs,
    seenNs: nowNs,
  };
  observe(state, beat);
  return state;
}

function observe(state: SenderState, beat: SealedBeat): void {
  if (beat.nonce !== TERMINAL) {
    if (beat.nonce > state.nonceMax) state.nonceMax = beat.nonce;
    if (beat.timestamp > state.timestampMax) state.timestampMax = beat.timestamp;
  } else if (state.terminalTimestamp === undefined || beat.timestamp > state.terminalTimestamp)
    state.terminalTimestamp = beat.timestamp;
}
