// Beats of the daemon to itself (spec 12 section 9): a frame of its own goes through the very
// socket that agents send to, and its way back is the honest latency of everything that a beat
// passes. What one is, which of them is under way, and whether they come round is decided here; who
// sends them is the caller's business. The intake takes them out ahead of every check, so no limit,
// table or count ever sees one.
import { assert } from "../base/assert.ts";
import { block, Counters, counter, histogram } from "../base/counters.ts";
import { FRAME_BYTES, LISTENERS_MAX } from "../base/limits.ts";
import { ORIGIN_SOCKET_MODE_ONLY } from "../base/origin.ts";
import { NS_PER_S } from "../base/time.ts";
import { type Datagram, VOUCHED_BY_KERNEL, VOUCHED_BY_KEY } from "../events/datagram.ts";
import { decodeFrame } from "../wire/decode.ts";
import { DECODE_OK } from "../wire/decode_error.ts";
import { encodeFrame } from "../wire/encode.ts";
import {
  PID_MIN,
  STATUS_OK,
  WORD_NONCE_HI,
  WORD_NONCE_LO,
  WORD_PAYLOAD,
  WORD_PID,
  WORD_TIMESTAMP_HI,
  WORD_TIMESTAMP_LO,
} from "../wire/frame.ts";

/**
 * Without one that came round for so long a listener is not well, and the one under way is given
 * up. As long as a loop that does not come round is called fresh.
 */
export const SELF_BEAT_LATE_NS = 4 * NS_PER_S;

/** In the upper half of the payload; below it is the number. */
const MARK = 0x5642;
const NUMBERS = 0x1_0000;
/** The next one is sent when the one before came round, so a killed daemon leaves one at most. */
const INHERITED_MAX = 1;

/** From the wake-up of a quiet loop, a tenth of a millisecond, to the silence of a threshold. */
const BOUNDS = ["0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025"].concat([
  "0.05",
  "0.1",
  "0.25",
  "0.5",
  "1",
]);

export const SELF_BEATS = block({
  seconds: histogram(
    "varta_self_beat_seconds",
    "Time of a beat of the daemon to itself: from its send to a listener until it was taken in.",
    { bounds: BOUNDS },
  ),
  ended: counter(
    "varta_self_beats_total",
    "Beats of the daemon to itself, by what became of them.",
    { label: "result", values: ["round", "refused", "lost", "inherited"] },
  ),
});

interface SelfBeatsOptions {
  /** Of the daemon, as its own namespace numbers it. */
  readonly pid: number;
  /** Of the daemon, as the kernel attests it. */
  readonly uid: number;
  /** A random u32. */
  readonly random: () => number;
  /** A monotonic clock for durations, in ns. */
  readonly monotonicNs: () => number;
}

/** What is known of one listener. */
class Way {
  /** What only the daemon knows. */
  readonly secretHi: number;
  readonly secretLo: number;
  /** Of the last beat; it wraps after hours. */
  sequence = 0;
  /** How many came round. */
  rounds = 0;
  /** When the last one that came round was sent, and how long it took; NaN = none did. */
  roundSentNs = Number.NaN;
  roundTookNs = Number.NaN;
  /** The daemon itself may send there, as far as is known. */
  isPossible = true;
  /** The last one was refused. */
  isRefused = false;
  /** NaN = none is under way. */
  sentNs = Number.NaN;
  /** When the first one was due that has not come round since; NaN = all is well. */
  waitingNs = Number.NaN;

  constructor(random: () => number) {
    this.secretHi = random();
    this.secretLo = random();
  }
}

export class SelfBeats {
  readonly counters = new Counters(SELF_BEATS, this);
  /** The pid that its frames state: nothing else needs to be looked at with another one. */
  readonly pid: number;
  /** How many were refused right after another one to the same listener: others are, too. */
  refusedAgain = 0;
  readonly #options: SelfBeatsOptions;
  readonly #ways = new Map<number, Way>();
  /** By listener: how many of an earlier daemon were in its queue. */
  readonly #inherited = new Uint8Array(LISTENERS_MAX);
  readonly #bytes = new Uint8Array(new ArrayBuffer(FRAME_BYTES));
  readonly #words = new Uint32Array(this.#bytes.buffer);

  constructor(options: SelfBeatsOptions) {
    this.#options = options;
    // Pid 1 is reserved on the wire. The kernel attests the true one, and no other sender knows
    // the secret, so the number means nothing here.
    this.pid = Math.max(options.pid, PID_MIN);
  }

  /**
   * The frame that is to be sent to listener `number` now, valid until the next call; undefined =
   * one is under way still.
   */
  begin(number: number): Uint8Array | undefined {
    const way = this.#wayOf(number);
    const nowNs = this.#options.monotonicNs();
    if (Number.isNaN(way.waitingNs)) way.waitingNs = nowNs;
    if (nowNs - way.sentNs < SELF_BEAT_LATE_NS) return undefined;
    if (!Number.isNaN(way.sentNs)) this.counters.add(SELF_BEATS.ended.lost);
    way.sequence = (way.sequence + 1) % NUMBERS;
    way.sentNs = nowNs;
    // With nonce 0 it is no plain beat, even if somebody made the daemon's pid a member.
    const { secretHi, secretLo } = way;
    const payload = MARK * NUMBERS + way.sequence;
    encodeFrame(this.#words, 0, STATUS_OK, this.pid, secretHi, secretLo, 0, 0, payload);
    return this.#bytes;
  }

  /** The socket did not take the last one. */
  refused(number: number): void {
    this.counters.add(SELF_BEATS.ended.refused);
    this.giveUp(number);
    const way = this.#wayOf(number);
    if (way.isRefused) this.refusedAgain += 1;
    way.isRefused = true;
  }

  /** The daemon itself may not send there: nothing is known of that listener. */
  impossible(number: number): void {
    this.refused(number);
    this.beginAnew(number);
    this.#wayOf(number).isPossible = false;
  }

  /** The one under way may never come: its socket is another one's. The next may be sent. */
  giveUp(number: number): void {
    this.#wayOf(number).sentNs = Number.NaN;
  }

  /** As `giveUp`, and the wait begins anew: another listener has the number. */
  beginAnew(number: number): void {
    this.giveUp(number);
    const way = this.#wayOf(number);
    way.waitingNs = Number.NaN;
    way.isRefused = false;
  }

  /**
   * Whether the frame at word `w`, which listener `number` received, is one of ours; it is then
   * done with.
   */
  takes(words: Uint32Array, w: number, number: number): boolean {
    const way = this.#ways.get(number);
    if (way === undefined) return false;
    if (words[w + WORD_PID] !== this.pid) return false;
    if (words[w + WORD_TIMESTAMP_HI] !== way.secretHi) return false;
    if (words[w + WORD_TIMESTAMP_LO] !== way.secretLo) return false;
    // One that was given up is ours, too: it must not become a member.
    const payload = MARK * NUMBERS + way.sequence;
    if (words[w + WORD_PAYLOAD] !== payload || Number.isNaN(way.sentNs)) return true;
    const tookNs = this.#options.monotonicNs() - way.sentNs;
    this.counters.add(SELF_BEATS.ended.round);
    this.counters.observe(SELF_BEATS.seconds, tookNs / NS_PER_S);
    way.isRefused = false;
    way.rounds++;
    way.roundSentNs = way.sentNs;
    way.roundTookNs = tookNs;
    way.isPossible = true;
    way.sentNs = Number.NaN;
    way.waitingNs = Number.NaN;
    return true;
  }

  /**
   * Whether `datagram` is one of an earlier daemon, in the queue that it left to this one: its
   * sender is no agent. Nobody else can make one that the kernel attests: the user is this
   * daemon's. Over plain UDP anybody can, and is not heard once.
   */
  takesInherited(datagram: Datagram): boolean {
    const { words, frameWord, listenerNumber, origin, vouched } = datagram;
    if (words[frameWord + WORD_NONCE_LO] !== 0 || words[frameWord + WORD_NONCE_HI] !== 0)
      return false;
    if (words[frameWord + WORD_PAYLOAD]! >>> 16 !== MARK) return false;
    if (vouched === VOUCHED_BY_KERNEL) {
      const { peerPid, peerUid } = datagram;
      if (peerUid !== this.#options.uid || peerPid === this.#options.pid) return false;
      if (words[frameWord + WORD_PID] !== Math.max(peerPid, PID_MIN)) return false;
    } else if (vouched === VOUCHED_BY_KEY || origin === ORIGIN_SOCKET_MODE_ONLY) return false;
    // A queue keeps its order: behind one of our own there is none that was left.
    if (this.rounds(listenerNumber) > 0) return false;
    if (this.#inherited[listenerNumber]! >= INHERITED_MAX) return false;
    if (decodeFrame(words, frameWord) !== DECODE_OK) return false;
    this.#inherited[listenerNumber]! += 1;
    this.counters.add(SELF_BEATS.ended.inherited);
    return true;
  }

  /** For how long none has come round that was due at listener `number`; 0 = all is well. */
  waitedNs(number: number): number {
    const waitingNs = this.#ways.get(number)?.waitingNs ?? Number.NaN;
    return Number.isNaN(waitingNs) ? 0 : this.#options.monotonicNs() - waitingNs;
  }

  /** How many came round at listener `number`. */
  rounds(number: number): number {
    return this.#ways.get(number)?.rounds ?? 0;
  }

  /** False: no listener can have one, as where only accepted keys are heard. */
  get areSent(): boolean {
    for (const way of this.#ways.values()) if (way.isPossible) return true;
    return false;
  }

  /** How long ago the last ones were sent that came round at all listeners; +Infinity = never. */
  roundAgeNs(): number {
    const nowNs = this.#options.monotonicNs();
    let ageNs = 0;
    for (const { isPossible, roundSentNs } of this.#ways.values()) {
      if (!isPossible) continue;
      ageNs = Number.isNaN(roundSentNs) ? Infinity : Math.max(ageNs, nowNs - roundSentNs);
    }
    return ageNs;
  }

  /** How long those took, of the slowest listener; NaN = one never came round anywhere. */
  roundTookNs(): number {
    let longestNs = 0;
    for (const { isPossible, roundTookNs } of this.#ways.values())
      if (isPossible) longestNs = Math.max(longestNs, roundTookNs);
    return longestNs;
  }

  /** Whether they come round at all listeners. */
  areRound(): boolean {
    for (const number of this.#ways.keys())
      if (this.waitedNs(number) >= SELF_BEAT_LATE_NS) return false;
    return true;
  }

  /** Only the listeners of these numbers are in force. */
  keepOnly(numbers: readonly number[]): void {
    for (const number of this.#ways.keys())
      if (!numbers.includes(number)) this.#ways.delete(number);
  }

  #wayOf(number: number): Way {
    assert(number < LISTENERS_MAX, "the configuration bounds the listeners");
    let way = this.#ways.get(number);
    if (way === undefined) {
      way = new Way(this.#options.random);
      this.#ways.set(number, way);
    }
    return way;
  }
}
