// Writes the event rows of datagrams into the observer's batch (spec 04 section 2.1): one
// method for each kind of row, and one for a run of beats that are taken together. Nothing here
// decides or counts; a column that a kind does not use keeps what was there.
import { IP_WORDS } from "../base/ip_text.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { Datagram } from "../events/datagram.ts";
import * as event from "../events/event_batch.ts";
import type { BeatRun } from "../tracker/beat_run.ts";
import type { SlotsView } from "../tracker/slots.ts";
import { decodeErrorHi, decodeErrorLo, decodeErrorSecond } from "../wire/decode_error.ts";
import { WORD_HEAD, WORD_NONCE_HI, WORD_NONCE_LO, WORD_PAYLOAD } from "../wire/frame.ts";

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

  /**
   * The `taken` beats of `run` that began at datagram `from`, in their slots: column by column what
   * `beat` writes.
   */
  steadyBeats(run: BeatRun, slots: SlotsView, from: number, taken: number): void {
    const { words, frameWord, pid: runPid, slot: runSlot, nowNs, listenerNumber } = run;
    const { kind, listener, observerNs, pid, hasSource, status, payload } = this.batch;
    const { nonceHi, nonceLo } = this.batch;
    const { origin, namespaceInode, generation, slot: slotOf, resumed } = this.batch;
    const { namespaceInode: inodeOf, generation: generationOf } = slots;
    const firstRow = this.count;
    for (let n = 0; n < taken; n++) {
      const row = firstRow + n;
      const slot = runSlot[from + n]!;
      const w = frameWord[from + n]!;
      kind[row] = event.EVENT_BEAT;
      listener[row] = listenerNumber;
      observerNs[row] = nowNs;
      pid[row] = runPid[from + n]!;
      hasSource[row] = 0;
      status[row] = words[w + WORD_HEAD]! >>> 24;
      payload[row] = words[w + WORD_PAYLOAD]!;
      nonceHi[row] = words[w + WORD_NONCE_HI]!;
      nonceLo[row] = words[w + WORD_NONCE_LO]!;
      origin[row] = ORIGIN_KERNEL_ATTESTED;
      namespaceInode[row] = inodeOf[slot]!;
      generation[row] = generationOf[slot]!;
      slotOf[row] = slot;
      resumed[row] = 0;
    }
    this.count = firstRow + taken;
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
