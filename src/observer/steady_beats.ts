// The beats of a batch that need no decision: valid frames of agents that are tracked, known and in
// time. They are the rule, so the batch is prepared column by column and runs of them are taken
// together (measured: a third of the time of the check order). Everything else is left to the
// intake, which knows the order of the checks (spec 04 section 5): nothing here rejects, reads
// /proc or makes any row but a beat.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { Datagram } from "../events/datagram.ts";
import { EVENT_BEAT, type EventBatch } from "../events/event_batch.ts";
import type { Listener } from "../listener/listener.ts";
import { type ReceivedBatch, VERDICT_PASS } from "../listener/received_batch.ts";
import { BeatRun } from "../tracker/beat_run.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { decodeFrame } from "../wire/decode.ts";
import { DECODE_OK } from "../wire/decode_error.ts";
import { WORD_HEAD, WORD_NONCE_HI, WORD_NONCE_LO, WORD_PAYLOAD, WORD_PID } from "../wire/frame.ts";
import type { Admission } from "./admission.ts";

export class SteadyBeats {
  readonly #run = new BeatRun();
  readonly #tracker: Tracker;

  constructor(tracker: Tracker, observerInode: number) {
    this.#tracker = tracker;
    this.#run.namespaceInode = observerInode;
  }

  /**
   * Looks at the `count` datagrams that `listener` has just received; `datagram` says when, and its
   * number.
   */
  prepare(datagram: Datagram, listener: Listener, count: number, pidMax: number): void {
    const run = this.#run;
    const { batch } = listener;
    run.words = batch.words;
    run.frameWord = batch.frameWord;
    run.nowNs = datagram.nowNs;
    run.listenerNumber = datagram.listenerNumber;
    // An allow list is for the check order.
    if (listener.allowList === undefined) attestedPids(batch, count, pidMax, run.pid);
    else run.pid.fill(0, 0, count);
    this.#tracker.slotsOf(run.pid, count, run.slot);
  }

  /**
   * Takes datagrams `from` up to `to` of the batch while they are steady, if the limits let them
   * in; returns how many.
   */
  take(from: number, to: number, admission: Admission): number {
    const run = this.#run;
    if (run.slot[from]! < 0) return 0;
    const { bucket, allowance } = admission;
    const affordable = bucket.available(run.nowNs);
    run.allowance = allowance;
    const taken = this.#tracker.refreshRun(run, from, Math.min(to, from + affordable));
    bucket.spend(taken);
    return taken;
  }

  /** Makes the rows of `taken` beats that began at datagram `from`. */
  write(rows: EventBatch, firstRow: number, from: number, taken: number): void {
    const { words, frameWord, pid: runPid, slot: runSlot, nowNs, listenerNumber } = this.#run;
    const { kind, listener, observerNs, pid, hasSource, status, payload } = rows;
    const { nonceHi, nonceLo } = rows;
    const { origin, namespaceInode, generation, slot: slotOf, resumed } = rows;
    const { namespaceInode: inodeOf, generation: generationOf } = this.#tracker.slots;
    for (let n = 0; n < taken; n++) {
      const row = firstRow + n;
      const slot = runSlot[from + n]!;
      const w = frameWord[from + n]!;
      kind[row] = EVENT_BEAT;
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
  }
}

/**
 * The pid of each valid frame that is the pid of its sender, below `pidMax`; 0 for every other
 * datagram.
 */
function attestedPids(
  batch: ReceivedBatch,
  count: number,
  pidMax: number,
  attested: Uint32Array,
): void {
  const { words, frameWord, verdict, origin, peerPid } = batch;
  for (let i = 0; i < count; i++) {
    const w = frameWord[i]!;
    const pid = words[w + WORD_PID]!;
    const isPlain =
      verdict[i]! === VERDICT_PASS &&
      origin[i]! === ORIGIN_KERNEL_ATTESTED &&
      peerPid[i]! === pid &&
      pid <= pidMax &&
      decodeFrame(words, w) === DECODE_OK;
    attested[i] = isPlain ? pid : 0;
  }
}
