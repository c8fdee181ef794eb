// Stalls that were judged and not yet taken: a bounded queue of columns, filled from the tracker's slots at a judge point
// and emptied by the daemon over one or more turns (spec 04 section 4). Nothing is judged while it holds unread stalls.
import { IP_WORDS, ipText } from "../base/ip_text.ts";
import type { Origin } from "../base/origin.ts";
import type { Stall } from "../events/stall.ts";
import { REFUSAL_COLUMNS, refusalCounts } from "../tracker/refusals.ts";
import type { StallSink } from "../tracker/stall_scan.ts";
import type { Tracker } from "../tracker/tracker.ts";

export class StallQueue implements StallSink {
  readonly #tracker: Tracker;
  readonly #pid: Uint32Array;
  readonly #key: Uint32Array;
  readonly #hasSource: Uint8Array;
  readonly #source: Uint32Array;
  readonly #nonceHi: Uint32Array;
  readonly #nonceLo: Uint32Array;
  readonly #lastNs: Float64Array;
  readonly #thresholdNs: Float64Array;
  readonly #origin: Uint8Array;
  readonly #namespaceInode: Float64Array;
  readonly #generation: Float64Array;
  readonly #uid: Float64Array;
  readonly #proven: Uint8Array;
  readonly #status: Uint8Array;
  readonly #payload: Uint32Array;
  readonly #listener: Uint8Array;
  readonly #refused: Uint32Array;
  #judgedNs = 0;
  #next = 0;
  #count = 0;

  constructor(tracker: Tracker, capacity: number) {
    this.#tracker = tracker;
    this.#pid = new Uint32Array(capacity);
    this.#key = new Uint32Array(capacity);
    this.#hasSource = new Uint8Array(capacity);
    this.#source = new Uint32Array(capacity * IP_WORDS);
    this.#nonceHi = new Uint32Array(capacity);
    this.#nonceLo = new Uint32Array(capacity);
    this.#lastNs = new Float64Array(capacity);
    this.#thresholdNs = new Float64Array(capacity);
    this.#origin = new Uint8Array(capacity);
    this.#namespaceInode = new Float64Array(capacity);
    this.#generation = new Float64Array(capacity);
    this.#uid = new Float64Array(capacity);
    this.#proven = new Uint8Array(capacity);
    this.#status = new Uint8Array(capacity);
    this.#payload = new Uint32Array(capacity);
    this.#listener = new Uint8Array(capacity);
    this.#refused = new Uint32Array(capacity * REFUSAL_COLUMNS);
  }

  get unread(): number {
    return this.#count - this.#next;
  }

  /** Empties the queue for a judge point at `nowNs`. */
  restart(nowNs: number): void {
    this.#judgedNs = nowNs;
    this.#next = 0;
    this.#count = 0;
  }

  onStall(slot: number): void {
    const at = this.#count++;
    const { slots } = this.#tracker;
    this.#pid[at] = slots.pid[slot]!;
    this.#key[at] = slots.key[slot]!;
    this.#hasSource[at] = slots.hasSource(slot) ? 1 : 0;
    for (let word = 0; word < IP_WORDS; word++)
      this.#source[at * IP_WORDS + word] = slots.source[slot * IP_WORDS + word]!;
    this.#nonceHi[at] = slots.observedNonceHi[slot]!;
    this.#nonceLo[at] = slots.observedNonceLo[slot]!;
    this.#lastNs[at] = slots.lastNs[slot]!;
    this.#thresholdNs[at] = this.#tracker.thresholdOf(slot);
    this.#origin[at] = slots.origin[slot]!;
    this.#namespaceInode[at] = slots.namespaceInode[slot]!;
    this.#generation[at] = slots.generation[slot]!;
    this.#uid[at] = slots.uid[slot]!;
    this.#proven[at] = slots.isProven(slot) ? 1 : 0;
    this.#status[at] = slots.status[slot]!;
    this.#payload[at] = slots.payload[slot]!;
    this.#listener[at] = slots.listener[slot]!;
    slots.copyRefusals(slot, this.#refused, at * REFUSAL_COLUMNS);
  }

  /** The oldest unread stall, or undefined. */
  take(): Stall | undefined {
    if (this.#next === this.#count) return undefined;
    const at = this.#next++;
    return {
      pid: this.#pid[at]!,
      key: this.#key[at]!,
      source: this.#hasSource[at] === 1 ? ipText(this.#source, at * IP_WORDS) : "",
      lastNonceHi: this.#nonceHi[at]!,
      lastNonceLo: this.#nonceLo[at]!,
      lastNs: this.#lastNs[at]!,
      thresholdNs: this.#thresholdNs[at]!,
      observerNs: this.#judgedNs,
      origin: this.#origin[at]! as Origin,
      namespaceInode: this.#namespaceInode[at]!,
      generation: this.#generation[at]!,
      uid: this.#uid[at]!,
      proven: this.#proven[at] === 1,
      status: this.#status[at]!,
      payload: this.#payload[at]!,
      listener: this.#listener[at]!,
      refused: refusalCounts(this.#refused, at * REFUSAL_COLUMNS),
    };
  }
}
