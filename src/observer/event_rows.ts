// Writes the event rows of datagrams into the observer's batch (spec 04 section 2.1): one
// method for each kind of row. Nothing here decides or counts; a row that a kind does not use keeps
// what was there.
import { IP_WORDS } from "../base/ip_text.ts";
import * as event from "../events/event_batch.ts";
import { decodeErrorHi, decodeErrorLo, decodeErrorSecond } from "../wire/decode_error.ts";
import * as frame from "../wire/frame.ts";

export class EventRows {
  readonly batch: event.EventBatch;
  /** Rows made since it was last set to 0. */
  count = 0;

  constructor(batch: event.EventBatch) {
    this.batch = batch;
  }

  /** An accepted beat; returns its row. `resumed` and `slot` are for the caller to set. */
  beat(
    listenerNumber: number,
    origin: number,
    inode: number,
    generation: number,
    words: Uint32Array,
    w: number,
    nowNs: number,
  ): number {
    const { batch } = this;
    const row = this.#add(event.EVENT_BEAT, listenerNumber, nowNs);
    batch.pid[row] = words[w + frame.WORD_PID]!;
    batch.hasSource[row] = 0;
    batch.status[row] = words[w + frame.WORD_HEAD]! >>> 24;
    batch.payload[row] = words[w + frame.WORD_PAYLOAD]!;
    batch.nonceHi[row] = words[w + frame.WORD_NONCE_HI]!;
    batch.nonceLo[row] = words[w + frame.WORD_NONCE_LO]!;
    batch.origin[row] = origin;
    batch.namespaceInode[row] = inode;
    batch.generation[row] = generation;
    return row;
  }

  /** The beat in `row` came by plain UDP, from the address at index `at` of `sources`. */
  setSource(row: number, key: number, sources: Uint32Array, at: number): void {
    const { batch } = this;
    batch.hasSource[row] = 1;
    batch.key[row] = key;
    for (let word = 0; word < IP_WORDS; word++)
      batch.source[row * IP_WORDS + word] = sources[at + word]!;
  }

  decodeFailed(
    listenerNumber: number,
    code: number,
    words: Uint32Array,
    w: number,
    nowNs: number,
  ): void {
    const { batch } = this;
    const row = this.#add(event.EVENT_DECODE, listenerNumber, nowNs);
    batch.detail[row] = code;
    batch.errHi[row] = decodeErrorHi(code, words, w);
    batch.errLo[row] = decodeErrorLo(code, words, w);
    batch.err2[row] = decodeErrorSecond(code, words, w);
  }

  /** `detail` is an AUTH_REASON. */
  authFailed(listenerNumber: number, detail: number, pid: number, nowNs: number): void {
    const row = this.#add(event.EVENT_AUTH_FAILURE, listenerNumber, nowNs);
    this.batch.pid[row] = pid;
    this.batch.detail[row] = detail;
  }

  originConflict(
    listenerNumber: number,
    pid: number,
    origin: number,
    slotOrigin: number,
    nowNs: number,
  ): void {
    const row = this.#add(event.EVENT_ORIGIN_CONFLICT, listenerNumber, nowNs);
    this.batch.pid[row] = pid;
    this.batch.origin[row] = origin;
    this.batch.detail[row] = slotOrigin;
  }

  /** `bothKnown`: both inodes are known and differ, on which strict mode exits. */
  namespaceConflict(
    listenerNumber: number,
    pid: number,
    inode: number,
    bothKnown: boolean,
    nowNs: number,
  ): void {
    const row = this.#add(event.EVENT_NAMESPACE_CONFLICT, listenerNumber, nowNs);
    this.batch.pid[row] = pid;
    this.batch.namespaceInode[row] = inode;
    this.batch.detail[row] = bothKnown ? 1 : 0;
  }

  /**
   * Control data that was cut off, or a receive that failed with `errno` (0 = no credentials were
   * attached).
   */
  failure(
    kind: typeof event.EVENT_CTRL_TRUNCATED | typeof event.EVENT_IO,
    listenerNumber: number,
    errno: number,
    nowNs: number,
  ): void {
    this.batch.detail[this.#add(kind, listenerNumber, nowNs)] = errno;
  }

  #add(kind: number, listenerNumber: number, nowNs: number): number {
    const row = this.count++;
    const { batch } = this;
    batch.kind[row] = kind;
    batch.listener[row] = listenerNumber;
    batch.observerNs[row] = nowNs;
    batch.slot[row] = -1;
    return row;
  }
}
