// Writes the event rows of datagrams into the observer's batch (spec 04 section 2.1): one
// method for each kind of row. Nothing here decides or counts; a row that a kind does not use keeps
// what was there.
import { IP_WORDS } from "../base/ip_text.ts";
import type { Datagram } from "../events/datagram.ts";
import * as event from "../events/event_batch.ts";
import { decodeErrorHi, decodeErrorLo, decodeErrorSecond } from "../wire/decode_error.ts";

export class EventRows {
  readonly batch: event.EventBatch;
  /** Rows made since it was last set to 0. */
  count = 0;

  constructor(batch: event.EventBatch) {
    this.batch = batch;
  }

  /** An accepted beat, in its slot; `isResumed`: it ends a stall. */
  beat(datagram: Datagram, isResumed: boolean): void {
    const { batch } = this;
    const { sources, sourceAt } = datagram;
    const row = this.#add(event.EVENT_BEAT, datagram);
    batch.pid[row] = datagram.pid;
    batch.status[row] = datagram.status;
    batch.payload[row] = datagram.payload;
    batch.nonceHi[row] = datagram.nonceHi;
    batch.nonceLo[row] = datagram.nonceLo;
    batch.origin[row] = datagram.origin;
    batch.namespaceInode[row] = datagram.namespaceInode;
    batch.generation[row] = datagram.generation;
    batch.slot[row] = datagram.slot;
    batch.resumed[row] = isResumed ? 1 : 0;
    batch.hasSource[row] = sources === undefined ? 0 : 1;
    if (sources === undefined) return;
    batch.key[row] = datagram.key;
    for (let word = 0; word < IP_WORDS; word++)
      batch.source[row * IP_WORDS + word] = sources[sourceAt + word]!;
  }

  decodeFailed(datagram: Datagram, code: number): void {
    const { batch } = this;
    const { words, frameWord } = datagram;
    const row = this.#add(event.EVENT_DECODE, datagram);
    batch.detail[row] = code;
    batch.errHi[row] = decodeErrorHi(code, words, frameWord);
    batch.errLo[row] = decodeErrorLo(code, words, frameWord);
    batch.err2[row] = decodeErrorSecond(code, words, frameWord);
  }

  /** `detail` is an AUTH_REASON. */
  authFailed(datagram: Datagram, detail: number): void {
    const row = this.#add(event.EVENT_AUTH_FAILURE, datagram);
    this.batch.pid[row] = datagram.pid;
    this.batch.detail[row] = detail;
  }

  originConflict(datagram: Datagram, slotOrigin: number): void {
    const row = this.#add(event.EVENT_ORIGIN_CONFLICT, datagram);
    this.batch.pid[row] = datagram.pid;
    this.batch.origin[row] = datagram.origin;
    this.batch.detail[row] = slotOrigin;
  }

  /** `areBothKnown`: both inodes are known and differ, on which strict mode exits. */
  namespaceConflict(datagram: Datagram, areBothKnown: boolean): void {
    const row = this.#add(event.EVENT_NAMESPACE_CONFLICT, datagram);
    this.batch.pid[row] = datagram.pid;
    this.batch.namespaceInode[row] = datagram.namespaceInode;
    this.batch.detail[row] = areBothKnown ? 1 : 0;
  }

  /**
   * Control data that was cut off, or a receive that failed with `errno` (0 = no credentials were
   * attached).
   */
  failure(
    kind: typeof event.EVENT_CTRL_TRUNCATED | typeof event.EVENT_IO,
    datagram: Datagram,
    errno: number,
  ): void {
    this.batch.detail[this.#add(kind, datagram)] = errno;
  }

  #add(kind: number, datagram: Datagram): number {
    const row = this.count++;
    const { batch } = this;
    batch.kind[row] = kind;
    batch.listener[row] = datagram.listenerNumber;
    batch.observerNs[row] = datagram.nowNs;
    batch.slot[row] = -1;
    return row;
  }
}
