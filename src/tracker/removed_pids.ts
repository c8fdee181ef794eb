// Members that the tracker dropped by eviction or retirement, for those who keep something per
// member (spec 03 section 6.3). A bounded stack, last in first out. A consumer must check that the
// member is not tracked again before it drops anything.
import { IP_WORDS, ipText } from "../base/ip_text.ts";
import { SLOT_HAS_SOURCE, type Slots } from "./slots.ts";

export class RemovedPids {
  readonly #pids: Uint32Array;
  readonly #keys: Uint32Array;
  readonly #hasSource: Uint8Array;
  readonly #sources: Uint32Array;
  #count = 0;

  constructor(capacity: number) {
    this.#pids = new Uint32Array(capacity);
    this.#keys = new Uint32Array(capacity);
    this.#hasSource = new Uint8Array(capacity);
    this.#sources = new Uint32Array(capacity * IP_WORDS);
  }

  /** Notes the member of `slot`. False if the stack is full: it is not remembered. */
  push(slots: Slots, slot: number): boolean {
    const at = this.#count;
    if (at === this.#pids.length) return false;
    this.#pids[at] = slots.pid[slot]!;
    this.#keys[at] = slots.key[slot]!;
    const hasSource = (slots.flags[slot]! & SLOT_HAS_SOURCE) !== 0;
    this.#hasSource[at] = hasSource ? 1 : 0;
    if (hasSource)
      for (let word = 0; word < IP_WORDS; word++)
        this.#sources[at * IP_WORDS + word] = slots.source[slot * IP_WORDS + word]!;
    this.#count += 1;
    return true;
  }

  /** The pid of the youngest removed member, or -1. */
  pop(): number {
    if (this.#count === 0) return -1;
    this.#count -= 1;
    return this.#pids[this.#count]!;
  }

  /** The key of the member that `pop` has just told. */
  get poppedKey(): number {
    return this.#keys[this.#count]!;
  }

  /** Its source; "" = none. */
  get poppedSource(): string {
    const at = this.#count;
    return this.#hasSource[at] === 1 ? ipText(this.#sources, at * IP_WORDS) : "";
  }
}
